//! The three layouts: their sizes, and the tag byte.
//!
//! ```text
//! tag    bits 0-1  layout: 0 dense, 1 bitmap, 2 gaps
//!        bits 2-3  bitmap, gaps: a count takes 1 << this bytes (0 to 2);  dense: 1 = field 0 is "pruned"
//!        bit  4    gaps: there are fillers
//!        bits 5-7  zero
//! gaps   one more byte: the width of a gap, 1 to 16 bits
//! ```

use crate::{MaskedCodes, bits};
use alloc::vec::Vec;

/// The widest gap field.
pub(crate) const MAX_GAP_BITS: u32 = 16;
/// The maximum number of rows or columns of a tile.
pub(crate) const MAX_SIDE: usize = 1 << 28;

/// The layout of a tile's weights. See the [module page](crate::direct) for a diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A field for each weight; pruned ones, if any, are field 0.
    Dense,
    /// A bit for each weight, and the codes of the kept ones.
    Bitmap,
    /// The distance to the previous kept weight, and its code.
    Gaps,
}

impl Layout {
    /// Bits 0 and 1 of the tag.
    pub(crate) fn tag(self) -> u8 {
        match self {
            Self::Dense => 0,
            Self::Bitmap => 1,
            Self::Gaps => 2,
        }
    }
}

/// The shape of a tile, which a reader knows before parsing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileShape {
    /// Rows in the tile, 1 to 2^28.
    pub rows: usize,
    /// Columns, 1 to 2^28.
    pub cols: usize,
    /// Entries of the codebook, 1 to 256.
    pub n_levels: usize,
}

impl TileShape {
    /// The shape of a tile that holds all of `weights`.
    pub fn of(weights: &MaskedCodes<'_>) -> Self {
        Self { rows: weights.rows, cols: weights.row_len(), n_levels: weights.n_levels }
    }

    /// Rule D-1.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let side = 1..=MAX_SIDE;
        if !side.contains(&self.rows) || !side.contains(&self.cols) {
            return Err("a tile has 1 to 2^28 rows and as many columns");
        }
        if !(1..=256).contains(&self.n_levels) {
            return Err("a codebook has 1 to 256 entries");
        }
        Ok(())
    }

    /// The width of a code: the bits that `n_levels - 1` needs, at least 1.
    pub fn code_bits(&self) -> u32 {
        field_bits(self.n_levels)
    }
}

/// The bits needed to distinguish `n_values` values, at least 1.
pub(crate) fn field_bits(n_values: usize) -> u32 {
    (usize::BITS - n_values.saturating_sub(1).leading_zeros()).max(1)
}

/// The size of a tile in each layout, in bytes. Exact, including the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// `None` where some weights are pruned and "pruned" and the codes do not fit a byte together.
    pub dense: Option<usize>,
    /// A bit for each weight.
    pub bitmap: usize,
    /// With the best width of a gap.
    pub gaps: usize,
    /// That width, 1 to 16.
    pub gap_bits: u32,
}

/// The size in each layout of a tile that holds all of `weights`.
pub fn sizes(weights: &MaskedCodes<'_>) -> Sizes {
    let kept = Kept::of(weights);
    let (gaps, gap_bits) = (1..=MAX_GAP_BITS)
        .map(|gap_bits| (kept.gaps_bytes(gap_bits), gap_bits))
        .min()
        .unwrap_or((usize::MAX, MAX_GAP_BITS));
    Sizes { dense: kept.dense_bytes(), bitmap: kept.bitmap_bytes(), gaps, gap_bits }
}

/// The kept weights of a tile, row by row, as gaps.
pub(crate) struct Kept {
    pub(crate) shape: TileShape,
    /// Pruned weights before each kept one, from the start of its row or the kept one before.
    pub(crate) gaps: Vec<u32>,
    /// The code of each.
    pub(crate) codes: Vec<u8>,
    /// The number of kept weights of each row.
    pub(crate) counts: Vec<usize>,
}

