//! Column statistics from the rows so far.

use super::sums::TensorSums;
use crate::smallest::{
    mixer::INPUT_MAX,
    priors,
    tables::{log, ratio, squash},
};
use crate::trellis::State;
use alloc::{vec, vec::Vec};

/// How many weights a column has kept, and the sum of their magnitudes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    kept: u32,
    magnitude: u64,
}

/// The estimates from them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Estimate {
    /// Of being kept.
    pub(super) logit: i16,
    /// The same as a probability, in 1/65536.
    pub(super) p: u16,
    /// The logarithm of the column's mean magnitude against the tensor's.
    pub(super) scale: i16,
}

pub(super) struct Columns {
    pub(super) counts: Vec<Counts>,
    pub(super) estimates: Vec<Estimate>,
    /// Where codes follow a trellis: the states that the row at hand has.
    pub(super) states: Vec<State>,
}

impl Counts {
    #[inline(always)]
    pub(super) fn keep(&mut self, magnitude: i32) {
        self.kept += 1;
        self.magnitude += magnitude as u64;
    }
}

impl Columns {
    pub(super) fn new(row_len: usize) -> Self {
        Self {
            counts: vec![Counts::default(); row_len],
            estimates: vec![Estimate::default(); row_len],
            states: vec![State::default(); row_len],
        }
    }

    /// From the `row` rows so far. A column begins with as much as three rows of the whole tensor, and four kept
    /// weights of its mean magnitude.
    #[inline(always)]
    pub(super) fn estimate(&mut self, row: usize, tensor: &TensorSums) {
        let seen = row as u64 * self.counts.len() as u64;
        let overall = ((tensor.n_kept << 16) + priors::TENSOR_PRIOR) / (seen + 64);
        let ones = (priors::COLUMN_PRIOR * overall) >> 16;
        let zeros = priors::COLUMN_PRIOR - ones;
        let (mean, steady) = (4 * tensor.mean(), tensor.log_mean());
        for (estimate, counts) in self.estimates.iter_mut().zip(&self.counts) {
            let (kept, pruned) = (u64::from(counts.kept), row as u64 - u64::from(counts.kept));
            let logit = ratio((kept << 16) + ones, (pruned << 16) + zeros).clamp(-INPUT_MAX, INPUT_MAX);
            let scale = log(counts.magnitude + mean) - log(kept + 4) - steady;
            *estimate = Estimate { logit: logit as i16, p: squash(logit) as u16, scale: scale as i16 };
        }
    }
}
