//! Fields of a few bits, packed from the least significant bit of each byte upwards.
//!
//! ```text
//! widths 3:  fields 5 1 6        bits  101 100 011 (first field rightmost)
//! byte 0 = 10 001 101            byte 1 = 0000000 1
//! ```
//!
//! A field may cross bytes. Where packed fields end, the rest of the last byte is zero.

use alloc::vec::Vec;

/// How many bytes `n` fields of `width` bits take.
///
/// Saturates at `usize::MAX`, which no stream has.
pub fn packed_bytes(n: usize, width: u32) -> usize {
    match n.checked_mul(width as usize) {
        Some(bits) => bits.div_ceil(8),
        None => usize::MAX,
    }
}

/// Appends `fields` of `width` bits (1 to 16) to `out`, then zero bits up to a whole byte.
pub fn pack(fields: impl IntoIterator<Item = u32>, width: u32, out: &mut Vec<u8>) {
    let (mut pending, mut n_pending) = (0u32, 0u32);
    for field in fields {
        debug_assert!(field >> width == 0, "a field wider than {width} bits");
        pending |= field << n_pending;
        n_pending += width;
        while n_pending >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            n_pending -= 8;
        }
    }
    if n_pending > 0 {
        out.push(pending as u8);
    }
}

/// The field of `width` bits (at most 16) that starts at bit `at`. Bytes past the end read as zero.
#[inline]
pub fn read(bytes: &[u8], at: usize, width: u32) -> u32 {
    let first = at / 8;
    let window = match bytes.get(first..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(&chunk) => u32::from_le_bytes(chunk),
        None => tail_window(bytes, first),
    };
    (window >> (at % 8)) & ((1 << width) - 1)
}

fn tail_window(bytes: &[u8], first: usize) -> u32 {
    let tail = bytes.get(first..).unwrap_or(&[]);
    tail.iter().rev().fold(0, |window, &byte| window << 8 | u32::from(byte))
}

/// Unpacks `out.len()` fields of `width` bits (1 to 8). Bytes past the end read as zero.
pub fn unpack(bytes: &[u8], width: u32, out: &mut [u8]) {
    match width {
        1 => unpack_width::<1>(bytes, out),
        2 => unpack_width::<2>(bytes, out),
        3 => unpack_width::<3>(bytes, out),
        4 => unpack_width::<4>(bytes, out),
        5 => unpack_width::<5>(bytes, out),
        6 => unpack_width::<6>(bytes, out),
        7 => unpack_width::<7>(bytes, out),
        _ if bytes.len() >= out.len() => out.copy_from_slice(&bytes[..out.len()]),
        _ => unpack_width::<8>(bytes, out),
    }
}

/// The same; eight fields are `W` whole bytes.
fn unpack_width<const W: usize>(bytes: &[u8], out: &mut [u8]) {
    let (groups, _) = bytes.as_chunks::<W>();
    let n_whole = groups.len().min(out.len() / 8);
    let (whole, rest) = out.split_at_mut(8 * n_whole);
    for (eight, group) in whole.as_chunks_mut::<8>().0.iter_mut().zip(groups) {
        *eight = unpack_eight::<W>(group);
    }
    let mut bytes = bytes.get(n_whole * W..).unwrap_or(&[]);
    for eight in rest.chunks_mut(8) {
        let mut group = [0; W];
        let n = bytes.len().min(W);
        group[..n].copy_from_slice(&bytes[..n]);
        bytes = &bytes[n..];
        eight.copy_from_slice(&unpack_eight::<W>(&group)[..eight.len()]);
    }
}

#[inline]
fn unpack_eight<const W: usize>(bytes: &[u8; W]) -> [u8; 8] {
    let mut window = [0; 8];
    window[..W].copy_from_slice(bytes);
    let window = u64::from_le_bytes(window);
    core::array::from_fn(|i| (window >> (i * W)) as u8 & ((1u16 << W) - 1) as u8)
}

/// Whether the bits after `n` fields of `width` bits are zero up to the end of their last byte.
pub fn padding_is_zero(bytes: &[u8], n: usize, width: u32) -> bool {
    let n_bits = n * width as usize;
    match n_bits % 8 {
        0 => true,
        used => bytes.get(n_bits / 8).is_none_or(|&last| last >> used == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn the_picture_above() {
        let mut bytes = Vec::new();
        pack([5, 1, 6], 3, &mut bytes);
        assert_eq!(bytes, [0b1000_1101, 0b0000_0001]);
    }

    #[test]
    fn what_is_packed_is_read() {
        arbtest::arbtest(|u| {
            let width = u.int_in_range(1..=16)?;
            let n = u.int_in_range(0..=40)?;
            let fields =
                (0..n).map(|_| u.int_in_range(0..=(1u32 << width) - 1)).collect::<Result<Vec<_>, _>>()?;
            let mut bytes = Vec::new();
            pack(fields.iter().copied(), width, &mut bytes);
            assert_eq!(bytes.len(), packed_bytes(n, width));
            assert!(padding_is_zero(&bytes, n, width));
            for (i, &field) in fields.iter().enumerate() {
                assert_eq!(read(&bytes, i * width as usize, width), field);
            }
            if width <= 8 {
                let mut out = vec![0; n];
                unpack(&bytes, width, &mut out);
                assert!(out.iter().zip(&fields).all(|(&a, &b)| u32::from(a) == b));
            }
            Ok(())
        });
    }

    #[test]
    fn past_the_end_is_zero() {
        assert_eq!(read(&[0xff], 4, 8), 0x0f);
        assert_eq!(read(&[0xff], 64, 8), 0);
        let mut out = [9; 4];
        unpack(&[0xff], 8, &mut out);
        assert_eq!(out, [0xff, 0, 0, 0]);
        let mut out = [9; 12];
        unpack(&[0xff, 0xff, 0xff, 0xff], 3, &mut out);
        assert_eq!(out, [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 3, 0]);
        assert!(!padding_is_zero(&[0x80], 1, 7));
    }
}
