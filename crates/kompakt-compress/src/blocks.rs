//! Levels of a layer whose weights are kept or dropped in blocks: which blocks go, and what the weights of the others may be.
//!
//! ```text
//! dropped   sum of d w²             + price × bits of the flag        d: what an error in the column does
//! kept      sum of d (w - level)²   + price × (bits of the flag and of the levels)
//! ```
//!
//! So the score of a block is the sum of what its weights save. No weight of a kept block is zero: levels lie on both sides of
//! it, half a step away where they are evenly spaced. Errors of dropped blocks are compensated like all others.

use crate::levels::{Chooser, Levels, magnitudes};
use kompakt_cluster::NumberFormat;
use kompakt_model::{Block, Numbers};

/// Other starting points: how many levels on each side of zero, and where the outermost are, in root mean squares.
const STARTS: [(i32, f64); 6] = [(1, 0.8), (1, 1.5), (2, 1.8), (2, 2.8), (3, 3.0), (4, 3.5)];
/// Rounds of improvement.
const ROUNDS: usize = 12;
/// The most levels on each side where they are placed one by one.
const MOST_PLACED: i32 = 31;
/// Above this price levels are placed one by one.
const PLACED_FROM: f64 = 1e-2;
/// The most steps from zero to the outermost weight.
const FINEST: f64 = 4096.0;

/// The flags of a layer's blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Flags {
    pub(crate) block: Block,
    /// Bits of the flag of a block that is dropped, and of one that is kept.
    pub(crate) bits: [f64; 2],
}

/// A sample of a layer's blocks.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    block: Block,
    weights: Vec<f32>,
    /// Where each block ends among them.
    ends: Vec<usize>,
    pub(crate) mean_square: f64,
    largest: f64,
}

impl Blocks {
    /// About `most` weights, evenly sampled, block by block.
    pub(crate) fn of(block: Block, shape: &[usize], weights: &[f32], most: usize) -> Self {
        let every = weights.len().div_ceil(most).max(1);
        // As for single weights: a stride without a factor of row lengths.
        let every = if every > 1 { every | 1 } else { 1 };
        let mut sample =
            Self { block, weights: Vec::new(), ends: Vec::new(), mean_square: 0.0, largest: 0.0 };
        for members in block.members(shape).step_by(every) {
            sample.weights.extend(members.map(|i| weights[i]));
            sample.ends.push(sample.weights.len());
        }
        let square: f64 = sample.weights.iter().map(|w| f64::from(*w).powi(2)).sum();
        sample.mean_square = square / sample.weights.len().max(1) as f64;
        sample.largest = f64::from(weights.iter().fold(0.0f32, |m, w| m.max(w.abs())));
        sample
    }

