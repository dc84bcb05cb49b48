//! The original and its compressed form on the same labelled images: the loss, and how certain it is.
//!
//! ```text
//!                     compressed right   compressed wrong
//! original right            a                  lost
//! original wrong          gained                 d
//!
//! loss of accuracy = (lost - gained) / n
//! ```
//!
//! A few images say little: where none of 66 is lost, the network may still lose 3.9 points on others. [`Paired::bound`] is
//! the largest loss that the counts do not contradict, with one-sided confidence of 95 %.
//!
//! Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
//! design" (the score interval, one side of it).

use crate::{evaluation::rank, network::classes};
use std::collections::BTreeMap;

/// The 95 % quantile of the normal distribution.
const Z: f64 = 1.644_853_626_951_472_7;

/// Counts over images that both networks answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paired {
    /// Images.
    pub n: usize,
    /// Right by the original.
    pub n_before: usize,
    /// Right by the compressed network.
    pub n_after: usize,
    /// Right before, wrong after.
    pub n_lost: usize,
    /// Wrong before, right after.
    pub n_gained: usize,
    /// The same class by both.
    pub n_same: usize,
    /// Images on which the two would agree if they were independent, times `n`.
    pub by_chance: usize,
}

impl Paired {
    /// Counts. `original` and `compressed` are the answers to `n` images, `[n, classes]`; right is an image whose label is among
    /// the `k` likeliest classes, and without labels one whose class is the original's.
    pub fn of(original: &[f32], compressed: &[f32], labels: &[usize], n: usize, k: usize) -> Self {
        let mut found = Self::alike(&classes(original, n), &classes(compressed, n));
        if !labels.is_empty() {
            let each = original.len() / n.max(1);
            let right = |answers: &[f32]| -> Vec<bool> {
                answers.chunks_exact(each.max(1)).zip(labels).map(|(a, &label)| rank(a, label) < k).collect()
            };
            let outcomes = || right(original).into_iter().zip(right(compressed));
            let count = |wanted: fn((bool, bool)) -> bool| outcomes().filter(|&o| wanted(o)).count();
            found.n_before = count(|(before, _)| before);
            found.n_after = count(|(_, after)| after);
            found.n_lost = count(|(before, after)| before && !after);
            found.n_gained = count(|(before, after)| !before && after);
        }
        found
    }

    /// Counts answers of which the original's are right: classes, or texts.
    pub(crate) fn alike<T: Ord>(original: &[T], compressed: &[T]) -> Self {
        let n = original.len();
        let n_same = original.iter().zip(compressed).filter(|(a, b)| a == b).count();
        Self {
            n,
            n_before: n,
            n_after: n_same,
            n_lost: n - n_same,
            n_gained: 0,
            n_same,
            by_chance: coincidences(original, compressed),
        }
    }

    /// A count as a share of all images.
    pub fn share(&self, count: usize) -> f64 {
        count as f64 / self.n.max(1) as f64
    }

    /// Accuracy before minus accuracy after, -1 to 1.
    pub fn drop(&self) -> f64 {
        self.share(self.n_before) - self.share(self.n_after)
    }

    /// The largest loss that the counts do not contradict: one-sided confidence of 95 %. 1 where there are no images.
    pub fn bound(&self) -> f64 {
        if self.n == 0 {
            return 1.0;
        }
        let (mut low, mut high) = (self.drop().clamp(-1.0, 1.0), 1.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.score(middle) > -Z { low = middle } else { high = middle }
        }
        high
    }

    /// How far the counts are from a loss of `delta`, in standard deviations.
    fn score(&self, delta: f64) -> f64 {
        let (n, lost, gained) = (self.n as f64, self.n_lost as f64, self.n_gained as f64);
        // The maximum-likelihood share of gained images, if the loss is delta.
        let a = 2.0 * n;
        let b = (2.0 * n - lost + gained) * delta - lost - gained;
        let c = -gained * delta * (1.0 - delta);
        let share = ((b * b - 4.0 * a * c).max(0.0).sqrt() - b) / (2.0 * a);
        let variance = n * (2.0 * share + delta * (1.0 - delta));
        (lost - gained - n * delta) / variance.max(1e-12).sqrt()
    }

    /// The fewest images that can show a loss of at most `drop` (above 0): that many, if none of them is
    /// lost.
    pub fn needed(drop: f64) -> usize {
        (Z * Z * (1.0 - drop) / drop).ceil().max(1.0) as usize
    }

    /// Whether the two agree no more than independent networks would.
    pub fn is_unrelated(&self) -> bool {
        is_chance(self.n_same, self.by_chance as f64 / self.n.max(1) as f64, self.n)
    }
}

/// Pairs of images, one of each list, of the same class: `n` times the hits expected by chance.
fn coincidences<T: Ord>(a: &[T], b: &[T]) -> usize {
    fn count<T: Ord>(all: &[T]) -> BTreeMap<&T, usize> {
        let mut counts = BTreeMap::new();
        all.iter().for_each(|answer| *counts.entry(answer).or_insert(0) += 1);
        counts
    }
    let (a, b) = (count(a), count(b));
    a.iter().map(|(class, n)| n * b.get(class).copied().unwrap_or(0)).sum()
}

