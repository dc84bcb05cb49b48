//! Writes a tile.

use super::layout::{Kept, Layout, TileShape, count_bytes, filler, sizes};
use crate::{EntropyError, MaskedCodes, bits};
use alloc::vec::Vec;

/// How the layout of a tile is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The layout that takes the fewest bytes.
    Smallest,
    /// The layout that is fastest for kernels: dense from a third kept, bitmap from a sixteenth,
    /// else gaps without fillers where that costs at most a quarter more.
    Fastest,
    /// The given layout.
    Only(Layout),
}

/// Writes all of `weights` as one tile.
///
/// Errors: [`EntropyError::Weights`] where [`MaskedCodes::validate`] fails, where a side is 0 or above 2^28,
/// or where the given layout is dense and "pruned" and the codes do not fit a byte together.
/// Source: `spec/format-direct.md`.
pub fn encode_tile(weights: &MaskedCodes<'_>, choice: Choice) -> Result<Vec<u8>, EntropyError> {
    weights.validate()?;
    TileShape::of(weights).validate().map_err(EntropyError::weights)?;
    let kept = Kept::of(weights);
    let (layout, gap_bits) = choose(weights, &kept, choice);
    let mut out = Vec::new();
    match layout {
        Layout::Dense => write_dense(weights, &kept, &mut out)?,
        Layout::Bitmap => write_bitmap(weights, &kept, &mut out),
        Layout::Gaps => write_gaps(&kept, gap_bits, &mut out),
    }
    Ok(out)
}

/// The layout, and the width of a gap should it be [`Layout::Gaps`].
fn choose(weights: &MaskedCodes<'_>, kept: &Kept, choice: Choice) -> (Layout, u32) {
    let sizes = sizes(weights);
    let layout = match choice {
        Choice::Only(layout) => layout,
        Choice::Smallest => {
            let dense = sizes.dense.unwrap_or(usize::MAX);
            if dense <= sizes.bitmap && dense <= sizes.gaps {
                Layout::Dense
            } else if sizes.bitmap <= sizes.gaps {
                Layout::Bitmap
            } else {
                Layout::Gaps
            }
        }
        Choice::Fastest => {
            let (n, n_kept) = (weights.len(), kept.codes.len());
            if sizes.dense.is_some() && n_kept >= n / 3 {
                Layout::Dense
            } else if n_kept >= n / 16 {
                Layout::Bitmap
            } else {
                let gap_bits = without_fillers(kept);
                let bytes = kept.gaps_bytes(gap_bits);
                let affordable = bytes <= sizes.gaps + sizes.gaps / 4;
                return (Layout::Gaps, if affordable { gap_bits } else { sizes.gap_bits });
            }
        }
    };
    (layout, sizes.gap_bits)
}

/// The narrowest gap that needs no fillers; a whole byte where that is not much wider.
fn without_fillers(kept: &Kept) -> u32 {
    let max = kept.gaps.iter().copied().max().unwrap_or(0);
    let bits = (1..=super::layout::MAX_GAP_BITS).find(|&bits| max < filler(bits));
    match bits {
        Some(7) => 8,
        Some(bits) => bits,
        None => super::layout::MAX_GAP_BITS,
    }
}

fn write_dense(weights: &MaskedCodes<'_>, kept: &Kept, out: &mut Vec<u8>) -> Result<(), EntropyError> {
    let problem = "dense layout: pruned weights and 256 levels do not fit 8 bits together";
    let field_bits = kept.dense_bits().ok_or(EntropyError::weights(problem))?;
    let has_zero = kept.is_pruned();
    out.push(Layout::Dense.tag() | u8::from(has_zero) << 2);
    for row in 0..weights.rows {
        let fields = (row * kept.shape.cols..(row + 1) * kept.shape.cols).map(|index| {
            let code = u32::from(weights.codes[index]);
            if has_zero { if weights.is_kept(index) { code + 1 } else { 0 } } else { code }
        });
        bits::pack(fields, field_bits, out);
    }
    Ok(())
}

fn write_bitmap(weights: &MaskedCodes<'_>, kept: &Kept, out: &mut Vec<u8>) {
    let width = count_bytes(kept.counts.iter().copied().max().unwrap_or(0));
    out.push(Layout::Bitmap.tag() | (width.trailing_zeros() as u8) << 2);
    write_counts(&kept.counts, width, out);
    for row in 0..weights.rows {
        let map = (row * kept.shape.cols..(row + 1) * kept.shape.cols).map(|i| weights.is_kept(i).into());
        bits::pack(map, 1, out);
    }
    write_codes(kept, out);
}

fn write_gaps(kept: &Kept, gap_bits: u32, out: &mut Vec<u8>) {
    let fillers = kept.fillers(gap_bits);
    let any = fillers.iter().any(|&n| n > 0);
    let width = count_bytes(kept.counts.iter().chain(&fillers).copied().max().unwrap_or(0));
    out.push(Layout::Gaps.tag() | (width.trailing_zeros() as u8) << 2 | u8::from(any) << 4);
    out.push(gap_bits as u8);
    write_counts(&kept.counts, width, out);
    if any {
        write_counts(&fillers, width, out);
    }
    let filler = filler(gap_bits);
    let mut gaps = kept.gaps.iter();
    for &n in &kept.counts {
        let fields = gaps
            .by_ref()
            .take(n)
            .flat_map(|&gap| core::iter::repeat_n(filler, (gap / filler) as usize).chain([gap % filler]));
        bits::pack(fields, gap_bits, out);
    }
    write_codes(kept, out);
}

fn write_counts(counts: &[usize], width: usize, out: &mut Vec<u8>) {
    for &n in counts {
        out.extend_from_slice(&(n as u64).to_le_bytes()[..width]);
    }
}

fn write_codes(kept: &Kept, out: &mut Vec<u8>) {
    let mut codes = kept.codes.iter();
    for &n in &kept.counts {
        bits::pack(codes.by_ref().take(n).map(|&code| code.into()), kept.shape.code_bits(), out);
    }
}
