//! Where codes follow a trellis: how much more often than others the weights of each quantiser are kept.
//!
//! Its functions are not inlined, so that streams without a trellis pay little for it, in time and in code.

use super::{
    mixer::INPUT_MAX,
    priors::QUANTISER_PRIOR,
    tables::{log, squash},
};

/// Statistics over the weights of one quantiser, of the rows so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quantiser {
    n: u64,
    n_kept: u64,
    /// In 1/65536.
    expected: u64,
    shift: i32,
}

impl Quantiser {
    /// Counts a weight that its column alone would have kept with probability `p`, in 1/65536.
    #[inline(never)]
    pub(crate) fn count(&mut self, is_kept: bool, p: u32) {
        self.n += 1;
        self.n_kept += u64::from(is_kept);
        self.expected += u64::from(p);
    }

    /// Works out the shift, before a row.
    #[inline(never)]
    pub(crate) fn estimate(&mut self) {
        let odds = |ones: u64| {
            let ones = ones + (QUANTISER_PRIOR << 16);
            log(ones) - log(((self.n + 2 * QUANTISER_PRIOR) << 16) - ones)
        };
        self.shift = odds(self.n_kept << 16) - odds(self.expected);
    }

    /// What a column's logit is for a weight of this quantiser, and as a probability.
    #[inline(never)]
    pub(crate) fn shifted(&self, column_logit: i32) -> (i32, u32) {
        let logit = (column_logit + self.shift).clamp(-INPUT_MAX, INPUT_MAX);
        (logit, squash(logit))
    }
}
