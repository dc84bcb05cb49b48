//! Rate and distortion of a layer at every price of a bit.

use crate::{
    Progress,
    blocks::Blocks,
    layer::DenseLayer,
    levels::{Levels, Sample},
};
use kompakt_model::Block;
use rayon::prelude::*;

/// Weights of a layer that are sampled to place its levels.
const SAMPLE: usize = 1 << 12;
/// The lowest price of a bit, in mean squared weights: about eight bits.
const CHEAPEST: f64 = 2e-5;
/// The ratio of one price to the one before.
const STEP: f64 = 1.25;
/// Number of prices: up to about 1.
const N_POINTS: usize = 49;

/// A layer at one price.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// The price of a bit, in mean squared weights.
    pub(crate) lambda: f64,
    pub(crate) levels: Levels,
    /// Bits of the complete layer, its codebook included: an estimate from the frequency of each level.
    pub(crate) bits: f64,
    /// Squared error relative to the layer's energy.
    pub(crate) error: f64,
}

/// The points of a layer, the most bits first; each error is below the line between its neighbours.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) points: Vec<Point>,
}

impl Curve {
    /// Of a layer whose weights are kept or dropped in blocks.
    fn of_blocks(block: Block, layer: &DenseLayer) -> Self {
        let sample = Blocks::of(block, &layer.shape, &layer.weights, SAMPLE);
        let n = layer.weights.len() as f64;
        let point = |i: usize| {
            let lambda = CHEAPEST * STEP.powi(i as i32);
            let levels = sample.levels(lambda);
            let (bits, error) = sample.measure(&levels, lambda * sample.mean_square);
            let bits = n * bits + 8.0 * levels.codebook.len() as f64;
            let error = if sample.mean_square > 0.0 { error / sample.mean_square } else { 0.0 };
            Point { lambda, levels, bits, error }
        };
        Self { points: convex((0..N_POINTS).into_par_iter().map(point).collect()) }
    }

    pub(crate) fn of(weights: &[f32]) -> Self {
        let sample = Sample::of(weights, SAMPLE);
        let n = weights.len() as f64;
        let point = |i: usize| {
            let lambda = CHEAPEST * STEP.powi(i as i32);
            let levels = Levels::new(&sample, lambda);
            let (bits, error) = levels.measure(&sample, lambda * sample.mean_square);
            // A codebook entry takes about a byte.
            let bits = n * bits + 8.0 * levels.codebook.len() as f64;
            let error = if sample.mean_square > 0.0 { error / sample.mean_square } else { 0.0 };
            Point { lambda, levels, bits, error }
        };
        Self { points: convex((0..N_POINTS).into_par_iter().map(point).collect()) }
    }

    /// The point of least error times `weight` plus `price` times bits. An error that is no longer small
    /// counts for more than its size: `weight` describes small ones, and a layer that has lost most of its
    /// energy is another layer.
    pub(crate) fn best(&self, weight: f64, price: f64) -> usize {
        let harm = |error: f64| error / (1.0 - error).max(1e-3).powi(2);
        let cost = |p: &Point| weight * harm(p.error) + price * p.bits;
        (0..self.points.len())
            .min_by(|&a, &b| cost(&self.points[a]).total_cmp(&cost(&self.points[b])))
            .unwrap_or(0)
    }
}

/// The curves of all layers, with blocks in those that have more than one input channel.
pub(crate) fn curves(layers: &[DenseLayer], block: Block, progress: &Progress<'_>) -> Vec<Curve> {
    let n = layers.len() as f64;
    let curve = |(i, layer): (usize, &DenseLayer)| {
        progress("placing levels", i as f64 / n);
        let has_blocks = !block.is_single() && layer.shape.get(1).is_some_and(|channels| *channels > 1);
        if has_blocks { Curve::of_blocks(block, layer) } else { Curve::of(&layer.weights) }
    };
    layers.iter().enumerate().map(curve).collect()
}

/// The lower convex hull of points: no mixture of two others has less error for as many bits. The most bits first.
fn convex(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.error.total_cmp(&b.error)));
    let mut hull: Vec<Point> = Vec::new();
    for point in points {
        // Fewer bits and no more error: the one before is dominated.
        while hull.last().is_some_and(|last| last.error >= point.error) {
            hull.pop();
        }
        if hull.last().is_some_and(|last| last.bits <= point.bits) {
            continue;
        }
        while let [.., a, b] = &hull[..]
            && (b.error - a.error) * (a.bits - point.bits) >= (point.error - a.error) * (a.bits - b.bits)
        {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Weights as trained layers have them: a sharp peak and long tails.
    pub(crate) fn peaked(n: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32 + 0.5) / 16_777_216.0
        };
        (0..n).map(|_| -uniform().ln() * if uniform() < 0.5 { -0.02 } else { 0.02 }).collect()
    }

    /// Between one and 1.6 bits a weight there are points with pruned weights, and each saves what it costs.
    #[test]
    fn convex_and_without_a_hole_at_few_bits() {
        let weights = peaked(20_000);
        let curve = Curve::of(&weights);
        let slopes: Vec<f64> =
            curve.points.windows(2).map(|p| (p[1].error - p[0].error) / (p[0].bits - p[1].bits)).collect();
        assert!(slopes.is_sorted() && slopes[0] > 0.0, "{slopes:?}");
        let n = weights.len() as f64;
        let rates: Vec<f64> = curve.points.iter().map(|p| p.bits / n).collect();
        assert!(rates.windows(2).all(|r| r[0] - r[1] < 0.35 || r[0] > 3.0), "{rates:?}");
        assert!(rates.iter().filter(|r| **r > 1.0 && **r < 1.6).count() >= 3, "{rates:?}");
        for p in curve.points.iter().filter(|p| p.bits < 1.6 * n) {
            let levels = &p.levels;
            let choose = levels.measure(&Sample::of(&weights, usize::MAX), 0.0).1;
            assert!(levels.values.contains(&0.0) && choose.is_finite());
            let zero = levels.values.partition_point(|v| *v < 0.0);
            assert!(levels.lengths[zero] < 1.5, "{:?} {:?}", levels.values, levels.lengths);
        }
    }
}