    fn each(&self) -> impl Iterator<Item = &[f32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.weights[start..end])
    }

    /// Levels when a bit costs `lambda` mean squared weights.
    pub(crate) fn levels(&self, lambda: f64) -> Levels {
        let price = lambda * self.mean_square;
        if self.mean_square == 0.0 {
            return self.none();
        }
        let step = (12.0 * price / (2.0 * std::f64::consts::LN_2)).sqrt().max(self.largest / FINEST);
        if lambda < PLACED_FROM {
            return self.even(step as f32, price);
        }
        let rms = self.mean_square.sqrt();
        let half = ((self.largest / step).ceil() as i32).clamp(1, MOST_PLACED);
        let spaced = |(half, outermost): (i32, f64)| {
            let side = (1..=half).map(move |i| outermost * f64::from(2 * i - 1) / f64::from(2 * half - 1));
            let values = side.clone().rev().map(|v| -v).chain(std::iter::once(0.0)).chain(side).collect();
            self.settled(values, price)
        };
        let starts = STARTS.iter().map(|&(half, outermost)| (half, outermost * rms));
        let all = starts.chain([(half, step * (f64::from(half) - 0.5))]).map(spaced);
        let best = all.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or_else(|| self.none(), |found| found.1)
    }

    /// Every block dropped.
    fn none(&self) -> Levels {
        let flags = Flags { block: self.block, bits: [0.0, f64::INFINITY] };
        Levels {
            values: vec![0.0],
            lengths: vec![f64::INFINITY],
            codebook: Numbers::F32(vec![]),
            flags: Some(flags),
            trellis: false,
        }
    }

    /// Odd multiples of half a step.
    fn even(&self, step: f32, price: f64) -> Levels {
        let half = step / 2.0;
        let side: Vec<i32> = magnitudes((self.largest / f64::from(step)).ceil().max(1.0) as i32)
            .into_iter()
            .map(|m| 2 * m - 1)
            .collect();
        let mut integers: Vec<i32> = side.iter().rev().map(|m| -m).collect();
        integers.extend(&side);
        let mut values: Vec<f64> = integers.iter().map(|&i| f64::from(i as f32 * half)).collect();
        values.insert(side.len(), 0.0);
        let codebook = Numbers::Scaled { scale: half, integers };
        self.counted(
            Levels {
                lengths: even_lengths(&values),
                values,
                codebook,
                flags: Some(self.even_flags()),
                trellis: false,
            },
            price,
        )
    }

    fn even_flags(&self) -> Flags {
        Flags { block: self.block, bits: [1.0; 2] }
    }

    /// Levels improved from some values, and what they cost a weight.
    fn settled(&self, values: Vec<f64>, price: f64) -> (f64, Levels) {
        let codebook = Numbers::F32(vec![]);
        let mut levels = Levels {
            lengths: even_lengths(&values),
            values,
            codebook,
            flags: Some(self.even_flags()),
            trellis: false,
        };
        for _ in 0..ROUNDS {
            levels = self.round(&levels, price, true);
        }
        let levels = self.rounded(levels, price);
        let (bits, error) = self.measure(&levels, price);
        (error + price * bits, levels)
    }

    /// Rounds levels to a codebook whose rounding error is small against the quantisation error.
    fn rounded(&self, levels: Levels, price: f64) -> Levels {
        let error = self.measure(&levels, price).1;
        let largest = levels.values.iter().fold(0f64, |m, v| m.max(v.abs()));
        let allowed = (12.0 * 0.03 * error).sqrt().max(1e-9 * largest);
        let bits = ((largest / allowed).log2().ceil() as u32).saturating_add(1).clamp(5, 16);
        let plain: Vec<f32> = levels.values.iter().filter(|v| **v != 0.0).map(|&v| v as f32).collect();
        if plain.is_empty() {
            return self.none();
        }
        let mut codebook = NumberFormat::Int(bits).round(&Numbers::F32(plain));
        let stored = codebook.to_f32();
        let keep: Vec<bool> =
            (0..stored.len()).map(|i| stored[i] != 0.0 && (i == 0 || stored[i] != stored[i - 1])).collect();
        codebook.retain(&keep);
        let mut values: Vec<f64> = codebook.to_f32().iter().map(|&v| f64::from(v)).collect();
        let zero = values.partition_point(|&v| v < 0.0);
        values.insert(zero, 0.0);
        let lengths = even_lengths(&values);
        self.counted(Levels { lengths, values, codebook, flags: levels.flags, trellis: false }, price)
    }

    /// With lengths that fit how often each level and flag comes.
    fn counted(&self, mut levels: Levels, price: f64) -> Levels {
        for _ in 0..4 {
            levels = self.round(&levels, price, false);
        }
        levels
    }

    /// One round: choices for the levels, then bits for the choices, and means if the values move.
    fn round(&self, levels: &Levels, price: f64, moves: bool) -> Levels {
        let choose = Choice::new(levels, price);
        let mut sums = vec![(0.0, 0.0); levels.values.len()];
        let mut counts = [0.0f64; 2];
        for block in self.each() {
            let is_kept = choose.keeps(block.iter().map(|w| (f64::from(*w), 1.0)));
            counts[usize::from(is_kept)] += 1.0;
            for w in block.iter().filter(|_| is_kept).map(|w| f64::from(*w)) {
                let sum = &mut sums[choose.levels.level(w)];
                *sum = (sum.0 + 1.0, sum.1 + w);
            }
        }
        let total: f64 = sums.iter().map(|s| s.0).sum();
        let length = |n: f64, total: f64| -(n.max(0.5) / total.max(1.0)).log2();
        let flags = Flags { block: self.block, bits: counts.map(|n| length(n, counts[0] + counts[1])) };
        let mut to = Levels {
            values: Vec::new(),
            lengths: Vec::new(),
            codebook: levels.codebook.clone(),
            flags: Some(flags),
            trellis: false,
        };
        for (&value, &(n, sum)) in levels.values.iter().zip(&sums) {
            if value == 0.0 || !moves || n > 0.0 {
                to.values.push(if moves && value != 0.0 { sum / n } else { value });
                to.lengths.push(if value == 0.0 { f64::INFINITY } else { length(n, total) });
            }
        }
        to
    }

    /// Bits per weight and squared error per weight.
    pub(crate) fn measure(&self, levels: &Levels, price: f64) -> (f64, f64) {
        let choose = Choice::new(levels, price);
        let (mut bits, mut error) = (0.0, 0.0);
        for block in self.each() {
            let is_kept = choose.keeps(block.iter().map(|w| (f64::from(*w), 1.0)));
            bits += choose.flags[usize::from(is_kept)];
            for w in block.iter().map(|w| f64::from(*w)) {
                if is_kept {
                    let level = choose.levels.level(w);
                    bits += levels.lengths[level];
                    error += (w - levels.values[level]).powi(2);
                } else {
                    error += w * w;
                }
            }
        }
        let n = self.weights.len().max(1) as f64;
        (bits / n, error / n)
    }
}

