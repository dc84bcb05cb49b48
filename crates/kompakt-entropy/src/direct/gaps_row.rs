//! A row of a gaps tile: the distance of each kept weight from the one before it, then their codes.

use super::dense_row::{blocks, check_codes};
use super::layout::{TileShape, filler};
use super::row::Wrong;
use crate::bits;

/// A row with a gap for each kept weight.
#[derive(Debug, Clone, Copy)]
pub struct GapsRow<'a> {
    pub(super) gaps: &'a [u8],
    pub(super) codes: &'a [u8],
    pub(super) shape: TileShape,
    pub(super) gap_bits: u32,
    pub(super) n_kept: usize,
    pub(super) n_fillers: usize,
}

impl<'a> GapsRow<'a> {
    /// [`n_fields`](Self::n_fields) gaps of [`gap_bits`](Self::gap_bits) bits, packed as in [`crate::bits`].
    /// All ones is a filler: that many pruned weights and no kept one.
    pub fn gaps(&self) -> &'a [u8] {
        self.gaps
    }

    /// 1 to 16.
    pub fn gap_bits(&self) -> u32 {
        self.gap_bits
    }

    /// The codes of the kept weights, packed as in [`crate::bits`]. Fillers have none.
    pub fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// 1 to 8.
    pub fn code_bits(&self) -> u32 {
        self.shape.code_bits()
    }

    /// The number of kept weights.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// The number of fillers among the gaps. If zero, gaps and codes correspond one to one.
    pub fn n_fillers(&self) -> usize {
        self.n_fillers
    }

    /// Kept weights and fillers.
    pub fn n_fields(&self) -> usize {
        self.n_kept.saturating_add(self.n_fillers)
    }

    pub(super) fn gap(&self, field: usize) -> u32 {
        bits::read(self.gaps, field * self.gap_bits as usize, self.gap_bits)
    }

    pub(super) fn check(&self) -> Result<(), Wrong<'a>> {
        if !bits::padding_is_zero(self.gaps, self.n_fields(), self.gap_bits) {
            return Err((self.gaps, "D-5", "the bits after a row's last gap are not zero"));
        }
        let filler = filler(self.gap_bits);
        // `past`: columns covered. Each field adds at most 2^16 to it, and a row has less than 2^33 fields.
        let (mut past, mut n_fillers, mut last_is_filler) = (0u64, 0, false);
        self.each_gap(|gap| {
            last_is_filler = gap == filler;
            n_fillers += usize::from(last_is_filler);
            past += u64::from(gap) + u64::from(!last_is_filler);
        });
        if past > self.shape.cols as u64 {
            return Err((self.gaps, "D-7", "a row's gaps lead past its last column"));
        }
        if n_fillers != self.n_fillers || last_is_filler {
            return Err((self.gaps, "D-8", "a row's fillers are not as many as counted, or one comes last"));
        }
        check_codes(self.codes, self.n_kept, &self.shape)
    }

    pub(super) fn columns_into(&self, cols: &mut [u32]) {
        let filler = filler(self.gap_bits);
        let (mut past, mut n) = (0, 0);
        // A filler writes too, and the kept weight after it overwrites that: a branch would be mispredicted
        // too often.
        self.each_gap(|gap| {
            past += gap;
            cols[n] = past;
            n += usize::from(gap != filler);
            past += u32::from(gap != filler);
        });
    }

    /// All gaps and fillers, in order.
    #[inline]
    pub(super) fn each_gap(&self, mut visit: impl FnMut(u32)) {
        if self.gap_bits <= 8 {
            blocks(self.gaps, self.gap_bits, self.n_fields(), |_, gaps| {
                gaps.iter().for_each(|&gap| visit(gap.into()));
            });
        } else {
            (0..self.n_fields()).for_each(|field| visit(self.gap(field)));
        }
    }
}
