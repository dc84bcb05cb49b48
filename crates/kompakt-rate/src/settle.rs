//! The passage from free weights to a few levels: their start, and the order in which they become fixed.

use crate::{layer::SparseLayer, levels, options::Options};

/// Gives a layer levels and its biases a grid; returns the two grids.
pub(crate) fn begin_levels(layer: &mut SparseLayer, n_levels: usize, options: &Options) -> (f32, f32) {
    let curvature = layer.weight.second.clone();
    levels::begin(layer, n_levels, &curvature, options.level_bits);
    let level_step = levels::grid(&layer.level.latent, options.level_bits);
    let bias_step = levels::grid(&layer.bias.latent, options.bias_bits);
    levels::use_shared(layer, level_step, bias_step);
    (level_step, bias_step)
}

/// The curvature of each connection.
pub(crate) fn curvature(layer: &SparseLayer, batch: f32) -> Vec<f32> {
    layer.weight.second.iter().map(|v| v * batch).collect()
}

/// Fixes the levels of a part of a layer's connections, the ones closest to a level first, each at the level
/// of least cost.
pub(crate) fn settle(layer: &mut SparseLayer, part: f64, batch: f32, price: f32) {
    let curvature = curvature(layer, batch);
    levels::assign(layer, &curvature, price);
    let mut miss: Vec<(f32, usize)> =
        (0..layer.len()).map(|i| ((layer.weight.latent[i] - layer.value[i]).abs(), i)).collect();
    miss.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let wanted = (layer.len() as f64 * part).ceil() as usize;
    let mut n = layer.is_settled.iter().filter(|s| **s).count();
    for (_, i) in miss {
        if n >= wanted {
            break;
        }
        if !layer.is_settled[i] {
            layer.is_settled[i] = true;
            n += 1;
        }
    }
}
