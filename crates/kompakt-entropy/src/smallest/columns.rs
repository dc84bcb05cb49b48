//! What is known of every column: how many weights it has kept so far, how many of them are positive, how large
//! they are, and how likely the next one is.

use super::{
    mixer::INPUT_MAX,
    picture::{Kind, Picture},
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
}

impl Columns {
    pub(crate) fn new(row_len: usize) -> Self {
        let zeros = || vec![0; row_len];
        Self {
            kept: zeros(),
            positive: zeros(),
            magnitude: vec![0; row_len],
            logit: vec![0; row_len],
            p: zeros(),
        }
    }

    /// Estimates every column from the `row` rows so far: its own count, its neighbours' and the whole tensor's.
    pub(crate) fn estimate(&mut self, picture: &Picture, row: usize, n_kept: u64) {
        let rows = row as u64;
        let seen = rows * self.kept.len() as u64;
        let overall = ((n_kept << 16) + priors::TENSOR_PRIOR) / (seen + 64);
        let prior = 2 * priors::NEAR_PRIOR;
        for start in (0..self.kept.len()).step_by(picture.area().max(1)) {
            for place in 0..picture.area() {
                let (near, n_near) = self.neighbours(picture, start, place);
                let nearby =
                    (((near << 16) + ((prior * overall) >> 16)) << 16) / (((n_near * rows) << 16) + prior);
                let (kept, column) = (u64::from(self.kept[start + place]), start + place);
                let ones = (kept << 16) + ((priors::COLUMN_PRIOR * nearby) >> 16);
                let zeros = ((rows - kept) << 16) + ((priors::COLUMN_PRIOR * (65536 - nearby)) >> 16);
                self.logit[column] = ratio(ones, zeros).clamp(-INPUT_MAX, INPUT_MAX);
                self.p[column] = squash(self.logit[column]);
            }
        }
    }

    /// Kept weights of the columns around one, and how many columns they are: edges count twice, corners once.
    fn neighbours(&self, picture: &Picture, start: usize, place: usize) -> (u64, u64) {
        let (width, height) = (picture.width, picture.height);
        let (y, x) = (place / width, place % width);
        let (mut kept, mut count) = (0, 0);
        let mut add = |there: bool, column: usize, weight: u64| {
            if there {
                kept += weight * u64::from(self.kept[column]);
                count += weight;
            }
        };
        let column = start + place;
        let (left, right, up, down) = (x > 0, x + 1 < width, y > 0, y + 1 < height);
        add(left, column.wrapping_sub(1), 2);
        add(right, column + 1, 2);
        if picture.kind != Kind::Line {
            add(up, column.wrapping_sub(width), 2);
            add(down, column + width, 2);
            add(up && left, column.wrapping_sub(width + 1), 1);
            add(up && right, (column + 1).wrapping_sub(width), 1);
            add(down && left, (column + width).wrapping_sub(1), 1);
            add(down && right, column + width + 1, 1);
        }
        (kept, count)
    }
}
