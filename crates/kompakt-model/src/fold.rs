//! Batch norms folded away: into the layer before, or into a scale and a bias.

use crate::{error::CheckpointError, model::Model, parameter::Parameter};
use kompakt_graph::{Graph, Node, Op};
use kompakt_numbers::Numbers;
use std::collections::BTreeMap;

/// The same network without batch norms, to be done before anything shares or packs weights.
///
/// With `s = weight / sqrt(running_var + eps)`, a batch norm is `y = s x + (bias - s running_mean)`, channel by
/// channel. Where a linear or convolution layer comes right before it and nothing else reads that layer, its weights
/// are multiplied by `s` and its bias takes the rest; the mask stays. Elsewhere, and where the layer's weights are
/// shared already, the batch norm becomes a [`Op::ScaleBias`] of the same name. Sums are done in f64.
///
/// Errors: as [`Model::check`]; a variance below 0.
pub fn fold_batch_norm(model: &Model) -> Result<Model, CheckpointError> {
    model.check()?;
    let mut folded = model.clone();
    let (inputs, mut nodes, mut outputs) = model.graph.clone().into_parts();
    let mut removed = Vec::new();
    for (index, node) in model.graph.nodes().iter().enumerate() {
        let Op::BatchNorm { eps } = node.op else { continue };
        let (scale, shift) = scale_and_shift(&mut folded.parameters, &node.name, eps)?;
        match foldable(&folded, &model.graph, node) {
            Some(layer) => {
                let name = nodes[layer].name.clone();
                multiply(&mut folded.parameters, &name, &scale, &shift);
                if let Op::Linear { bias, .. } | Op::Conv2d { bias, .. } = &mut nodes[layer].op {
                    *bias = true;
                }
                removed.push(index);
            }
            None => {
                nodes[index].op = Op::ScaleBias;
                let f32s =
                    |v: Vec<f64>| Parameter::dense(vec![v.len()], v.iter().map(|&x| x as f32).collect());
                folded.parameters.insert(format!("{}.weight", node.name), f32s(scale));
                folded.parameters.insert(format!("{}.bias", node.name), f32s(shift));
            }
        }
    }
    let new_value = remove(&model.graph, &removed, &mut nodes, &mut outputs);
    let sizes = model.graph.sizes().map(|sizes| sizes.renumbered(&new_value));
    let graph = Graph::new(inputs, nodes, outputs).and_then(|graph| graph.with_sizes(sizes));
    folded.graph = graph.map_err(CheckpointError::from)?;
    folded.check()?;
    Ok(folded)
}

/// Removes a batch norm's parameters and computes its scale and shift per channel.
fn scale_and_shift(
    parameters: &mut BTreeMap<String, Parameter>,
    name: &str,
    eps: f32,
) -> Result<(Vec<f64>, Vec<f64>), CheckpointError> {
    let mut take = |suffix: &str| -> Result<Vec<f64>, CheckpointError> {
        let name = format!("{name}.{suffix}");
        let found = parameters.remove(&name).ok_or_else(|| CheckpointError::tensor(&name, "missing"))?;
        Ok(found.to_f32().into_iter().map(f64::from).collect())
    };
    let (weight, bias) = (take("weight")?, take("bias")?);
    let (mean, variance) = (take("running_mean")?, take("running_var")?);
    if let Some(channel) = variance.iter().position(|v| *v < 0.0) {
        let problem = format!("channel {channel} has a variance of {}; none is below 0", variance[channel]);
        return Err(CheckpointError::tensor(&format!("{name}.running_var"), problem));
    }
    let scale: Vec<f64> =
        weight.iter().zip(&variance).map(|(w, v)| w / (v + f64::from(eps)).sqrt()).collect();
    let shift = (0..scale.len()).map(|c| bias[c] - scale[c] * mean[c]).collect();
    Ok((scale, shift))
}

/// The layer that a batch norm can be folded into.
fn foldable(model: &Model, graph: &Graph, node: &Node) -> Option<usize> {
    let value = node.inputs[0];
    let layer = graph.producer(value)?;
    let is_layer = matches!(graph.nodes()[layer].op, Op::Linear { .. } | Op::Conv2d { .. });
    let read_once = graph.consumers(value).count() == 1 && !graph.outputs().contains(&value);
    let weight = model.parameters.get(&format!("{}.weight", graph.nodes()[layer].name));
    let is_dense = matches!(weight, Some(Parameter::Dense { .. }));
    (is_layer && read_once && is_dense).then_some(layer)
}

/// `weight[o, …] *= scale[o]`, `bias[o] = bias[o] * scale[o] + shift[o]`.
fn multiply(parameters: &mut BTreeMap<String, Parameter>, layer: &str, scale: &[f64], shift: &[f64]) {
    if let Some(Parameter::Dense { values, .. }) = parameters.get_mut(&format!("{layer}.weight")) {
        let mut weights = values.to_f32();
        let each = weights.len() / scale.len();
        for (row, s) in weights.chunks_mut(each).zip(scale) {
            row.iter_mut().for_each(|w| *w = (f64::from(*w) * s) as f32);
        }
        *values = Numbers::F32(weights);
    }
    let bias = match parameters.get(&format!("{layer}.bias")) {
        Some(bias) => bias.to_f32(),
        None => vec![0.0; scale.len()],
    };
    let bias = bias.iter().zip(scale.iter().zip(shift)).map(|(&b, (s, t))| (f64::from(b) * s + t) as f32);
    parameters.insert(format!("{layer}.bias"), Parameter::dense(vec![scale.len()], bias.collect()));
}

/// Removes nodes of one input; their readers read that input instead. The new number of each value.
fn remove(graph: &Graph, removed: &[usize], nodes: &mut Vec<Node>, outputs: &mut [usize]) -> Vec<usize> {
    let n_inputs = graph.inputs().len();
    let mut new_value: Vec<usize> = (0..n_inputs).collect();
    let mut next = n_inputs;
    for (index, node) in graph.nodes().iter().enumerate() {
        if removed.contains(&index) {
            new_value.push(new_value[node.inputs[0]]);
        } else {
            new_value.push(next);
            next += 1;
        }
    }
    let mut index = 0;
    nodes.retain(|_| {
        index += 1;
        !removed.contains(&(index - 1))
    });
    let values = nodes.iter_mut().flat_map(|n| &mut n.inputs).chain(outputs);
    values.for_each(|v| *v = new_value[*v]);
    new_value
}
