//! Levels of one layer: the values that its weights may take, zero among them.

use crate::blocks::Flags;
use kompakt_cluster::{Distribution, NumberFormat, entropy_constrained};
use kompakt_model::Numbers;

/// Above this price levels are placed one by one; below it so many are needed that uniform spacing is as
/// good.
const PLACED_FROM: f64 = 1e-2;
/// Other starting points: how many levels on each side of zero, and where the outermost are, in root mean
/// squares.
const STARTS: [(i32, f64); 6] = [(1, 1.2), (1, 2.0), (2, 2.0), (2, 3.0), (3, 3.0), (4, 3.5)];
/// Rounds of improvement with zero held.
const ROUNDS: usize = 12;
/// The most levels besides zero.
const MAX_LEVELS: usize = 255;
/// The most steps from zero to the outermost weight.
const FINEST: f64 = 4096.0;
/// Steps next to zero that all get a level, where not all steps can have one.
const DENSE: i32 = 64;

/// Levels and the bits that each costs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Levels {
    /// Ascending; one is 0.
    pub(crate) values: Vec<f64>,
    /// Bits of each level.
    pub(crate) lengths: Vec<f64>,
    /// How the values other than zero are stored; one fewer than `values`.
    pub(crate) codebook: Numbers,
    /// Where weights are kept or dropped in blocks: then zero is what those of dropped ones are, and no other's level.
    pub(crate) flags: Option<Flags>,
    /// Whether codes follow a trellis.
    pub(crate) trellis: bool,
}

/// A sample of a layer's weights, with the number that each represents.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) pairs: Vec<(f32, f64)>,
    pub(crate) mean_square: f64,
    largest: f64,
}

