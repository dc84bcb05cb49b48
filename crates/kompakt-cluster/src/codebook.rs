//! From centroids to a codebook: rounded, strictly ascending and without a zero.

use crate::number_format::NumberFormat;
use kompakt_model::{Numbers, ascending, move_off_zero};

/// A codebook derived from centroids.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Strictly ascending, none zero; no longer than the centroids.
    pub codebook: Numbers,
    /// The entry for each centroid, in the centroids' order.
    pub entry_of: Vec<u8>,
}

/// Makes a codebook of 1 to 256 finite centroids in any order.
///
/// Centroids are sorted and rounded to `format`; those that become equal share one entry; one that becomes zero is
/// moved to the format's value next to zero, on its own side (above, if it is exactly zero).
pub fn settle(centroids: &[f32], format: NumberFormat) -> Settled {
    let mut codebook = format.round(&Numbers::F32(centroids.to_vec()));
    move_off_zero(&mut codebook, centroids);
    let sorted = ascending(&codebook);
    Settled { codebook: sorted.entries, entry_of: sorted.place_of }
}

/// Makes a codebook with an entry for each centroid, in their order, so that no code changes: where the meaning of a code depends on how many
/// entries lie between it and zero, none may change places with another, be merged or change its sign.
///
/// The first `n_negative` centroids are those below zero, from the outermost inwards; the others are above, from zero outwards. `counts[i]` weights have
/// centroid `i`. The entries are integers of `bits` bits (2 to 24; more where so many entries need them) times a scale. Centroids that have crossed
/// each other meet at their mean by counts, one step apart, and those that crossed zero stop a step before it.
///
/// Shapes: `counts` has the length of `centroids`, all finite, 1 to 256. Panics: `n_negative` is larger than that.
pub fn settle_in_order(centroids: &[f32], counts: &[usize], n_negative: usize, bits: u32) -> Numbers {
    let largest = centroids.iter().fold(0f32, |m, v| m.max(v.abs()));
    let most = (1i32 << (bits.clamp(2, 24) - 1)) - 1;
    let scale = (largest / most as f32).max(f32::MIN_POSITIVE);
    let side = |sign: f64, n: usize, indices: &mut dyn Iterator<Item = usize>| -> Vec<i32> {
        // Room for those further out, if there is any.
        let room = if n as i32 <= most { most + 1 - n as i32 } else { i32::MAX - 256 };
        // From zero outwards: what each is above the least that it can be.
        let above = indices.enumerate().map(|(k, i)| {
            let steps = sign * f64::from(centroids[i]) / f64::from(scale);
            (steps - (k + 1) as f64, counts[i].max(1) as f64)
        });
        let least = |(k, excess): (usize, f64)| {
            let least = (k + 1) as i32 + excess.max(0.0).round() as i32;
            least.min(room + k as i32)
        };
        ascending_means(above).into_iter().enumerate().map(least).collect()
    };
    let below = side(-1.0, n_negative, &mut (0..n_negative).rev());
    let above = side(1.0, centroids.len() - n_negative, &mut (n_negative..centroids.len()));
    Numbers::Scaled { scale, integers: below.iter().rev().map(|m| -m).chain(above).collect() }
}

/// The sequence that does not descend and is nearest to one of values with weights, by squares (isotonic regression by pooling neighbours).
fn ascending_means(values: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    // Mean, weight and length of each run of equal ones.
    let mut runs: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in values {
        let mut run = (value, weight, 1);
        while let Some(&(mean, before, len)) = runs.last()
            && mean >= run.0
        {
            let sum = before + run.1;
            run = ((mean * before + run.0 * run.1) / sum, sum, len + run.2);
            runs.pop();
        }
        runs.push(run);
    }
    runs.into_iter().flat_map(|(mean, _, len)| std::iter::repeat_n(mean, len)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_meet_at_the_largest_take_no_more_bits() {
        for (n, bits) in [(2, 8), (3, 16), (127, 8), (5, 24)] {
            let Numbers::Scaled { integers, .. } = settle_in_order(&vec![1.0; n], &vec![1; n], 0, bits)
            else {
                panic!("integers")
            };
            assert!(integers.is_sorted_by(|a, b| a < b), "{integers:?}");
            assert_eq!(integers.last(), Some(&((1 << (bits - 1)) - 1)));
        }
    }

    #[test]
    fn centroids_in_order_stay_where_they_are() {
        let centroids = [-1.5, -0.4, 0.1, 0.2, 1.0];
        let found = settle_in_order(&centroids, &[1; 5], 2, 12);
        for (found, centroid) in found.to_f32().iter().zip(centroids) {
            assert!((found - centroid).abs() < 1.5 / 2047.0, "{found} {centroid}");
        }
    }

    #[test]
    fn centroids_that_cross_stop_at_each_other_and_at_zero() {
        let found = settle_in_order(&[-0.5, 0.3, -0.2, 0.9, 0.6, 1.27], &[5, 1, 7, 3, 1, 1], 2, 8);
        let Numbers::Scaled { integers, .. } = &found else { panic!("{found:?}") };
        // 0.9 of three weights and 0.6 of one meet at 0.825: 82.5 steps of 0.01.
        assert_eq!(integers, &[-50, -1, 1, 82, 83, 127]);
        // More entries than the bits have integers, and nothing at all.
        for centroids in [vec![0.5; 40], vec![0.0; 9]] {
            let n = centroids.len();
            let found = settle_in_order(&centroids, &vec![1; n], n / 3, 4).to_f32();
            assert!(found.windows(2).all(|w| w[0] < w[1]), "{found:?}");
            assert_eq!(found.iter().filter(|v| **v < 0.0).count(), n / 3);
        }
    }

    #[test]
    fn nearest_ascending_sequence() {
        let values = [(3.0, 1.0), (1.0, 1.0), (2.0, 2.0), (5.0, 1.0), (4.0, 3.0)];
        assert_eq!(ascending_means(values.into_iter()), [2.0, 2.0, 2.0, 4.25, 4.25]);
    }
}
