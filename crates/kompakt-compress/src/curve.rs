//! What a layer costs and loses at every price of a bit.

use crate::levels::{Levels, Sample};
use rayon::prelude::*;

/// Weights of a layer that are looked at to place its levels.
const SAMPLE: usize = 1 << 12;
/// The lowest price of a bit, in mean squared weights: about eight bits.
const CHEAPEST: f64 = 2e-5;
/// From one price to the next.
const STEP: f64 = 1.25;
/// Prices that are tried: up to about 1.
const N_POINTS: usize = 49;

/// A layer at one price.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// What a bit costs, in mean squared weights.
    pub(crate) lambda: f64,
    pub(crate) levels: Levels,
    /// Bits of the whole layer, its codebook included: an estimate from how often each level is taken.
    pub(crate) bits: f64,
    /// Squared error as a part of the layer's energy.
    pub(crate) error: f64,
}

/// All points of a layer, the most bits first.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) points: Vec<Point>,
}

impl Curve {
    pub(crate) fn of(weights: &[f32]) -> Self {
        let sample = Sample::of(weights, SAMPLE);
        let n = weights.len() as f64;
        let point = |i: usize| {
            let lambda = CHEAPEST * STEP.powi(i as i32);
            let levels = Levels::new(&sample, lambda);
            let (bits, error) = levels.measure(&sample, lambda * sample.mean_square);
            // A number of a codebook takes about a byte.
            let bits = n * bits + 8.0 * levels.codebook.len() as f64;
            let error = if sample.mean_square > 0.0 { error / sample.mean_square } else { 0.0 };
            Point { lambda, levels, bits, error }
        };
        Self { points: (0..N_POINTS).into_par_iter().map(point).collect() }
    }

    /// The point of least error times `weight` plus `price` times bits. An error that is no longer small counts for more than
    /// its size: `weight` tells what small ones do, and a layer without most of its energy is another layer.
    pub(crate) fn best(&self, weight: f64, price: f64) -> usize {
        let felt = |error: f64| error / (1.0 - error).max(1e-3).powi(2);
        let cost = |p: &Point| weight * felt(p.error) + price * p.bits;
        (0..self.points.len())
            .min_by(|&a, &b| cost(&self.points[a]).total_cmp(&cost(&self.points[b])))
            .unwrap_or(0)
    }
}
