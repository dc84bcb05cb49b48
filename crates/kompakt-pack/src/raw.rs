//! Numbers as they are; `kompakt_format` reads them back.

use kompakt_format::{Decoded, Numbers};

/// Appends numbers.
pub(crate) fn numbers(numbers: &Numbers, out: &mut Vec<u8>) {
    match numbers {
        Numbers::F32(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Numbers::F16(v) => out.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Numbers::Scaled { scale, integers } => {
            out.extend(scale.to_le_bytes());
            let width = narrowest(integers);
            out.push(width as u8);
            out.extend(integers.iter().flat_map(|n| n.to_le_bytes().into_iter().take(width)));
        }
    }
}

/// Appends a dense parameter: its mask, if there is one, and its kept numbers.
pub(crate) fn dense(decoded: &Decoded, cols: usize, out: &mut Vec<u8>) {
    for row in decoded.mask().iter().flat_map(|mask| mask.chunks_exact(cols)) {
        out.extend(
            row.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))),
        );
    }
    if let Decoded::Dense { numbers: kept, .. } = decoded {
        numbers(kept, out);
    }
}

/// Bytes of the narrowest signed integer that holds all.
fn narrowest(integers: &[i32]) -> usize {
    if integers.iter().all(|&n| i8::try_from(n).is_ok()) {
        1
    } else if integers.iter().all(|&n| i16::try_from(n).is_ok()) {
        2
    } else {
        4
    }
}
