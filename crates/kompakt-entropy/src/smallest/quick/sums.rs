//! Kept weights of a row and of the rows so far, the expected numbers, and their magnitudes.

use crate::smallest::{mixer::INPUT_MAX, priors, quantiser::Quantiser, tables::log};

/// Over the rows so far.
#[derive(Debug, Clone, Default)]
pub(super) struct TensorSums {
    pub(super) n_kept: u64,
    magnitude: u64,
    /// Kept and expected (1/65536) in the last row, and in all rows with those long ago fading out (both 1/65536).
    last: (u64, u64),
    faded: (u64, u64),
    /// Where codes follow a trellis.
    pub(super) quantisers: [Quantiser; 2],
}

/// Over the row so far.
pub(super) struct RowSums {
    n_kept: u64,
    /// In 1/65536.
    expected: u64,
    magnitude: u64,
    /// By how much more of the last weights were kept than was expected, in 1/65536.
    pub(super) recent: i32,
    /// What the rows before make the row begin with: kept weights (1/65536), and their magnitude.
    kept_prior: u64,
    magnitude_prior: u64,
    /// The logarithm of the tensor's mean magnitude.
    log_mean: i32,
}

impl TensorSums {
    /// The mean magnitude.
    pub(super) fn mean(&self) -> u64 {
        (self.magnitude + 128) / (self.n_kept + 1)
    }

    pub(super) fn log_mean(&self) -> i32 {
        log(self.magnitude + 128) - log(self.n_kept + 1)
    }

    pub(super) fn add(&mut self, row: &RowSums) {
        let fade = |sum: u64| (sum * priors::ROW_MEMORY) >> 8;
        self.n_kept += row.n_kept;
        self.magnitude += row.magnitude;
        self.last = (row.n_kept << 16, row.expected);
        self.faded = (fade(self.faded.0) + self.last.0, fade(self.faded.1) + self.last.1);
    }
}

impl RowSums {
    pub(super) fn new(tensor: &TensorSums) -> Self {
        let of = |(kept, expected): (u64, u64)| {
            ((kept + priors::RATIO_PRIOR) << 16) / (expected + priors::RATIO_PRIOR)
        };
        let prior = (of(tensor.last) + 3 * of(tensor.faded)) / 4;
        Self {
            n_kept: 0,
            expected: 0,
            magnitude: 0,
            recent: 0,
            kept_prior: (priors::ROW_PRIOR * prior) >> 16,
            magnitude_prior: 3 * tensor.mean(),
            log_mean: tensor.log_mean(),
        }
    }

    /// The logarithm of kept against expected, and of the mean magnitude against the tensor's.
    #[inline(always)]
    pub(super) fn estimate(&self) -> (i32, i32) {
        let kept = log((self.n_kept << 16) + self.kept_prior) - log(self.expected + priors::ROW_PRIOR);
        let scale = log(self.magnitude + self.magnitude_prior) - log(self.n_kept + 3) - self.log_mean;
        (kept.clamp(-INPUT_MAX, INPUT_MAX), scale)
    }

    #[inline(always)]
    pub(super) fn expect(&mut self, p: u32) {
        self.expected += u64::from(p);
    }

    #[inline(always)]
    pub(super) fn keep(&mut self, magnitude: i32) {
        self.n_kept += 1;
        self.magnitude += magnitude as u64;
    }
}
