//! Statistics of each column: how many weights it has kept so far, how many of them are positive, how large
//! they are, and how likely the next one is.

use super::{
    mixer::INPUT_MAX,
    picture::Picture,
    priors,
    tables::{coarse, ratio, squash},
};
use crate::trellis::State;
use alloc::{vec, vec::Vec};

/// One column.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Column {
    pub(crate) kept: u32,
    pub(crate) positive: u32,
    /// Sum of magnitudes, in 1/256 of the side's length.
    pub(crate) magnitude: u64,
    /// The logit of being kept, for the row at hand.
    pub(crate) logit: i32,
    /// The same as a probability, in 1/65536.
    pub(crate) p: u32,
    /// `kept` as [`coarse`] has it.
    pub(crate) coarse_kept: u8,
    /// Where codes follow a trellis: the state that the row at hand has.
    pub(crate) state: State,
}

impl Column {
    /// Counts a kept weight.
    #[inline(always)]
    pub(crate) fn count(&mut self) {
        self.kept += 1;
        self.coarse_kept = coarse(self.kept) as u8;
    }
}

/// All columns of a layer.
pub(crate) struct Columns {
    pub(crate) all: Vec<Column>,
    /// Kept weights of three picture rows, with an empty column on either side.
    sums: Vec<u64>,
}

impl Columns {
    pub(crate) fn new(row_len: usize, picture: &Picture) -> Self {
        Self { all: vec![Column::default(); row_len], sums: vec![0; picture.width + 2] }
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
    #[inline(always)]
    pub(crate) fn estimate(&mut self, picture: &Picture, row: usize, n_kept: u64) {
        let rows = row as u64;
        let seen = rows * self.all.len() as u64;
        let overall = ((n_kept << 16) + priors::TENSOR_PRIOR) / (seen + 64);
        let prior = 2 * priors::NEAR_PRIOR;
        let added = (prior * overall) >> 16;
        // One over the rows of the neighbourhood, by its weight; in 1/2^60.
        let shares: [u64; 13] = core::array::from_fn(|n| (1 << 60) / (((n as u64 * rows) << 16) + prior));
        for start in (0..self.all.len()).step_by(picture.area()) {
            for y in 0..picture.height {
                self.sum_rows(picture, start, y);
                let start = start + y * picture.width;
                let line = &mut self.all[start..start + picture.width];
                for (x, (column, sums)) in line.iter_mut().zip(self.sums.windows(3)).enumerate() {
                    let kept = u64::from(column.kept);
                    let near = sums[0] + 2 * sums[1] + sums[2] - 4 * kept;
                    let nearby = (((near << 16) + added) * shares[picture.n_near(y, x)]) >> 44;
                    let ones = (kept << 16) + ((priors::COLUMN_PRIOR * nearby) >> 16);
                    let zeros = ((rows - kept) << 16) + ((priors::COLUMN_PRIOR * (65536 - nearby)) >> 16);
                    column.logit = ratio(ones, zeros).clamp(-INPUT_MAX, INPUT_MAX);
                    column.p = squash(column.logit);
                }
            }
        }
    }

    /// Puts picture row `y` twice, and the rows above and below it, into `sums[1..]`.
    #[inline(always)]
    fn sum_rows(&mut self, picture: &Picture, start: usize, y: usize) {
        let at = |y: usize| start + y * picture.width..start + (y + 1) * picture.width;
        let sums = &mut self.sums[1..=picture.width];
        for (sum, column) in sums.iter_mut().zip(&self.all[at(y)]) {
            *sum = 2 * u64::from(column.kept);
        }
        for beside in [y.wrapping_sub(1), y + 1] {
            if beside < picture.height {
                for (sum, column) in sums.iter_mut().zip(&self.all[at(beside)]) {
                    *sum += u64::from(column.kept);
                }
            }
        }
    }
}
