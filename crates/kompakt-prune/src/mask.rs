//! Which weights are kept: the largest.

use crate::{error::PruneError, target::Target};
use kompakt_model::{Model, Numbers, Parameter};

/// Keeps the `n` weights of largest magnitude; on a tie the earlier one. Zeros are never kept.
pub fn largest(weights: &[f32], n: usize) -> Vec<bool> {
    let mut magnitudes: Vec<f32> = weights.iter().filter(|w| **w != 0.0).map(|w| w.abs()).collect();
    if n == 0 || magnitudes.is_empty() {
        return vec![false; weights.len()];
    }
    let last = n.min(magnitudes.len()) - 1;
    let threshold = *magnitudes.select_nth_unstable_by(last, |a, b| b.total_cmp(a)).1;
    let above = magnitudes.iter().filter(|m| **m > threshold).count();
    let mut ties = last + 1 - above;
    let keep = |w: &f32| {
        let magnitude = w.abs();
        if magnitude == threshold && ties > 0 {
            ties -= 1;
            return true;
        }
        magnitude > threshold
    };
    weights.iter().map(keep).collect()
}

/// The mask of every weight layer at a target, in the order of [`kompakt_graph::Graph::weights`].
pub fn masks(graph: &kompakt_graph::Graph, weights: &[&[f32]], target: &Target) -> Vec<Vec<bool>> {
    target.n_kept(graph, weights).into_iter().zip(weights).map(|(n, weights)| largest(weights, n)).collect()
}

/// The weights of every layer that can be pruned, in the order of [`kompakt_graph::Graph::weights`].
///
/// Errors: weights that are shared already.
pub fn weights_of(model: &Model) -> Result<Vec<Vec<f32>>, PruneError> {
    let weights = |name: &str| match &model.parameters[name] {
        Parameter::Dense { values, .. } => Ok(values.to_f32()),
        Parameter::Shared { .. } => Err(PruneError::AlreadyShared { name: name.to_string() }),
    };
    model.graph.weights().map(|p| weights(&p.name)).collect()
}

/// Prunes a model in one shot, without retraining: sets masks and zeros.
///
/// Errors: weights that are shared already, densities out of range.
pub fn prune(model: &mut Model, target: &Target) -> Result<(), PruneError> {
    target.check(&model.graph)?;
    let weights = weights_of(model)?;
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let masks = masks(&model.graph, &views, target);
    let names: Vec<String> = model.graph.weights().map(|p| p.name.clone()).collect();
    for ((name, mut weights), mask) in names.into_iter().zip(weights).zip(masks) {
        weights.iter_mut().zip(&mask).filter(|(_, kept)| !**kept).for_each(|(w, _)| *w = 0.0);
        let shape = model.parameters[&name].shape().to_vec();
        let mask = mask.contains(&false).then_some(mask);
        model.parameters.insert(name, Parameter::Dense { shape, values: Numbers::F32(weights), mask });
    }
    Ok(())
}
