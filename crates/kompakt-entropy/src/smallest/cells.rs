//! The model's access to weights: the same interface to a tensor being read and to one being written.

use crate::{MaskedCodes, MaskedCodesBuf};

/// Weights by their index in row-major order. A source knows all of them, a target those set so far.
pub(crate) trait Cells {
    fn shape(&self) -> MaskedCodes<'_>;
    fn kept(&self, index: usize) -> bool;
    fn level(&self, index: usize) -> u8;
    /// Marks a weight as kept; targets have none at first.
    fn keep(&mut self, index: usize, level: u8);
}

/// Weights to be written.
pub(crate) struct Source<'a>(pub(crate) &'a MaskedCodes<'a>);

impl Cells for Source<'_> {
    fn shape(&self) -> MaskedCodes<'_> {
        *self.0
    }
    #[inline(always)]
    fn kept(&self, index: usize) -> bool {
        self.0.is_kept(index)
    }
    #[inline(always)]
    fn level(&self, index: usize) -> u8 {
        self.0.codes[index]
    }
    #[inline(always)]
    fn keep(&mut self, _: usize, _: u8) {}
}

/// Weights being read.
pub(crate) struct Target<'a>(pub(crate) &'a mut MaskedCodesBuf);

impl Cells for Target<'_> {
    fn shape(&self) -> MaskedCodes<'_> {
        self.0.view()
    }
    #[inline(always)]
    fn kept(&self, index: usize) -> bool {
        self.0.mask.as_ref().is_none_or(|m| m[index])
    }
    #[inline(always)]
    fn level(&self, index: usize) -> u8 {
        self.0.codes[index]
    }
    #[inline(always)]
    fn keep(&mut self, index: usize, level: u8) {
        if let Some(mask) = &mut self.0.mask {
            mask[index] = true;
        }
        self.0.codes[index] = level;
    }
}
