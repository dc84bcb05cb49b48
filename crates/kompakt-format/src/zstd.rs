//! Zstandard (RFC 8878) as the container uses it: one frame of a single segment, its length known, no
//! dictionary, no checksum (the section has one).

use crate::error::{FormatError, broken};
use alloc::vec::Vec;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The `length` bytes that a frame unpacks to. Memory: `length`, which the caller has bounded.
pub(crate) fn unpack(
    bytes: &[u8],
    length: usize,
    rule: &'static str,
    at: usize,
) -> Result<Vec<u8>, FormatError> {
    let blocks = blocks(bytes, length, rule, at)?;
    match kompakt_entropy::zstd::unpack(blocks, length) {
        Some(out) => Ok(out),
        None => broken(rule, at, "a Zstandard frame that cannot be unpacked"),
    }
}

/// The blocks of a frame whose header holds only its length, and the correct one.
fn blocks<'b>(
    bytes: &'b [u8],
    length: usize,
    rule: &'static str,
    at: usize,
) -> Result<&'b [u8], FormatError> {
    let wrong = |problem: &'static str| broken(rule, at, problem);
    let Some((&descriptor, rest)) = bytes.strip_prefix(&MAGIC).and_then(<[u8]>::split_first) else {
        return wrong("a packed section that is no Zstandard frame");
    };
    if descriptor & 0x3f != 0x20 {
        return wrong("a Zstandard frame of several segments, with a checksum or a dictionary");
    }
    let (width, base) = match descriptor >> 6 {
        0 => (1, 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let Some((size, blocks)) = rest.split_at_checked(width) else {
        return wrong("a Zstandard frame that ends in its header");
    };
    let size = size.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
    if Some(size.saturating_add(base)) != u64::try_from(length).ok() {
        return wrong("a Zstandard frame of another length than it should have");
    }
    Ok(blocks)
}
