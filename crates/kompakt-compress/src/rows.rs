//! Layers whose rows (output units) differ: the difference becomes a scale after the layer.
//!
//! ```text
//! W x + b  ──►  s (W / s) x + b        one s per row, as an integer of 12 bits times a step
//! ```
//!
//! One codebook serves a complete layer, so the errors of all its weights are about as large. With `v` the
//! error of the answers for each unit of error in a row's weights, the least bits for an error are spent
//! where `v s²` is the same for all rows: `s = 1 / √v` ([`sensitivity`](crate::sensitivity)). Where `v` is
//! not known `s` is the root mean square of the row, for rows that differ much: with folded batch norms they
//! do, a hundredfold, most of all in depthwise convolutions. Weights before rounding stay what they are.

use crate::error::CompressError;
use kompakt_cluster::NumberFormat;
use kompakt_graph::{Graph, Node, Op};
use kompakt_model::{CheckpointError, Model, Numbers, Parameter};

/// Rows are scaled where their energies, relative to the mean, spread further than this.
const FAR_APART: f64 = 4.0;
/// A row of less energy than this part of the mean has no effect.
const DEAD: f64 = 1e-8;
/// The upper limit on a row's contribution.
const MOST: f64 = 1e3;
/// Bits per weight that scales must save.
const WORTH: f64 = 0.04;
/// Bits that a row's scale takes, with a margin.
const SCALE_BITS: f64 = 24.0;
/// Added to the sensitivity of a row, relative to the mean: it was measured on few images, which may be much alike, and other
/// images may need what these do not.
const FLOOR: f64 = 0.1;
/// The furthest that a scale is from the geometric mean of a layer's.
const WIDEST: f64 = 64.0;

/// A model with scales after layers whose rows differ widely.
pub(crate) struct Balanced {
    pub(crate) model: Model,
    /// One per weight layer, where it has scales.
    scales: Vec<Option<Vec<f32>>>,
}

impl Balanced {
    /// A model without scales.
    pub(crate) fn plain(model: &Model) -> Self {
        Self { model: model.clone(), scales: vec![None; model.graph.weights().count()] }
    }

    /// Whether a layer has scales.
    pub(crate) fn has_scales(&self) -> bool {
        self.scales.iter().any(Option::is_some)
    }

    /// The sensitivity of the rows of layer `index`, from that in the original.
    pub(crate) fn sensitivities(&self, index: usize, rows: &[f64]) -> Vec<f64> {
        match &self.scales[index] {
            Some(scales) => rows.iter().zip(scales).map(|(v, s)| v * f64::from(*s).powi(2)).collect(),
            None => rows.to_vec(),
        }
    }
}

/// The model with a scale after each layer where that pays. `by_row` is the sensitivity of the rows of each
/// layer, where it was measured on real images: on synthetic ones it is no better a guide than the sizes of
/// rows.
pub(crate) fn balanced(model: &Model, by_row: Option<&[Vec<f64>]>) -> Result<Balanced, CompressError> {
    let mut changed = model.clone();
    let mut after: Vec<Option<Vec<f32>>> = vec![None; model.graph.nodes().len()];
    let mut scales = Vec::new();
    for (i, param) in model.graph.weights().enumerate() {
        scales.push(None);
        // A table has rows, but a scale after it does not follow them.
        if !matches!(model.graph.nodes()[param.node].op, Op::Linear { .. } | Op::Conv2d { .. }) {
            continue;
        }
        let Some(Parameter::Dense { values, .. }) = model.parameters.get(&param.name) else { continue };
        let weights = values.to_f32();
        let wanted = match by_row.map(|rows| &rows[i]).filter(|rows| rows.len() == param.shape[0]) {
            Some(rows) => by_sensitivity(&weights, rows),
            None => {
                Some(sizes(&weights, param.shape[0])).filter(|_| spread(&weights, param.shape[0]) > FAR_APART)
            }
        };
        let Some(wanted) = wanted else { continue };
        let rounded = NumberFormat::Int(12).round(&Numbers::F32(wanted));
        let factors = rounded.to_f32();
        let each = weights.len() / param.shape[0];
        let divided =
            |(i, w): (usize, &f32)| if factors[i / each] > 0.0 { w / factors[i / each] } else { 0.0 };
        let divided = weights.iter().enumerate().map(divided).collect();
        changed.parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), divided));
        let node = &model.graph.nodes()[param.node].name;
        let rest = changed.parameters.remove(&format!("{node}.bias"));
        let zeros = Parameter::dense(vec![factors.len()], vec![0.0; factors.len()]);
        changed.parameters.insert(format!("{node}.scale.bias"), rest.unwrap_or(zeros));
        let weight = Parameter::Dense { shape: vec![factors.len()], values: rounded, mask: None };
        changed.parameters.insert(format!("{node}.scale.weight"), weight);
        after[param.node] = Some(factors.clone());
        scales[i] = Some(factors);
    }
    if after.iter().any(Option::is_some) {
        changed.graph = with_scales(&model.graph, &after)?;
        changed.check()?;
    }
    Ok(Balanced { model: changed, scales })
}

/// Scales that make an error count the same in all rows; `None` where they would not pay.
fn by_sensitivity(weights: &[f32], rows: &[f64]) -> Option<Vec<f32>> {
    let n = rows.len() as f64;
    let mean = rows.iter().sum::<f64>() / n;
    if !(mean > 0.0 && mean.is_finite()) {
        return None;
    }
    let square: f64 = energies(weights, rows.len()).iter().sum();
    let size = (square / weights.len().max(1) as f64).sqrt().max(1e-30);
    let scales: Vec<f64> = rows.iter().map(|v| (v / mean + FLOOR).powf(-0.5)).collect();
    let logarithm = scales.iter().map(|s| s.ln()).sum::<f64>() / n;
    let scales: Vec<f64> = scales.iter().map(|s| (s / logarithm.exp()).clamp(1.0 / WIDEST, WIDEST)).collect();
    // Bits per weight that the scales save: how far the mean sensitivity of a row is above their geometric
    // mean.
    let counts = |scales: &[f64]| -> f64 {
        let v: Vec<f64> = rows.iter().zip(scales).map(|(v, s)| (v / mean + FLOOR) * s * s).collect();
        (v.iter().sum::<f64>() / n).log2() - v.iter().map(|v| v.log2()).sum::<f64>() / n
    };
    let saved = 0.5 * (counts(&vec![1.0; rows.len()]) - counts(&scales));
    let pays = saved > WORTH && saved * weights.len() as f64 > SCALE_BITS * n;
    pays.then(|| scales.iter().map(|s| (*s * size) as f32).collect())
}

/// The scale after a layer, where it is the layer's only reader: the name of its node.
pub(crate) fn scale_after(graph: &Graph, node: usize) -> Option<&str> {
    let mut readers = graph.consumers(graph.value_of(node));
    let reader = readers.next().filter(|_| readers.next().is_none())?;
    let node = &graph.nodes()[reader];
    (node.op == Op::ScaleBias).then_some(node.name.as_str())
}

/// The graph with a scale after some nodes, which lose their biases to it.
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
    let sizes = graph.sizes().map(|sizes| sizes.renumbered(&new));
    let graph = Graph::new(inputs, all, outputs).and_then(|graph| graph.with_sizes(sizes));
    Ok(graph.map_err(CheckpointError::from)?)
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
