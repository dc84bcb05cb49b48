//! Blocks of weights: some input channels of one output at one kernel position, kept or dropped together.
//!
//! ```text
//! weight [outputs, channels, taps]            channels 0 1 2 3 | 4 5 6 7 | 8 9     blocks of 1 x 4
//!   one output at one tap                              # # # # | . . . . | # #     the last may be narrower
//! ```
//!
//! Four bytes of one lane of an 8-bit dot product are such a block: where it is dropped, nothing is multiplied.

use std::{fmt, str::FromStr};

/// So many input channels (or inputs of a linear layer) of one output at one kernel position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block(usize);

/// With fewer blocks than this, or fewer kept ones, a mask may consist of blocks by chance.
const FEWEST: usize = 64;
const FEWEST_KEPT: usize = 16;

impl Block {
    /// Each weight by itself.
    pub const SINGLE: Self = Self(1);

    /// Blocks of 1, 2, 4 or 8 input channels.
    pub fn of_inputs(n: usize) -> Option<Self> {
        matches!(n, 1 | 2 | 4 | 8).then_some(Self(n))
    }

    /// Input channels of a block, 1 to 8.
    pub fn n_inputs(self) -> usize {
        self.0
    }

    /// Whether each weight is a block.
    pub fn is_single(self) -> bool {
        self.0 == 1
    }

    /// The indices of the weights of each block of a parameter, row-major: outputs, groups of channels, kernel positions.
    pub fn members(self, shape: &[usize]) -> impl Iterator<Item = std::iter::StepBy<std::ops::Range<usize>>> {
        let (rows, channels, taps) = dimensions(shape);
        let group = move |row: usize, first: usize| {
            let n = self.0.min(channels - first);
            (0..taps).map(move |tap| {
                let start = (row * channels + first) * taps + tap;
                (start..start + (n - 1) * taps + 1).step_by(taps)
            })
        };
        (0..rows).flat_map(move |row| (0..channels).step_by(self.0).flat_map(move |first| group(row, first)))
    }

    /// Each weight's block as the root of its mean square, in the places of the weights: what is largest is kept.
    pub fn norms(self, shape: &[usize], weights: &[f32]) -> Vec<f32> {
        if self.is_single() {
            return weights.to_vec();
        }
        let mut norms = vec![0.0; weights.len()];
        for members in self.members(shape) {
            let squares: f64 = members.clone().map(|i| f64::from(weights[i]).powi(2)).sum();
            let norm = (squares / members.len() as f64).sqrt() as f32;
            members.for_each(|i| norms[i] = norm);
        }
        norms
    }

    /// Whether a mask keeps or drops every block whole.
    pub fn divides(self, shape: &[usize], mask: &[bool]) -> bool {
        let is_whole = |mut members: std::iter::StepBy<std::ops::Range<usize>>| {
            let first = members.next().is_some_and(|i| mask[i]);
            members.all(|i| mask[i] == first)
        };
        self.is_single() || self.members(shape).all(is_whole)
    }

    /// The largest blocks that a mask keeps or drops whole; single weights where it has too few for that to mean anything.
    pub fn of_mask(shape: &[usize], mask: &[bool]) -> Self {
        let (rows, channels, taps) = dimensions(shape);
        let n_kept = mask.iter().filter(|kept| **kept).count();
        let may_be = |block: &Self| {
            channels > block.0 / 2
                && n_kept >= FEWEST_KEPT * block.0
                && rows * channels.div_ceil(block.0) * taps >= FEWEST
                && block.divides(shape, mask)
        };
        [8, 4, 2].map(Self).into_iter().find(may_be).unwrap_or(Self::SINGLE)
    }
}

/// Outputs, input channels, kernel positions.
fn dimensions(shape: &[usize]) -> (usize, usize, usize) {
    let at = |i: usize| shape.get(i).copied().unwrap_or(1);
    (at(0), at(1), shape.iter().skip(2).product())
}

impl Default for Block {
    fn default() -> Self {
        Self::SINGLE
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1x{}", self.0)
    }
}

impl FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let n = text.strip_prefix("1x").and_then(|n| n.parse().ok()).and_then(Self::of_inputs);
        n.ok_or_else(|| {
            "1x4: one output by 1, 2, 4 or 8 inputs that are kept or dropped together".to_string()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_in_one_block() {
        for (shape, n_blocks) in
            [(vec![3, 10], 9), (vec![2, 6, 3, 3], 36), (vec![5, 1, 3, 3], 45), (vec![7], 7)]
        {
            let block = Block::of_inputs(4).unwrap();
            let mut seen = vec![0; shape.iter().product()];
            block.members(&shape).for_each(|members| members.for_each(|i| seen[i] += 1));
            assert!(seen.iter().all(|n| *n == 1), "{shape:?}");
            assert_eq!(block.members(&shape).count(), n_blocks, "{shape:?}");
        }
        let convolution: Vec<Vec<usize>> = Block(2).members(&[1, 3, 2]).map(Iterator::collect).collect();
        assert_eq!(convolution, [vec![0, 2], vec![1, 3], vec![4], vec![5]]);
    }

    #[test]
    fn the_largest_blocks_of_a_mask_are_found() {
        let (rows, channels) = (16, 20);
        let of = |n: usize| {
            let kept = |i: usize| (i / channels * 7 + i % channels / n * 13) % 5 < 2;
            let mask: Vec<bool> = (0..rows * channels).map(kept).collect();
            Block::of_mask(&[rows, channels], &mask)
        };
        assert_eq!([1, 2, 4].map(of), [1, 2, 4].map(Block));
        // Too few to tell.
        assert_eq!(Block::of_mask(&[2, 8], &[true; 16]), Block::SINGLE);
    }

    #[test]
    fn names() {
        assert_eq!("1x4".parse(), Ok(Block(4)));
        assert_eq!(Block(8).to_string(), "1x8");
        for wrong in ["4", "4x1", "1x3", "1x16", "1x", ""] {
            assert!(wrong.parse::<Block>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn norms_are_root_mean_squares() {
        let weights = [3.0, 4.0, 0.0, 0.0, 5.0];
        assert_eq!(Block(2).norms(&[1, 5], &weights)[..2], [12.5f32.sqrt(); 2]);
        assert_eq!(Block(2).norms(&[1, 5], &weights)[2..], [0.0, 0.0, 5.0]);
    }
}
