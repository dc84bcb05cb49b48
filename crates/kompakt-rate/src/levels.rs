//! Shared values: their initialisation, the assignment of weights, and the grid they are on.
//!
//! ```text
//! cost of level c for weight w = curvature / 2 (w - c)^2 + price x bits(c)
//! ```
//!
//! Values of a layer are integers times a power of two, so that the file holds a few bits each.

use crate::{
    code_length::of_levels,
    layer::{SparseLayer, Trained},
};

/// Rounds of k-means at the start.
const ROUNDS: usize = 40;

/// The power of two whose multiples, up to `2^(bits-1) - 1` of them in either direction, reach the largest
/// value.
pub(crate) fn grid(values: &[f32], bits: u32) -> f32 {
    let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let most = ((1i32 << (bits - 1)) - 1) as f32;
    let mut step = 2.0f32.powi(-40);
    while step * most < largest && step < 1e20 {
        step *= 2.0;
    }
    step
}

/// `values` on a grid, none of them zero.
#[inline(always)]
pub(crate) fn on_grid(values: &[f32], step: f32, to: &mut [f32]) {
    for (to, &value) in to.iter_mut().zip(values) {
        let n = (value / step).round();
        *to = if n == 0.0 { step.copysign(value) } else { n * step };
    }
}

/// Gives a layer levels: weighted k-means on each side of zero, with levels in proportion to the side's
/// weights.
///
/// `curvature` has one value per connection.
pub(crate) fn begin(layer: &mut SparseLayer, n_levels: usize, curvature: &[f32], bits: u32) {
    let side = |is_negative: bool| {
        let mut found: Vec<(f32, f32)> = layer
            .weight
            .latent
            .iter()
            .zip(curvature)
            .filter(|(w, _)| (**w < 0.0) == is_negative)
            .map(|(w, c)| (*w, c.max(1e-20)))
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found
    };
    let (negative, positive) = (side(true), side(false));
    let share = negative.len() as f32 / layer.len().max(1) as f32;
    let least = usize::from(!negative.is_empty());
    let most = n_levels - usize::from(!positive.is_empty() && n_levels > 1);
    let n_negative = ((share * n_levels as f32).round() as usize).clamp(least.min(most), most);
    let mut levels = k_means(&negative, n_negative);
    levels.extend(k_means(&positive, n_levels - n_negative));
    if levels.is_empty() {
        levels.push(1.0);
    }
    layer.level_value = vec![0.0; levels.len()];
    on_grid(&levels, grid(&levels, bits), &mut layer.level_value);
    layer.level = Trained::new(levels);
    layer.code = vec![0; layer.len()];
    assign(layer, &[], 0.0);
}

/// Centres of weighted values in ascending order, at most as many as there are values.
fn k_means(numbers: &[(f32, f32)], k: usize) -> Vec<f32> {
    let k = k.min(numbers.len());
    // Start: equal shares of the values.
    let mut centres: Vec<f32> = (0..k).map(|i| numbers[(2 * i + 1) * numbers.len() / (2 * k)].0).collect();
    for _ in 0..ROUNDS {
        let mut sums = vec![(0.0f64, 0.0f64); k];
        for (x, weight) in numbers {
            let (at, _) = nearest(*x, &centres, &[]);
            sums[at].0 += f64::from(*weight) * f64::from(*x);
            sums[at].1 += f64::from(*weight);
        }
        for (centre, (sum, weight)) in centres.iter_mut().zip(sums) {
            if weight > 0.0 {
                *centre = (sum / weight) as f32;
            }
        }
    }
    centres
}

/// The level of least `(x - level)^2 + extra`, and that cost; the first on a tie. An empty `extra` is zero.
#[inline(always)]
fn nearest(x: f32, levels: &[f32], extra: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::INFINITY);
    for (i, level) in levels.iter().enumerate() {
        let cost = (x - level) * (x - level) + extra.get(i).copied().unwrap_or(0.0);
        if cost < best.1 {
            best = (i, cost);
        }
    }
    best
}

