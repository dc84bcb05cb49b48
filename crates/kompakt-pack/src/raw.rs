//! Uncoded values; `kompakt_format` reads them back.

use kompakt_format::{BLOCK_BYTES, Decoded, Numbers};

/// Appends values.
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

/// Appends a dense parameter: its mask, if there is one, and its kept values.
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

/// How many bytes [`dense`] appends.
pub(crate) fn dense_len(decoded: &Decoded, cols: usize) -> usize {
    let mask = decoded.mask().map_or(0, |mask| mask.len() / cols * cols.div_ceil(8));
    let kept = match decoded {
        Decoded::Dense { numbers: Numbers::F32(v), .. } => 4 * v.len(),
        Decoded::Dense { numbers: Numbers::F16(v), .. } => 2 * v.len(),
        Decoded::Dense { numbers: Numbers::Scaled { integers, .. }, .. } => {
            5 + narrowest(integers) * integers.len()
        }
        Decoded::Shared { .. } => 0,
    };
    mask + kept
}

/// The same bytes, [`BLOCK_BYTES`] at a time; for single precision without a mask each block is made when it
/// is requested.
pub(crate) fn blocks<'d>(decoded: &'d Decoded, cols: usize) -> Box<dyn Iterator<Item = Vec<u8>> + 'd> {
    if let Decoded::Dense { numbers: Numbers::F32(values), mask: None } = decoded {
        let block = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
        return Box::new(values.chunks(BLOCK_BYTES / 4).map(block));
    }
    let mut bytes = Vec::with_capacity(dense_len(decoded, cols));
    dense(decoded, cols, &mut bytes);
    let n_blocks = bytes.len().div_ceil(BLOCK_BYTES);
    let block = move |i: usize| bytes[i * BLOCK_BYTES..bytes.len().min((i + 1) * BLOCK_BYTES)].to_vec();
    Box::new((0..n_blocks).map(block))
}

/// Bytes of the narrowest signed integer type that holds all.
fn narrowest(integers: &[i32]) -> usize {
    if integers.iter().all(|&n| i8::try_from(n).is_ok()) {
        1
    } else if integers.iter().all(|&n| i16::try_from(n).is_ok()) {
        2
    } else {
        4
    }
}