/// Whether `n_hits` of `n` are no more than the `expected` hits of chance, given its variance.
pub(crate) fn is_chance(n_hits: usize, expected: f64, n: usize) -> bool {
    let share = (expected / n.max(1) as f64).clamp(0.0, 1.0);
    // With few images, only as many hits as expected are chance.
    let scatter = if n < 20 { 0.0 } else { Z * (n as f64 * share * (1.0 - share)).sqrt() };
    n > 0 && share < 1.0 && n_hits as f64 <= expected + scatter
}

/// Whether answers to labelled images are no better than chance: the same answers, assigned to images at
/// random, would be right as often. Where all images are of one class, chance is one of `n_classes`.
///
/// Shapes: `answers` `[n, n_classes]`.
pub fn no_better_than_chance(answers: &[f32], labels: &[usize], n_classes: usize) -> bool {
    let n = labels.len();
    let given = classes(answers, n);
    let n_right = given.iter().zip(labels).filter(|(a, b)| a == b).count();
    let is_one_class = labels.windows(2).all(|w| w[0] == w[1]);
    let expected = match is_one_class {
        true => n as f64 / n_classes.max(1) as f64,
        false => coincidences(&given, labels) as f64 / n.max(1) as f64,
    };
    is_chance(n_right, expected, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paired(n: usize, n_lost: usize, n_gained: usize) -> Paired {
        let n_before = n - n_gained;
        Paired { n, n_lost, n_gained, n_before, n_after: n_before + n_gained - n_lost, ..Paired::default() }
    }

    /// Where nothing is lost or gained, the bound has a closed form: z² / (n + z²).
    #[test]
    fn no_loss_on_few_images_is_no_proof() {
        for n in [10, 66, 299, 5000] {
            let expected = Z * Z / (n as f64 + Z * Z);
            assert!((paired(n, 0, 0).bound() - expected).abs() < 1e-9);
        }
        assert!(paired(66, 0, 0).bound() > 0.039);
        for drop in [0.001, 0.01, 0.1] {
            let n = Paired::needed(drop);
            assert!(paired(n, 0, 0).bound() <= drop && paired(n - 1, 0, 0).bound() > drop);
        }
    }

    /// The example of the paper: 44 patients, one discordant pair; its score for a difference of 0.1 is 1.709, and the lower
    /// end of its 90 % interval -0.096.
    #[test]
    fn the_papers_example() {
        assert!((paired(44, 1, 0).score(0.1) + 1.709).abs() < 1e-3);
        assert!((paired(44, 1, 0).bound() - 0.096).abs() < 1e-3);
    }

    /// Drawn from networks whose loss is known, the bound is above it in about 95 of 100 draws.
    #[test]
    fn the_bound_covers_what_is_true() {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        for (n, lost, gained) in
            [(300, 0.02, 0.01), (1000, 0.01, 0.002), (500, 0.03, 0.03), (2000, 0.004, 0.001)]
        {
            let mut n_covered = 0;
            for _ in 0..1000 {
                let (mut n_lost, mut n_gained) = (0, 0);
                for _ in 0..n {
                    let u = uniform();
                    n_lost += usize::from(u < lost);
                    n_gained += usize::from(u >= lost && u < lost + gained);
                }
                n_covered += usize::from(paired(n, n_lost, n_gained).bound() >= lost - gained);
            }
            assert!((925..=985).contains(&n_covered), "{n_covered} of 1000 with {n}, {lost}, {gained}");
        }
    }

    #[test]
    fn chance_is_told_from_knowledge() {
        let one_hot = |classes: &[usize]| -> Vec<f32> {
            classes.iter().flat_map(|&c| (0..4).map(move |i| f32::from(u8::from(i == c)))).collect()
        };
        let labels: Vec<usize> = (0..100).map(|i| i % 4).collect();
        let shifted: Vec<usize> = labels.iter().map(|l| (l + 1) % 4).collect();
        let random: Vec<usize> = (0..100).map(|i| (i * i / 7 + i / 3) % 4).collect();
        let good: Vec<usize> = (0..100).map(|i| if i % 2 == 0 { i % 4 } else { 0 }).collect();
        assert!(no_better_than_chance(&one_hot(&shifted), &labels, 4));
        assert!(no_better_than_chance(&one_hot(&random), &labels, 4));
        assert!(no_better_than_chance(&one_hot(&[2; 100]), &labels, 4));
        assert!(!no_better_than_chance(&one_hot(&good), &labels, 4));
        assert!(!no_better_than_chance(&one_hot(&[2; 100]), &[2; 100], 4));
        assert!(no_better_than_chance(&one_hot(&[1; 100]), &[2; 100], 4));
        assert!(!no_better_than_chance(&one_hot(&[0, 1]), &[0, 1], 4));
        let p = Paired::of(&one_hot(&labels), &one_hot(&random), &[], 100, 1);
        assert!(p.is_unrelated() && p.n_before == 100 && p.n_lost == 100 - p.n_same);
    }
}
