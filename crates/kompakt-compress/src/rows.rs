//! Layers whose rows are of very different size: what sets them apart becomes a scale after the layer.
//!
//! ```text
//! W x + b  ──►  s (W / s) x + b        one s a row: its root mean square, as a whole number of 12 bits times a step
//! ```
//!
//! One codebook serves a whole layer. Where batch norms were folded in, rows differ a hundredfold, least alike in depthwise
//! convolutions: the small ones would be lost between two levels. Weights before rounding stay what they are.

use crate::error::CompressError;
use kompakt_cluster::NumberFormat;
use kompakt_graph::{Graph, Node, Op};
use kompakt_model::{CheckpointError, Model, Parameter};

/// Rows are set apart where their energies, as parts of the mean, spread further than this.
const FAR_APART: f64 = 4.0;
/// A row of less energy than this part of the mean does nothing.
const DEAD: f64 = 1e-8;
/// The most that a row counts.
const MOST: f64 = 1e3;

/// The model with a scale after each layer whose rows are far apart; the same model where there is none.
pub(crate) fn alike(model: &Model) -> Result<Model, CompressError> {
    let mut changed = model.clone();
    let mut scaled: Vec<Option<Vec<f32>>> = vec![None; model.graph.nodes().len()];
    for param in model.graph.weights() {
        let Some(Parameter::Dense { values, .. }) = model.parameters.get(&param.name) else { continue };
        let weights = values.to_f32();
        if spread(&weights, param.shape[0]) > FAR_APART {
            let scales =
                NumberFormat::Int(12).round(&kompakt_model::Numbers::F32(sizes(&weights, param.shape[0])));
            let factors = scales.to_f32();
            let each = weights.len() / param.shape[0];
            let divided =
                |(i, w): (usize, &f32)| if factors[i / each] > 0.0 { w / factors[i / each] } else { 0.0 };
            let divided = weights.iter().enumerate().map(divided).collect();
            changed.parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), divided));
            let node = &model.graph.nodes()[param.node].name;
            let rest = changed.parameters.remove(&format!("{node}.bias"));
            let zeros = Parameter::dense(vec![factors.len()], vec![0.0; factors.len()]);
            changed.parameters.insert(format!("{node}.scale.bias"), rest.unwrap_or(zeros));
            let weight = Parameter::Dense { shape: vec![factors.len()], values: scales, mask: None };
            changed.parameters.insert(format!("{node}.scale.weight"), weight);
            scaled[param.node] = Some(factors);
        }
    }
    if scaled.iter().any(Option::is_some) {
        changed.graph = with_scales(&model.graph, &scaled)?;
        changed.check()?;
    }
    Ok(changed)
}

/// The scale after a layer, where it is the only one that reads it: the name of its node.
pub(crate) fn scale_after(graph: &Graph, node: usize) -> Option<&str> {
    let mut readers = graph.consumers(graph.value_of(node));
    let reader = readers.next().filter(|_| readers.next().is_none())?;
    let node = &graph.nodes()[reader];
    (node.op == Op::ScaleBias).then_some(node.name.as_str())
}

/// The graph with a scale behind some nodes, which lose their biases to it.
fn with_scales(graph: &Graph, scaled: &[Option<Vec<f32>>]) -> Result<Graph, CompressError> {
    let (inputs, nodes, outputs) = graph.clone().into_parts();
    let mut new: Vec<usize> = (0..inputs.len()).collect();
    let mut all: Vec<Node> = Vec::new();
    for (mut node, scaled) in nodes.into_iter().zip(scaled) {
        node.inputs.iter_mut().for_each(|v| *v = new[*v]);
        let name = format!("{}.scale", node.name);
        if scaled.is_some()
            && let Op::Conv2d { bias, .. } | Op::Linear { bias, .. } = &mut node.op
        {
            *bias = false;
        }
        all.push(node);
        if scaled.is_some() {
            let value = inputs.len() + all.len() - 1;
            all.push(Node { name, op: Op::ScaleBias, inputs: vec![value] });
        }
        new.push(inputs.len() + all.len() - 1);
    }
    let outputs = outputs.into_iter().map(|v| new[v]).collect();
    Ok(Graph::new(inputs, all, outputs).map_err(CheckpointError::from)?)
}

fn energies(weights: &[f32], n_rows: usize) -> Vec<f64> {
    let each = (weights.len() / n_rows.max(1)).max(1);
    weights.chunks(each).map(|row| row.iter().map(|&w| f64::from(w).powi(2)).sum()).collect()
}

/// Root mean square of each row.
fn sizes(weights: &[f32], n_rows: usize) -> Vec<f32> {
    let each = (weights.len() / n_rows.max(1)).max(1) as f64;
    energies(weights, n_rows).iter().map(|e| (e / each).sqrt() as f32).collect()
}

/// How much more of a row's energy an error takes than of the layer's, on average over the rows: 1 where they are alike.
pub(crate) fn spread(weights: &[f32], n_rows: usize) -> f64 {
    let energies = energies(weights, n_rows);
    let mean = energies.iter().sum::<f64>() / energies.len().max(1) as f64;
    let ratios: Vec<f64> =
        energies.iter().filter(|&&e| e > DEAD * mean).map(|e| (mean / e).min(MOST)).collect();
    if ratios.is_empty() { 1.0 } else { (ratios.iter().sum::<f64>() / ratios.len() as f64).max(1.0) }
}
