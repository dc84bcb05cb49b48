//! The weights of one layer as the coders see them: a mask and a code for each kept weight.
//!
//! ```text
//! row-major [rows, channels, taps]        taps = kernel height x width, 1 for a linear layer
//!   mask   . X . X X .                    true = kept; absent: all kept
//!   codes  0 3 0 1 2 0                    index into an ascending codebook; 0 and ignored where masked
//! ```
//!
//! A mask may keep or remove blocks of weights: some channels of one row at one tap, the last of a row narrower where they do
//! not fit. Coders then state it once a block.
//!
//! The codebook's values are not here: a coder only needs to know how many there are and how many of them
//! are negative.

use crate::{
    EntropyError,
    trellis::{self, State},
};
use alloc::{vec, vec::Vec};

/// A borrowed view of one layer's mask and codes. See the [module page](self) for the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedCodes<'a> {
    /// Output units or channels, dimension 0.
    pub rows: usize,
    /// Input channels, or features, of a group.
    pub channels: usize,
    /// Kernel positions, `kh * kw`; 1 for a linear layer.
    pub taps: usize,
    /// True = kept; `[rows, channels, taps]`. `None`: all are kept.
    pub mask: Option<&'a [bool]>,
    /// How many channels the mask keeps or removes together: 2, 4 or 8, or 1 for single weights, or where there is no mask.
    pub block: usize,
    /// Whether the codes of each column follow the [trellis] along the rows; not with blocks.
    pub trellis: bool,
    /// Indices into an ascending codebook, `[rows, channels, taps]`; 0 and ignored where masked.
    pub codes: &'a [u8],
    /// How many entries the codebook has, 1 to 256.
    pub n_levels: usize,
    /// How many of them are below zero; they come first.
    pub n_negative: usize,
}

impl MaskedCodes<'_> {
    /// Checks lengths and ranges: all that the coders rely on.
    ///
    /// Errors: [`EntropyError::Weights`] with what is wrong.
    pub fn validate(&self) -> Result<(), EntropyError> {
        let len = n_weights(self.rows, self.channels, self.taps)?;
        let wrong = |problem| Err(EntropyError::weights(problem));
        if self.codes.len() != len {
            return wrong("the codes do not have rows x channels x taps entries");
        }
        if self.mask.is_some_and(|m| m.len() != len) {
            return wrong("the mask does not have rows x channels x taps entries");
        }
        check_levels(self.n_levels, self.n_negative)?;
        if !matches!(self.block, 1 | 2 | 4 | 8) || (self.block > 1 && self.mask.is_none()) {
            return wrong("blocks have 1, 2, 4 or 8 channels of a layer with a mask");
        }
        if !self.has_whole_blocks() {
            return wrong("the mask parts a block");
        }
        if self.trellis && (self.block > 1 || !self.has_sides()) {
            return wrong(
                "codes that follow a trellis have two levels on either side of zero, and no blocks",
            );
        }
        let in_range = match self.mask {
            None => self.codes.iter().all(|&c| usize::from(c) < self.n_levels),
            Some(mask) => self
                .codes
                .iter()
                .zip(mask)
                .all(|(&c, &kept)| usize::from(c) < self.n_levels && (kept || c == 0)),
        };
        if in_range { Ok(()) } else { wrong("a code is outside the codebook, or not 0 where masked") }
    }

    /// Whether there are two levels at least on either side of zero, which a trellis needs.
    fn has_sides(&self) -> bool {
        self.n_negative >= 2 && self.n_levels - self.n_negative >= 2
    }

    /// Whether the codes of every column are those of the quantisers that the [trellis] tells.
    pub fn follows_trellis(&self) -> bool {
        if !self.has_sides() {
            return false;
        }
        let mut states = vec![State::default(); self.row_len()];
        for row in 0..self.rows {
            for (column, state) in states.iter_mut().enumerate() {
                let at = row * self.row_len() + column;
                *state = if self.is_kept(at) {
                    let m = self.magnitude(self.codes[at]);
                    if trellis::quantiser(m) != state.quantiser() {
                        return false;
                    }
                    state.after_kept(m)
                } else {
                    state.after_pruned()
                };
            }
        }
        true
    }

    /// How many levels lie between zero and that of a code.
    fn magnitude(&self, code: u8) -> usize {
        let code = usize::from(code);
        code.checked_sub(self.n_negative).unwrap_or_else(|| self.n_negative - 1 - code)
    }

    /// Whether the mask keeps or removes every block whole.
    pub fn has_whole_blocks(&self) -> bool {
        let Some(mask) = self.mask.filter(|_| self.block > 1) else { return true };
        (0..mask.len()).all(|i| mask[i] == mask[i - self.back(i % self.row_len())])
    }

    /// How many places before the weight in that column the first of its block is.
    pub(crate) fn back(&self, column: usize) -> usize {
        column / self.taps % self.block * self.taps
    }

    /// How many weights there are, kept or not.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// How many weights a row has: `channels * taps`.
    pub fn row_len(&self) -> usize {
        self.channels * self.taps
    }

    /// Whether weight `index` is kept.
    pub fn is_kept(&self, index: usize) -> bool {
        self.mask.is_none_or(|m| m[index])
    }

    /// How many weights are kept.
    pub fn n_kept(&self) -> usize {
        self.mask.map_or(self.codes.len(), |m| m.iter().filter(|&&kept| kept).count())
    }
}