fn even_lengths(values: &[f64]) -> Vec<f64> {
    let bits = (values.len().max(2) as f64 - 1.0).log2();
    values.iter().map(|v| if *v == 0.0 { f64::INFINITY } else { bits }).collect()
}

/// Whether blocks are kept.
struct Choice<'l> {
    values: &'l Levels,
    levels: Chooser,
    flags: [f64; 2],
    price: f64,
}

impl<'l> Choice<'l> {
    fn new(levels: &'l Levels, price: f64) -> Self {
        let flags = levels.flags.map_or([0.0; 2], |flags| flags.bits);
        Self { values: levels, levels: Chooser::new(&levels.values, &levels.lengths, price), flags, price }
    }

    /// `block`: its weights, and what an error in each counts for.
    fn keeps(&self, block: impl Iterator<Item = (f64, f64)>) -> bool {
        let gain: f64 = block
            .map(|(w, d)| {
                let level = self.levels.level(w);
                d * (w * w - (w - self.values.values[level]).powi(2))
                    - self.price * self.values.lengths[level]
            })
            .sum();
        gain > self.price * (self.flags[1] - self.flags[0])
    }
}

/// The weights of a matrix that are dropped, `[rows, columns]`: a block goes where that costs less than it saves. `columns` is what
/// an error in a column of that row counts for.
pub(crate) fn dropped(
    shape: &[usize],
    weights: &[f32],
    levels: &Levels,
    price: f64,
    columns: impl Fn(usize) -> f64,
) -> Vec<bool> {
    let mut dropped = vec![false; weights.len()];
    let Some(flags) = levels.flags else { return dropped };
    let choose = Choice::new(levels, price);
    for members in flags.block.members(shape) {
        if !choose.keeps(members.clone().map(|i| (f64::from(weights[i]), columns(i)))) {
            members.for_each(|i| dropped[i] = true);
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights with a peak: the product of two numbers of a sum of uniform ones.
    fn weights(n: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32 + 0.5) / 16_777_216.0
        };
        (0..n).map(|_| -uniform().ln() * if uniform() < 0.5 { -0.02 } else { 0.02 }).collect()
    }

    #[test]
    fn fewer_bits_drop_more_blocks_and_no_kept_weight_is_zero() {
        let (shape, weights) = (vec![100, 40], weights(4000));
        let block = Block::of_inputs(4).unwrap_or_default();
        let sample = Blocks::of(block, &shape, &weights, usize::MAX);
        let mut last = (f64::INFINITY, 0.0, 0);
        for lambda in [1e-3, 1e-2, 5e-2, 2e-1, 1.0] {
            let levels = sample.levels(lambda);
            let price = lambda * sample.mean_square;
            let (bits, error) = sample.measure(&levels, price);
            let gone = dropped(&shape, &weights, &levels, price, |_| 1.0);
            let n_dropped = gone.iter().filter(|gone| **gone).count();
            assert!(
                bits < last.0 && error > last.1 && n_dropped >= last.2,
                "{lambda}: {bits} {error} {n_dropped} {last:?}"
            );
            assert!(block.divides(&shape, &gone), "{lambda}");
            let zero = levels.values.partition_point(|v| *v < 0.0);
            assert!(levels.values[zero] == 0.0 && levels.lengths[zero].is_infinite());
            assert_eq!(levels.codebook.len() + 1, levels.values.len());
            last = (bits, error, n_dropped);
        }
        assert!(last.2 > 2000, "{last:?}");
    }
}
