//! Which weights are kept: the largest.

use crate::{error::PruneError, target::Target};
use kompakt_model::{Block, Model, Numbers, Parameter};

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

/// Keeps the blocks of largest norm, about `n` weights of them: with the last block no further from `n` than without it.
/// On a tie the earlier one; blocks of zeros are never kept. `norms` is what [`Block::norms`] makes of the weights.
fn largest_blocks(block: Block, shape: &[usize], norms: &[f32], n: usize) -> Vec<bool> {
    let mut order: Vec<_> = block
        .members(shape)
        .filter(|members| members.clone().next().is_some_and(|i| norms[i] > 0.0))
        .collect();
    let norm = |members: &std::iter::StepBy<std::ops::Range<usize>>| {
        members.clone().next().map_or(0.0, |first| norms[first])
    };
    order.sort_by(|a, b| norm(b).total_cmp(&norm(a)));
    let (mut mask, mut n_kept) = (vec![false; norms.len()], 0);
    for members in order {
        if 2 * n_kept + members.len() > 2 * n {
            break;
        }
        n_kept += members.len();
        members.for_each(|i| mask[i] = true);
    }
    mask
}

/// The mask of every weight layer at a target, in the order of [`kompakt_graph::Graph::weights`]: blocks are kept or dropped
/// whole, by their norms.
pub fn masks(
    graph: &kompakt_graph::Graph,
    weights: &[&[f32]],
    target: &Target,
    block: Block,
) -> Vec<Vec<bool>> {
    if block.is_single() {
        let kept = target.n_kept(graph, weights);
        return kept.into_iter().zip(weights).map(|(n, weights)| largest(weights, n)).collect();
    }
    let norms = norms(graph, weights, block);
    let views: Vec<&[f32]> = norms.iter().map(Vec::as_slice).collect();
    let kept = target.n_kept(graph, &views);
    let layers = graph.weights().zip(&norms).zip(kept);
    layers.map(|((param, norms), n)| largest_blocks(block, &param.shape, norms, n)).collect()
}

/// The norm of each weight's block, layer by layer.
pub fn norms(graph: &kompakt_graph::Graph, weights: &[&[f32]], block: Block) -> Vec<Vec<f32>> {
    graph.weights().zip(weights).map(|(param, weights)| block.norms(&param.shape, weights)).collect()
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

/// Prunes a model in one shot, without retraining: sets masks, of whole blocks, and zeros.
///
/// Errors: weights that are shared already, densities out of range.
pub fn prune(model: &mut Model, target: &Target, block: Block) -> Result<(), PruneError> {
    target.check(&model.graph)?;
    let weights = weights_of(model)?;
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let masks = masks(&model.graph, &views, target, block);
    let names: Vec<String> = model.graph.weights().map(|p| p.name.clone()).collect();
    for ((name, mut weights), mask) in names.into_iter().zip(weights).zip(masks) {
        weights.iter_mut().zip(&mask).filter(|(_, kept)| !**kept).for_each(|(w, _)| *w = 0.0);
        let shape = model.parameters[&name].shape().to_vec();
        let mask = mask.contains(&false).then_some(mask);
        model.parameters.insert(name, Parameter::Dense { shape, values: Numbers::F32(weights), mask });
    }
    Ok(())
}
