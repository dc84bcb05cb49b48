//! Dense numbers packed by Zstandard, the bytes of equal weight together.
//!
//! ```text
//! numbers   a0 a1 a2 a3  b0 b1 b2 b3  …           (f32, least significant byte first)
//! planes    a0 b0 …  a1 b1 …  a2 b2 …  a3 b3 …    signs and exponents end up side by side
//! section   for each 4 MiB of planes: the length of its frame (u32), the frame
//! ```

use crate::{
    error::{FormatError, broken},
    numbers::NumberFormat,
    zstd,
};
use alloc::{vec, vec::Vec};

/// Bytes of planes in every frame but the last.
pub const FRAME_BYTES: usize = 1 << 22;

/// How many planes numbers of a format have.
pub fn n_planes(format: NumberFormat) -> usize {
    match format {
        NumberFormat::F32 => 4,
        NumberFormat::F16 => 2,
        NumberFormat::Scaled => 1,
    }
}

/// The `length` bytes of a raw section that is packed. Rule F-22.
///
/// Memory: twice `length`, once it is known that a parameter of that shape can have so many bytes.
pub(crate) fn unpack(
    bytes: &[u8],
    length: usize,
    format: NumberFormat,
    (rows, cols): (usize, usize),
    at: usize,
) -> Result<Vec<u8>, FormatError> {
    let most = rows.saturating_mul(cols.saturating_mul(4).saturating_add(cols.div_ceil(8))).saturating_add(5);
    if length > most {
        return broken("F-22", at, "a packed section of more bytes than its parameter has");
    }
    let mut planes = Vec::new();
    let mut rest = bytes;
    while planes.len() < length {
        let wanted = length.saturating_sub(planes.len()).min(FRAME_BYTES);
        let Some((frame, after)) = split_frame(rest) else {
            return broken("F-22", at, "a packed section ends before its last frame");
        };
        planes.extend(zstd::unpack(frame, wanted, "F-22", at)?);
        rest = after;
    }
    if !rest.is_empty() {
        return broken("F-22", at, "bytes after the last frame of a packed section");
    }
    Ok(interleave(&planes, n_planes(format)))
}

fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
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