impl Sample {
    /// At most about `most` weights, evenly sampled, and the two outermost.
    pub(crate) fn of(weights: &[f32], most: usize) -> Self {
        let every = weights.len().div_ceil(most).max(1);
        // A stride that shares no factor with row lengths would repeat a pattern of columns; halves of an odd one do not.
        let every = if every > 1 { every | 1 } else { 1 };
        let mut pairs: Vec<(f32, f64)> = weights.iter().step_by(every).map(|&v| (v, every as f64)).collect();
        let outermost = |a: f32, b: f32| if b.abs() > a.abs() { b } else { a };
        let (low, high) = weights.iter().fold((0f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
        if every > 1 {
            pairs.extend([(low, 1.0), (high, 1.0)]);
        }
        let total: f64 = pairs.iter().map(|p| p.1).sum();
        let square: f64 = pairs.iter().map(|(v, n)| f64::from(*v).powi(2) * n).sum();
        Self { pairs, mean_square: square / total.max(1.0), largest: f64::from(outermost(low, high)).abs() }
    }
}

impl Levels {
    /// Levels for weights when a bit costs `lambda` mean squared weights.
    pub(crate) fn new(sample: &Sample, lambda: f64) -> Self {
        let price = lambda * sample.mean_square;
        // Error and price of evenly spaced levels: the error falls fourfold per bit.
        let step = (12.0 * price / (2.0 * std::f64::consts::LN_2)).sqrt().max(sample.largest / FINEST);
        if sample.mean_square == 0.0 {
            return Self {
                values: vec![0.0],
                lengths: vec![0.0],
                codebook: Numbers::F32(vec![]),
                flags: None,
                trellis: false,
            };
        }
        if lambda < PLACED_FROM {
            return Self::even(sample, step as f32, price);
        }
        let k = ((2.0 * sample.largest / step).ceil() as usize | 1).clamp(3, 63);
        let distribution = Distribution::weighted(sample.pairs.iter().copied());
        let mut found = entropy_constrained(&distribution, k, lambda).centroids;
        hold_zero(&mut found);
        // One start may end in a local optimum: with few bits it may be two levels and nothing pruned.
        let rms = sample.mean_square.sqrt();
        let starts = STARTS.iter().map(|&(half, outermost)| {
            (-half..=half).map(|i| f64::from(i) * outermost * rms / f64::from(half)).collect()
        });
        let settled = |mut values: Vec<f64>| {
            let mut lengths = vec![(values.len() as f64).log2(); values.len()];
            for _ in 0..ROUNDS {
                (values, lengths) = settle(sample, &values, &lengths, price);
            }
            let levels = Self::rounded(sample, &values, &lengths, price);
            let (bits, error) = levels.measure(sample, price);
            (error + price * bits, levels)
        };
        let all = std::iter::once(found).chain(starts).map(settled);
        let best = all.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|b| b.1).unwrap_or_else(|| Self::even(sample, step as f32, price))
    }

    /// Multiples of `step`: all of them, or where they are too many, all near zero and ever sparser ones
    /// beyond.
    fn even(sample: &Sample, step: f32, price: f64) -> Self {
        let magnitudes = magnitudes((sample.largest / f64::from(step)).ceil().max(1.0) as i32);
        let mut integers: Vec<i32> = magnitudes.iter().rev().map(|m| -m).collect();
        integers.extend(&magnitudes);
        let mut values: Vec<f64> = integers.iter().map(|&i| f64::from(i as f32 * step)).collect();
        values.insert(magnitudes.len(), 0.0);
        let mut lengths = vec![(values.len() as f64).log2(); values.len()];
        for _ in 0..3 {
            lengths = counted(sample, &values, &lengths, price).1;
        }
        Self {
            values,
            lengths,
            codebook: Numbers::Scaled { scale: step, integers },
            flags: None,
            trellis: false,
        }
    }

    /// Rounds levels to a codebook whose rounding error is small against the quantisation error.
    fn rounded(sample: &Sample, values: &[f64], lengths: &[f64], price: f64) -> Self {
        let error = counted(sample, values, lengths, price).0;
        let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
        let allowed = (12.0 * 0.03 * error).sqrt().max(1e-9 * largest);
        let bits = ((largest / allowed).log2().ceil() as u32).saturating_add(1).clamp(5, 16);
        let plain: Vec<f32> = values.iter().filter(|v| **v != 0.0).map(|&v| v as f32).collect();
        if plain.is_empty() {
            return Self {
                values: vec![0.0],
                lengths: vec![0.0],
                codebook: Numbers::F32(vec![]),
                flags: None,
                trellis: false,
            };
        }
        let mut codebook = NumberFormat::Int(bits).round(&Numbers::F32(plain));
        let stored = codebook.to_f32();
        let keep: Vec<bool> =
            (0..stored.len()).map(|i| stored[i] != 0.0 && (i == 0 || stored[i] != stored[i - 1])).collect();
        codebook.retain(&keep);
        let mut values: Vec<f64> = codebook.to_f32().iter().map(|&v| f64::from(v)).collect();
        let zero = values.partition_point(|&v| v < 0.0);
        values.insert(zero, 0.0);
        let even = vec![(values.len() as f64).log2(); values.len()];
        let mut lengths = counted(sample, &values, &even, price).1;
        for _ in 0..3 {
            lengths = counted(sample, &values, &lengths, price).1;
        }
        Self { values, lengths, codebook, flags: None, trellis: false }
    }

    /// Bits per weight and squared error per weight on a sample.
    pub(crate) fn measure(&self, sample: &Sample, price: f64) -> (f64, f64) {
        let choose = Chooser::new(&self.values, &self.lengths, price);
        let (mut bits, mut error, mut total) = (0.0, 0.0, 0.0);
        for &(v, n) in &sample.pairs {
            let level = choose.level(f64::from(v));
            bits += n * self.lengths[level];
            error += n * (f64::from(v) - self.values[level]).powi(2);
            total += n;
        }
        (bits / f64::max(total, 1.0), error / f64::max(total, 1.0))
    }
}

/// 1 to `n`, or if those are too many, 1 to [`DENSE`] and then ever larger steps, the last at least `n`.
pub(crate) fn magnitudes(n: i32) -> Vec<i32> {
    let most = (MAX_LEVELS / 2) as i32;
    let mut all: Vec<i32> = (1..=n.min(if n <= most { most } else { DENSE })).collect();
    if n > most {
        let growth = (f64::from(n) / f64::from(DENSE)).powf(1.0 / f64::from(most - DENSE));
        let mut at = f64::from(DENSE);
        for _ in DENSE..most {
            at *= growth;
            all.push((at.ceil() as i32).max(all[all.len() - 1] + 1));
        }
    }
    all
}

/// Chooses the best level for a value: least squared error plus price times bits.
#[derive(Debug, Clone)]
pub(crate) struct Chooser {
    /// Below each bound, ascending, the level of the same index is best; beyond the last bound the last level.
    bounds: Vec<f64>,
    levels: Vec<usize>,
}

impl Chooser {
    pub(crate) fn new(values: &[f64], lengths: &[f64], price: f64) -> Self {
        let mut chooser = Self { bounds: Vec::new(), levels: Vec::new() };
        for level in (0..values.len()).filter(|&i| lengths[i].is_finite()) {
            // Where this level becomes better than the one before; one that is never best is dropped.
            while let Some(&last) = chooser.levels.last() {
                let gap = values[level] - values[last];
                let bound = (values[level] + values[last]) / 2.0
                    + price * (lengths[level] - lengths[last]) / (2.0 * gap);
                if chooser.bounds.last().is_some_and(|&before| bound <= before) {
                    chooser.levels.pop();
                    chooser.bounds.pop();
                } else {
                    chooser.bounds.push(bound);
                    break;
                }
            }
            chooser.levels.push(level);
        }
        chooser
    }

