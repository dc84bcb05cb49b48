//! What is known of every column: how many weights it has kept so far, how many of them are positive, how large
//! they are, and how likely the next one is.

use super::{
    mixer::INPUT_MAX,
    picture::Picture,
    priors,
    tables::{ratio, squash},
};
use alloc::{vec, vec::Vec};

pub(crate) struct Columns {
    pub(crate) kept: Vec<u32>,
    pub(crate) positive: Vec<u32>,
    /// Sum of magnitudes, in 1/256 of the side's length.
    pub(crate) magnitude: Vec<u64>,
    /// The logit of being kept, for the row at hand.
    pub(crate) logit: Vec<i32>,
    /// The same as a probability, in 1/65536.
    pub(crate) p: Vec<u32>,
    /// Kept weights of three picture rows, with an empty column on either side.
    sums: Vec<u64>,
}

impl Columns {
    pub(crate) fn new(row_len: usize, picture: &Picture) -> Self {
        let zeros = || vec![0; row_len];
        Self {
            kept: zeros(),
            positive: zeros(),
            magnitude: vec![0; row_len],
            logit: vec![0; row_len],
            p: zeros(),
            sums: vec![0; picture.width + 2],
        }
    }

    /// Estimates every column from the `row` rows so far: its own count, its neighbours' and the whole tensor's.
    ///
    /// Neighbours beside, above and below count twice, those at the corners once:
    ///
    /// ```text
    /// 1 2 1
    /// 2 . 2     what is left of 1 2 1 times 1 2 1 without four times the middle
    /// 1 2 1
    /// ```
    pub(crate) fn estimate(&mut self, picture: &Picture, row: usize, n_kept: u64) {
        let rows = row as u64;
        let seen = rows * self.kept.len() as u64;
        let overall = ((n_kept << 16) + priors::TENSOR_PRIOR) / (seen + 64);
        let prior = 2 * priors::NEAR_PRIOR;
        let added = (prior * overall) >> 16;
        // One over the rows of the neighbourhood, by its weight; in 1/2^60.
        let shares: [u64; 13] = core::array::from_fn(|n| (1 << 60) / (((n as u64 * rows) << 16) + prior));
        for start in (0..self.kept.len()).step_by(picture.area()) {
            for y in 0..picture.height {
                self.sum_rows(picture, start, y);
                for x in 0..picture.width {
                    let column = start + y * picture.width + x;
                    let kept = u64::from(self.kept[column]);
                    let near = self.sums[x] + 2 * self.sums[x + 1] + self.sums[x + 2] - 4 * kept;
                    let nearby = (((near << 16) + added) * shares[picture.n_near(y, x)]) >> 44;
                    let ones = (kept << 16) + ((priors::COLUMN_PRIOR * nearby) >> 16);
                    let zeros = ((rows - kept) << 16) + ((priors::COLUMN_PRIOR * (65536 - nearby)) >> 16);
                    self.logit[column] = ratio(ones, zeros).clamp(-INPUT_MAX, INPUT_MAX);
                    self.p[column] = squash(self.logit[column]);
                }
            }
        }
    }

    /// Puts picture row `y` twice, and the rows above and below it, into `sums[1..]`.
    fn sum_rows(&mut self, picture: &Picture, start: usize, y: usize) {
        let at = |y: usize| start + y * picture.width..start + (y + 1) * picture.width;
        let sums = &mut self.sums[1..=picture.width];
        for (sum, &kept) in sums.iter_mut().zip(&self.kept[at(y)]) {
            *sum = 2 * u64::from(kept);
        }
        for beside in [y.wrapping_sub(1), y + 1] {
            if beside < picture.height {
                for (sum, &kept) in sums.iter_mut().zip(&self.kept[at(beside)]) {
                    *sum += u64::from(kept);
                }
            }
        }
    }
}