impl Kept {
    pub(crate) fn of(weights: &MaskedCodes<'_>) -> Self {
        let shape = TileShape::of(weights);
        let (mut gaps, mut codes, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..shape.rows {
            let before = codes.len();
            let mut gap = 0;
            for index in row * shape.cols..(row + 1) * shape.cols {
                if weights.is_kept(index) {
                    gaps.push(gap);
                    codes.push(weights.codes[index]);
                    gap = 0;
                } else {
                    gap += 1;
                }
            }
            counts.push(codes.len() - before);
        }
        Self { shape, gaps, codes, counts }
    }

    /// The kept blocks of a tile, each as the first of its weights: as columns, rows have groups of channels by taps.
    pub(crate) fn of_blocks(weights: &MaskedCodes<'_>) -> Self {
        let cols = weights.channels.div_ceil(weights.block) * weights.taps;
        let firsts = || (0..weights.len()).filter(|&i| weights.back(i % weights.row_len().max(1)) == 0);
        let mask: Option<Vec<bool>> = weights.mask.map(|mask| firsts().map(|i| mask[i]).collect());
        let codes: Vec<u8> = firsts().map(|i| weights.codes[i]).collect();
        let blocks = MaskedCodes {
            channels: cols,
            taps: 1,
            mask: mask.as_deref(),
            block: 1,
            trellis: false,
            codes: &codes,
            ..*weights
        };
        Self::of(&blocks)
    }

    /// Whether any weight is pruned.
    pub(crate) fn is_pruned(&self) -> bool {
        self.codes.len() < self.shape.rows * self.shape.cols
    }

    /// The width of a dense field, `None` if it is more than a byte.
    pub(crate) fn dense_bits(&self) -> Option<u32> {
        let bits = field_bits(self.shape.n_levels + usize::from(self.is_pruned()));
        (bits <= 8).then_some(bits)
    }

    fn dense_bytes(&self) -> Option<usize> {
        let stride = bits::packed_bytes(self.shape.cols, self.dense_bits()?);
        Some(stride.saturating_mul(self.shape.rows).saturating_add(1))
    }

    fn bitmap_bytes(&self) -> usize {
        let max = self.counts.iter().copied().max().unwrap_or(0);
        let map = self.shape.cols.div_ceil(8).saturating_mul(self.shape.rows);
        1 + self.shape.rows * count_bytes(max) + map + self.code_bytes()
    }

    fn code_bytes(&self) -> usize {
        self.counts.iter().map(|&n| bits::packed_bytes(n, self.shape.code_bits())).sum()
    }

    pub(crate) fn gaps_bytes(&self, gap_bits: u32) -> usize {
        let fillers = self.fillers(gap_bits);
        let (mut max, mut any, mut bytes) = (0, false, 2 + self.code_bytes());
        for (&n, &filled) in self.counts.iter().zip(&fillers) {
            max = max.max(n).max(filled);
            any |= filled > 0;
            bytes += bits::packed_bytes(n + filled, gap_bits);
        }
        bytes + self.shape.rows * count_bytes(max) * (1 + usize::from(any))
    }

    /// The number of fillers that each row needs when a gap has `gap_bits` bits.
    pub(crate) fn fillers(&self, gap_bits: u32) -> Vec<usize> {
        let filler = filler(gap_bits);
        let mut gaps = self.gaps.iter();
        let row = |&n: &usize| gaps.by_ref().take(n).map(|&gap| (gap / filler) as usize).sum();
        self.counts.iter().map(row).collect()
    }
}

/// The gap field that stands for that many pruned weights and no kept one.
pub(crate) fn filler(gap_bits: u32) -> u32 {
    (1 << gap_bits) - 1
}

/// The bytes of a count, 1, 2 or 4, when the largest is `max`.
pub(crate) fn count_bytes(max: usize) -> usize {
    match max {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}