    pub(crate) fn level(&self, value: f64) -> usize {
        let at = self.bounds.partition_point(|&bound| bound < value);
        self.levels.get(at).copied().unwrap_or(0)
    }
}

/// Puts zero among ascending levels: replacing its neighbour, if that is near.
fn hold_zero(values: &mut Vec<f64>) {
    let Some(nearest) = (0..values.len()).min_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs())) else {
        values.push(0.0);
        return;
    };
    let gap = |i: usize| (values[i] - values[nearest]).abs();
    let next = (0..values.len()).filter(|&i| i != nearest).map(gap).fold(f64::INFINITY, f64::min);
    if values[nearest].abs() < 0.4 * next {
        values[nearest] = 0.0;
    } else {
        let at = values.partition_point(|&v| v < 0.0);
        values.insert(at, 0.0);
    }
}

/// One round: codes for the levels, then means and bits for the codes. Zero stays, levels without weights are
/// dropped.
fn settle(sample: &Sample, values: &[f64], lengths: &[f64], price: f64) -> (Vec<f64>, Vec<f64>) {
    let choose = Chooser::new(values, lengths, price);
    let mut sums = vec![(0.0, 0.0); values.len()];
    for &(v, n) in &sample.pairs {
        let sum = &mut sums[choose.level(f64::from(v))];
        *sum = (sum.0 + n, sum.1 + n * f64::from(v));
    }
    let total: f64 = sums.iter().map(|s| s.0).sum();
    let (mut to, mut bits) = (Vec::new(), Vec::new());
    for (&value, &(n, sum)) in values.iter().zip(&sums) {
        if value == 0.0 || n > 0.0 {
            to.push(if value == 0.0 { 0.0 } else { sum / n });
            bits.push(-(n.max(0.5) / total).log2());
        }
    }
    (to, bits)
}

/// Squared error per weight, and bits of each level by its frequency.
fn counted(sample: &Sample, values: &[f64], lengths: &[f64], price: f64) -> (f64, Vec<f64>) {
    let choose = Chooser::new(values, lengths, price);
    let (mut counts, mut error, mut total) = (vec![0.0; values.len()], 0.0, 0.0);
    for &(v, n) in &sample.pairs {
        let level = choose.level(f64::from(v));
        counts[level] += n;
        total += n;
        error += n * (f64::from(v) - values[level]).powi(2);
    }
    let bits = counts.iter().map(|n| -(f64::max(*n, 0.5) / total).log2()).collect();
    (error / f64::max(total, 1.0), bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bell(n: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / 16_777_216.0 - 0.5
        };
        (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f32>() * 0.1).collect()
    }

    /// The choice equals that of trying all levels.
    #[test]
    fn chooses_the_best_level() {
        arbtest::arbtest(|u| {
            let n = u.int_in_range(1..=9)?;
            let mut values: Vec<f64> = Vec::new();
            for _ in 0..n {
                values.push(f64::from(u.int_in_range(-50..=50)?));
            }
            values.sort_by(f64::total_cmp);
            values.dedup();
            let mut lengths = Vec::new();
            for _ in 0..values.len() {
                lengths.push(f64::from(u.int_in_range(0..=12)?));
            }
            let price = f64::from(u.int_in_range(0..=40)?);
            let choose = Chooser::new(&values, &lengths, price);
            for x in -60..60 {
                let x = f64::from(x) + 0.37;
                let cost = |i: usize| (x - values[i]).powi(2) + price * lengths[i];
                let best = (0..values.len()).map(cost).fold(f64::INFINITY, f64::min);
                assert!(cost(choose.level(x)) <= best + 1e-6);
            }
            Ok(())
        });
    }

    #[test]
    fn few_outliers_do_not_make_the_steps_of_all_coarse() {
        assert_eq!(magnitudes(5), [1, 2, 3, 4, 5]);
        assert_eq!(magnitudes(127).len(), 127);
        for n in [128, 300, 4096] {
            let all = magnitudes(n);
            assert!(all.len() == 127 && all.is_sorted_by(|a, b| a < b) && all[63] == 64 && all[126] >= n);
            assert!(all[126] <= n + n / 20 + 1, "{n}: {}", all[126]);
        }
        let mut weights = bell(20_000);
        weights[17] = 8.0;
        let sample = Sample::of(&weights, usize::MAX);
        let levels = Levels::new(&sample, 1e-4);
        let (_, error) = levels.measure(&sample, 1e-4 * sample.mean_square);
        assert!(error < 6e-4 * sample.mean_square, "{}", error / sample.mean_square);
    }

    /// Entropy-coded scalar quantisation of a Gaussian is 0.25 bits above the rate-distortion bound at high
    /// rates, and nearer at low ones.
    #[test]
    fn near_the_bound_for_a_bell_curve() {
        let weights = bell(20_000);
        let sample = Sample::of(&weights, 1 << 13);
        for lambda in [1e-4, 1e-3, 1e-2, 1e-1] {
            let levels = Levels::new(&sample, lambda);
            let (bits, error) = levels.measure(&sample, lambda * sample.mean_square);
            let bound = 0.5 * (sample.mean_square / error).log2();
            assert!(bits < bound + 0.29 && bits > bound - 0.05, "{lambda}: {bits} bits, bound {bound}");
            assert!(levels.values.contains(&0.0) && levels.codebook.len() + 1 == levels.values.len());
        }
    }
}
