//! Where the bytes of a file come from, for a caller that does not hold them all in memory.

use crate::error::{FormatError, broken};

/// Provides parts of a file. A slice is a source; `kompakt-pack` implements one for an open file.
pub trait Source {
    /// The buffer that holds a part.
    type Bytes: AsRef<[u8]>;
    /// Why a part cannot be read.
    type Error: From<FormatError>;
    /// The `length` bytes at `offset`, all of them.
    fn part(&mut self, offset: usize, length: usize) -> Result<Self::Bytes, Self::Error>;
}

impl<'a> Source for &'a [u8] {
    type Bytes = &'a [u8];
    type Error = FormatError;

    fn part(&mut self, offset: usize, length: usize) -> Result<Self::Bytes, Self::Error> {
        let end = offset.checked_add(length);
        match end.and_then(|end| self.get(offset..end)) {
            Some(bytes) => Ok(bytes),
            None => broken("F-3", offset, "the file ends too early"),
        }
    }
}