/// The same, owned: the output of a decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedCodesBuf {
    /// As in [`MaskedCodes`].
    pub rows: usize,
    /// As in [`MaskedCodes`].
    pub channels: usize,
    /// As in [`MaskedCodes`].
    pub taps: usize,
    /// As in [`MaskedCodes`].
    pub mask: Option<Vec<bool>>,
    /// As in [`MaskedCodes`].
    pub block: usize,
    /// As in [`MaskedCodes`].
    pub trellis: bool,
    /// As in [`MaskedCodes`].
    pub codes: Vec<u8>,
    /// As in [`MaskedCodes`].
    pub n_levels: usize,
    /// As in [`MaskedCodes`].
    pub n_negative: usize,
}

impl MaskedCodesBuf {
    /// Weights of that shape, all of them code 0; masked out if there is a mask.
    ///
    /// Errors: [`EntropyError::Weights`] where the sizes are not ones that [`MaskedCodes::validate`] takes.
    pub fn new(
        [rows, channels, taps]: [usize; 3],
        has_mask: bool,
        n_levels: usize,
        n_negative: usize,
    ) -> Result<Self, EntropyError> {
        let len = n_weights(rows, channels, taps)?;
        check_levels(n_levels, n_negative)?;
        let mask = has_mask.then(|| vec![false; len]);
        let codes = vec![0; len];
        Ok(Self { rows, channels, taps, mask, block: 1, trellis: false, codes, n_levels, n_negative })
    }

    /// The same with a mask of blocks of so many channels.
    pub fn with_block(self, block: usize) -> Self {
        Self { block, ..self }
    }

    /// The same with codes that follow the [trellis], or not.
    pub fn with_trellis(self, trellis: bool) -> Self {
        Self { trellis, ..self }
    }

    /// Sets all weights to code 0, masked out if there is a mask.
    pub fn clear(&mut self) {
        self.codes.fill(0);
        if let Some(mask) = &mut self.mask {
            mask.fill(false);
        }
    }

    /// A view of it.
    pub fn view(&self) -> MaskedCodes<'_> {
        let Self { rows, channels, taps, block, trellis, n_levels, n_negative, .. } = *self;
        MaskedCodes {
            rows,
            channels,
            taps,
            mask: self.mask.as_deref(),
            block,
            trellis,
            codes: &self.codes,
            n_levels,
            n_negative,
        }
    }
}

fn n_weights(rows: usize, channels: usize, taps: usize) -> Result<usize, EntropyError> {
    rows.checked_mul(channels)
        .and_then(|n| n.checked_mul(taps))
        .ok_or(EntropyError::weights("rows x channels x taps is more than this machine can address"))
}

fn check_levels(n_levels: usize, n_negative: usize) -> Result<(), EntropyError> {
    if !(1..=256).contains(&n_levels) {
        return Err(EntropyError::weights("a codebook has 1 to 256 entries"));
    }
    if n_negative > n_levels {
        return Err(EntropyError::weights("more negative entries than entries"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<'a>(codes: &'a [u8], mask: Option<&'a [bool]>) -> MaskedCodes<'a> {
        MaskedCodes {
            rows: 2,
            channels: 2,
            taps: 1,
            mask,
            block: 1,
            trellis: false,
            codes,
            n_levels: 3,
            n_negative: 1,
        }
    }

    #[test]
    fn takes_what_fits_and_refuses_the_rest() {
        assert_eq!(view(&[0, 1, 2, 0], None).validate(), Ok(()));
        assert_eq!(view(&[0, 1, 2, 0], Some(&[false, true, true, true])).validate(), Ok(()));
        assert!(view(&[0, 1, 2], None).validate().is_err());
        assert!(view(&[0, 1, 2, 3], None).validate().is_err());
        assert!(view(&[0, 1, 2, 0], Some(&[true; 3])).validate().is_err());
        assert!(view(&[0, 1, 2, 0], Some(&[true, false, true, true])).validate().is_err());
        for (n_levels, n_negative) in [(0, 0), (257, 0), (3, 4)] {
            assert!(MaskedCodes { n_levels, n_negative, ..view(&[0; 4], None) }.validate().is_err());
        }
        assert!(MaskedCodesBuf::new([usize::MAX, 2, 1], true, 1, 0).is_err());
        let blocks = |mask| MaskedCodes { block: 2, ..view(&[0; 4], mask) }.validate();
        assert_eq!(blocks(Some(&[false, false, true, true])), Ok(()));
        assert!(blocks(Some(&[false, true, true, true])).is_err() && blocks(None).is_err());
        assert!(MaskedCodes { block: 3, ..view(&[0; 4], Some(&[true; 4])) }.validate().is_err());
    }

    #[test]
    fn counts() {
        let mask = [false, true, true, false];
        let weights = view(&[0, 1, 2, 0], Some(&mask));
        assert_eq!((weights.len(), weights.row_len(), weights.n_kept()), (4, 2, 2));
        assert!(weights.is_kept(1) && !weights.is_kept(3));
        assert_eq!(MaskedCodesBuf::new([2, 2, 1], true, 3, 1).unwrap().view().n_kept(), 0);
    }
}
