//! An open file, read part by part.

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
        // The header's length was compared with the file's, so this is never more than there is.
        let mut bytes = vec![0; length];
        self.0.seek(SeekFrom::Start(offset as u64)).map_err(io())?;
        self.0.read_exact(&mut bytes).map_err(io())?;
        Ok(bytes)
    }
}
