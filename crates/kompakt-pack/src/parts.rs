//! An open file, read part by part; and the progress of a reader of any source.

use crate::error::PackError;
use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

/// See the [module page](self).
pub(crate) struct Parts<'f>(pub(crate) &'f File);

impl kompakt_format::Source for Parts<'_> {
    type Bytes = Vec<u8>;
    type Error = PackError;

    fn part(&mut self, offset: usize, length: usize) -> Result<Vec<u8>, PackError> {
        let io = || PackError::io("reading the container");
        // The header's length was compared with the file's, so this never exceeds the file.
        let mut bytes = vec![0; length];
        self.0.seek(SeekFrom::Start(offset as u64)).map_err(io())?;
        self.0.read_exact(&mut bytes).map_err(io())?;
        Ok(bytes)
    }
}

/// A checked file's parts, read one after the other, and the listener for progress.
///
/// `kompakt_format` checks a file in two passes: all checksums, which is fast, then all payloads.
pub struct Checking<'t, S> {
    source: S,
    /// Length of the file in bytes.
    total: usize,
    /// Where the last part began, and in which pass.
    last: usize,
    pass: usize,
    tell: &'t dyn Fn(f64),
}

/// The share of the time that the checksums take.
const CHECKSUMS: f64 = 0.05;

impl<'t, S> Checking<'t, S> {
    /// Reports the share of the check that is done (0 to 1), whenever a part is read.
    pub fn new(source: S, total: usize, tell: &'t dyn Fn(f64)) -> Self {
        Self { source, total, last: 0, pass: 0, tell }
    }
}

impl<S: kompakt_format::Source> kompakt_format::Source for Checking<'_, S> {
    type Bytes = S::Bytes;
    type Error = S::Error;

    fn part(&mut self, offset: usize, length: usize) -> Result<S::Bytes, S::Error> {
        self.pass += usize::from(offset < self.last);
        self.last = offset;
        let place = offset as f64 / self.total.max(1) as f64;
        (self.tell)(match self.pass {
            0 => CHECKSUMS * place,
            1 => CHECKSUMS + (1.0 - CHECKSUMS) * place,
            _ => 1.0,
        });
        self.source.part(offset, length)
    }
}
