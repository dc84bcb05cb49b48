//! Values stored directly: the section `numbers`, and dense parameters with a section of their own.
//!
//! ```text
//! mask      only if masked: for each row its bits, least significant first, padded to full bytes
//! f32       4 bytes each            f16       2 bytes each
//! scaled    the scale (f32), one byte: the width of an integer (1, 2 or 4), the integers
//! ```

use crate::{
    decoded::Decoded,
    error::{FormatError, broken},
};
use alloc::vec::Vec;
use kompakt_numbers::{NumberFormat, Numbers};

/// A position in raw bytes.
pub(crate) struct RawReader<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> RawReader<'a> {
    /// `base` is where `bytes` begins in the file.
    pub(crate) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    fn offset(&self) -> usize {
        self.base.saturating_add(self.at)
    }

    pub(crate) fn finish(self) -> Result<(), FormatError> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            broken("F-22", self.offset(), "bytes after the last number of a section")
        }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], FormatError> {
        let end = self.at.checked_add(n);
        match end.and_then(|end| Some((end, self.bytes.get(self.at..end)?))) {
            Some((end, bytes)) => {
                self.at = end;
                Ok(bytes)
            }
            None => broken("F-22", self.offset(), "a section ends before its last number"),
        }
    }

    fn chunks<const N: usize>(&mut self, n: usize) -> Result<&'a [[u8; N]], FormatError> {
        Ok(self.take(n.saturating_mul(N))?.as_chunks().0)
    }

    /// `n` values.
    pub(crate) fn numbers(&mut self, format: NumberFormat, n: usize) -> Result<Numbers, FormatError> {
        Ok(match format {
            NumberFormat::F32 => {
                Numbers::F32(self.chunks(n)?.iter().map(|b| f32::from_le_bytes(*b)).collect())
            }
            NumberFormat::F16 => {
                Numbers::F16(self.chunks(n)?.iter().map(|b| u16::from_le_bytes(*b)).collect())
            }
            NumberFormat::Scaled => {
                let scale = self.chunks(1)?.first().map_or(0.0, |b| f32::from_le_bytes(*b));
                let offset = self.offset();
                let integers: Vec<i32> = match self.take(1)? {
                    [1] => self.chunks(n)?.iter().map(|b| i8::from_le_bytes(*b).into()).collect(),
                    [2] => self.chunks(n)?.iter().map(|b| i16::from_le_bytes(*b).into()).collect(),
                    [4] => self.chunks(n)?.iter().map(|b| i32::from_le_bytes(*b)).collect(),
                    _ => return broken("F-22", offset, "an integer has 1, 2 or 4 bytes"),
                };
                Numbers::Scaled { scale, integers }
            }
        })
    }

    /// A dense parameter.
    pub(crate) fn dense(
        &mut self,
        format: NumberFormat,
        is_masked: bool,
        (rows, cols): (usize, usize),
    ) -> Result<Decoded, FormatError> {
        let mask = if is_masked { Some(self.mask(rows, cols)?) } else { None };
        let n = match &mask {
            Some(mask) => mask.iter().filter(|&&kept| kept).count(),
            None => rows.saturating_mul(cols),
        };
        Ok(Decoded::Dense { numbers: self.numbers(format, n)?, mask })
    }

    fn mask(&mut self, rows: usize, cols: usize) -> Result<Vec<bool>, FormatError> {
        let stride = cols.div_ceil(8);
        let offset = self.offset();
        let bytes = self.take(rows.saturating_mul(stride))?;
        let mut mask = Vec::with_capacity(rows.saturating_mul(cols));
        for row in bytes.chunks_exact(stride.max(1)) {
            let mut bits = row.iter().flat_map(|&byte| (0..8).map(move |i| byte >> i & 1 == 1));
            mask.extend(bits.by_ref().take(cols));
            if bits.any(|bit| bit) {
                return broken("F-22", offset, "the bits after a row of a mask are not zero");
            }
        }
        Ok(mask)
    }
}
