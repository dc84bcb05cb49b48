//! Dense values packed by Zstandard, with the bytes of equal significance grouped together.
//!
//! ```text
//! numbers   a0 a1 a2 a3  b0 b1 b2 b3  …           (f32, least significant byte first)
//! block     4 MiB of them
//! planes    a0 b0 …  a1 b1 …  a2 b2 …  a3 b3 …    of a block: signs and exponents end up side by side
//! section   for each block the length of its frame (u32), the frame: the planes, packed
//! ```

use crate::{
    error::{FormatError, broken},
    source::Source,
    zstd,
};
use alloc::{vec, vec::Vec};
use kompakt_numbers::NumberFormat;

/// Bytes of every block but the last.
pub const BLOCK_BYTES: usize = 1 << 22;

/// Number of planes of a value format.
pub fn n_planes(format: NumberFormat) -> usize {
    match format {
        NumberFormat::F32 => 4,
        NumberFormat::F16 => 2,
        NumberFormat::Scaled => 1,
    }
}

/// The blocks of a raw section that is packed, one at a time. Rule F-22.
pub(crate) struct Blocks {
    /// Where the next frame begins, and where the section ends.
    next: usize,
    end: usize,
    /// Number of unpacked bytes still to come.
    left: usize,
    n_planes: usize,
    /// Where the section begins, for errors.
    at: usize,
}

impl Blocks {
    /// Of the frames in `next..end` of a source, which unpack to `length` bytes. `at` is where the section is in the file.
    ///
    /// Errors: F-22 if no parameter of that shape has so many.
    pub(crate) fn new(
        (next, end): (usize, usize),
        at: usize,
        length: usize,
        format: NumberFormat,
        (rows, cols): (usize, usize),
    ) -> Result<Self, FormatError> {
        let row = cols.saturating_mul(4).saturating_add(cols.div_ceil(8));
        if length > rows.saturating_mul(row).saturating_add(5) {
            return broken("F-22", at, "a packed section of more bytes than its parameter has");
        }
        Ok(Self { next, end, left: length, n_planes: n_planes(format), at })
    }

    /// The next block; `None` after the last. Memory: three times [`BLOCK_BYTES`], and a frame.
    pub(crate) fn next<S: Source>(&mut self, source: &mut S) -> Result<Option<Vec<u8>>, S::Error> {
        if self.left == 0 {
            if self.next != self.end {
                broken("F-22", self.at, "bytes after the last frame of a packed section")?;
            }
            return Ok(None);
        }
        let start = self.next.saturating_add(4);
        if start > self.end {
            broken("F-22", self.at, "a packed section ends before its last frame")?;
        }
        let mut length = [0; 4];
        length.iter_mut().zip(source.part(self.next, 4)?.as_ref()).for_each(|(to, &from)| *to = from);
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        self.next = start.saturating_add(length);
        if self.next > self.end {
            broken("F-22", self.at, "a packed section ends before its last frame")?;
        }
        let wanted = self.left.min(BLOCK_BYTES);
        self.left = self.left.saturating_sub(wanted);
        let planes = zstd::unpack(source.part(start, length)?.as_ref(), wanted, "F-22", self.at)?;
        Ok(Some(interleave(&planes, self.n_planes)))
    }
}

/// Byte `i` of plane `p` becomes byte `i * n + p`; the first planes are a byte longer where `n` does not divide.
fn interleave(planes: &[u8], n: usize) -> Vec<u8> {
    let mut out = vec![0; planes.len()];
    let mut rest = planes.iter();
    for p in 0..n {
        out.iter_mut().skip(p).step_by(n).zip(rest.by_ref()).for_each(|(to, &from)| *to = from);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_of_odd_lengths() {
        assert_eq!(interleave(&[0, 4, 8, 1, 5, 2, 6, 3, 7], 4), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(interleave(&[1, 2, 3], 1), [1, 2, 3]);
        assert_eq!(interleave(&[], 4), []);
    }
}