/// Assigns the level of least cost to every connection that is not settled. Without curvatures, the nearest.
///
/// `curvature` has one value per connection; `price` is that of a bit, in units of the loss.
pub(crate) fn assign(layer: &mut SparseLayer, curvature: &[f32], price: f32) {
    let bits = of_levels(layer);
    let mut extra = vec![0.0; bits.len()];
    for i in 0..layer.len() {
        if !layer.is_settled[i] {
            if let Some(curvature) = curvature.get(i) {
                let worth = 2.0 * price / curvature.max(1e-20);
                extra.iter_mut().zip(&bits).for_each(|(e, b)| *e = worth * b);
            }
            let (code, _) = nearest(layer.weight.latent[i], &layer.level_value, &extra);
            layer.code[i] = code as u8;
        }
        layer.value[i] = layer.level_value[usize::from(layer.code[i])];
    }
}

/// The objective of [`assign`], with the current bits of levels.
#[cfg(test)]
pub(crate) fn cost(layer: &SparseLayer, bits: &[f32], curvature: &[f32], price: f32) -> f32 {
    (0..layer.len())
        .map(|i| {
            let miss = layer.weight.latent[i] - layer.value[i];
            0.5 * curvature[i] * miss * miss + price * bits[usize::from(layer.code[i])]
        })
        .sum()
}

/// Effective values from trained ones: shared weights, levels and biases rounded to their grids.
#[inline(always)]
pub(crate) fn use_shared(layer: &mut SparseLayer, level_step: f32, bias_step: f32) {
    on_grid(&layer.level.latent, level_step, &mut layer.level_value);
    let levels = &layer.level_value;
    let settled = layer.is_settled.iter().zip(&mut layer.code);
    for ((value, &latent), (&is_settled, code)) in
        layer.value.iter_mut().zip(&layer.weight.latent).zip(settled)
    {
        if !is_settled {
            *code = nearest(latent, levels, &[]).0 as u8;
        }
        *value = levels[usize::from(*code)];
    }
    for (value, latent) in layer.bias_value.iter_mut().zip(&layer.bias.latent) {
        *value = (latent / bias_step).round() * bias_step;
    }
}

/// Sums the gradients of shared weights by level.
#[inline(always)]
pub(crate) fn sum_gradients(layer: &mut SparseLayer) {
    for (gradient, &code) in layer.weight.gradient.iter().zip(&layer.code) {
        layer.level.gradient[usize::from(code)] += gradient;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Geometry;

    fn layer(weights: &[f32]) -> SparseLayer {
        let geometry = Geometry {
            name: "fc".to_string(),
            shape: vec![1, weights.len()],
            tap: (0..weights.len() as u32).collect(),
            base: vec![0],
            grid: (1, 1),
            groups: 1,
            apart: 0,
        };
        let mut layer = SparseLayer::new(&geometry, weights, vec![0.0]);
        layer.refresh(&geometry, true);
        layer
    }

    fn weights(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * 7919 % n) as f32 / n as f32 - 0.4) * if i % 3 == 0 { 1.0 } else { 0.3 } + 1e-4)
            .collect()
    }

    #[test]
    fn assignment_never_worsens_its_own_objective() {
        let curvature: Vec<f32> = (0..500).map(|i| 0.1 + (i % 13) as f32).collect();
        for price in [0.0, 1e-3, 1e-2, 1e-1] {
            let mut layer = layer(&weights(500));
            begin(&mut layer, 6, &curvature, 8);
            for _ in 0..4 {
                let bits = of_levels(&layer);
                let before = cost(&layer, &bits, &curvature, price);
                assign(&mut layer, &curvature, price);
                assert!(cost(&layer, &bits, &curvature, price) <= before * (1.0 + 1e-5));
            }
        }
    }

    #[test]
    fn bits_fall_with_the_price() {
        let curvature = vec![1.0; 500];
        let bits_at = |price: f32| {
            let mut layer = layer(&weights(500));
            begin(&mut layer, 6, &curvature, 8);
            for _ in 0..4 {
                assign(&mut layer, &curvature, price);
            }
            let bits = of_levels(&layer);
            layer.code.iter().map(|&c| bits[usize::from(c)]).sum::<f32>()
        };
        let found: Vec<f32> = [0.0, 1e-3, 1e-2].into_iter().map(bits_at).collect();
        assert!(found[0] > found[1] && found[1] > found[2], "{found:?}");
    }

    #[test]
    fn levels_lie_on_their_grid_and_none_is_zero() {
        let mut layer = layer(&weights(300));
        begin(&mut layer, 8, &[1.0; 300], 5);
        let step = grid(&layer.level.latent, 5);
        for level in &layer.level_value {
            assert!(*level != 0.0 && (level / step).fract() == 0.0 && (level / step).abs() <= 15.0);
        }
    }
}
