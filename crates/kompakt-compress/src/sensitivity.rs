//! The effect of an error in each layer on the network's answers, from gradients: one backward pass per image
//! for all layers.
//!
//! ```text
//! error of the answers ≈ J δ      δ: errors of a layer's weights, uncorrelated, of equal variance
//! E |J δ|² = E (vᵀ J δ)²          v: a random sign for each answer
//!          = E δ² · Σ (dW)²       dW: the gradient of v · answers
//! ```
//!
//! The sums are kept per output unit (a row of the weight matrix): units of one layer differ as layers do.
//!
//! Source: Hutchinson 1990 (a trace from random signs); Dong et al. 2020, "HAWQ-V2" (layers by the trace of their curvature).

use crate::{
    Progress, answers::answers, backward::Step, error::CompressError, images::Images, network, random::Random,
};
use kompakt_graph::{Graph, Op};
use kompakt_model::{CheckpointError, Model, Parameter};
use rayon::prelude::*;

/// Batch size, unless images are large. Independent of the number of threads: the loader sums in another
/// order for one image than for several.
const AT_ONCE: usize = 4;

/// For each weight layer, in the order of [`Graph::weights`], and each of its rows: the part of the answers' energy that becomes
/// error where every weight of the row has an error of variance 1.
pub(crate) fn rows(
    model: &Model,
    images: &Images,
    progress: &Progress<'_>,
) -> Result<Vec<Vec<f64>>, CompressError> {
    let graph = &model.graph;
    let answers = answers(graph);
    let (inputs, nodes, _) = graph.clone().into_parts();
    let all: Vec<usize> = (inputs.len()..inputs.len() + nodes.len()).collect();
    let n_inputs = inputs.len();
    let numbers: usize = all.iter().map(|&v| graph.shape(v).iter().product::<usize>()).sum();
    let at_once = network::observed_at_once(AT_ONCE, numbers);
    let mut probe = model.clone();
    probe.graph = Graph::new(inputs, nodes, all).map_err(CheckpointError::from)?;
    let packed = network::pack(probe, kompakt_format::Tier::Direct)?;
    let params = parameters(model);
    let mut sums: Vec<Vec<f64>> = vec![Vec::new(); graph.nodes().len()];
    let mut energies: Vec<Energy> = answers.iter().map(|&v| Energy::new(graph.shape(v))).collect();
    // The answers' energies come first, because gradients are relative to them.
    network::each_batch(&packed, images, at_once, |_, _, n, session| {
        for (energy, &value) in energies.iter_mut().zip(&answers) {
            let y = if value < n_inputs { &[][..] } else { session.output(value - n_inputs) };
            y.chunks_exact((y.len() / n).max(1)).for_each(|y| energy.add(y));
        }
    })?;
    let scales: Vec<f64> = energies.iter().map(|e| 1.0 / e.around_mean()).collect();
    network::each_batch(&packed, images, at_once, |first, x, n, session| {
        progress("measuring sensitivity", first as f64 / images.n as f64);
        let value = |v: usize, i: usize| -> &[f32] {
            let y = if v < n_inputs { x[v] } else { session.output(v - n_inputs) };
            &y[i * (y.len() / n)..(i + 1) * (y.len() / n)]
        };
        let values: Vec<Vec<&[f32]>> =
            (0..n).map(|i| (0..n_inputs + graph.nodes().len()).map(|v| value(v, i)).collect()).collect();
        let squares: Vec<Vec<Vec<f64>>> = values
            .par_iter()
            .enumerate()
            .map(|(i, values)| {
                let mut random = Random::new((first + i) as u64 + 1);
                let mut seed = |v: usize, scale: f64| -> Vec<f32> {
                    let size = scale.sqrt() as f32;
                    values[v].iter().map(|_| random.sign() * size).collect()
                };
                let seeds = answers.iter().zip(&scales).map(|(&v, &s)| (v, seed(v, s))).collect();
                squares(graph, &params, values, seeds)
            })
            .collect();
        for image in squares {
            for (sums, rows) in sums.iter_mut().zip(image) {
                sums.resize(rows.len().max(sums.len()), 0.0);
                sums.iter_mut().zip(rows).for_each(|(s, q)| *s += q);
            }
        }
    })?;
    Ok(graph.weights().map(|param| std::mem::take(&mut sums[param.node])).collect())
}

/// How much of the answers' energy becomes error for each part of a layer's energy that does, spread evenly over its weights.
pub(crate) fn of_layer(rows: &[f64], weights: &[f32]) -> f64 {
    let square: f64 = weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    rows.iter().sum::<f64>() * square / weights.len().max(1) as f64
}

/// The parameters of every node, but for tables and constants, which no gradient takes.
fn parameters(model: &Model) -> Vec<Vec<Vec<f32>>> {
    let mut all = vec![Vec::new(); model.graph.nodes().len()];
    let is_taken =
        |node: usize| !matches!(model.graph.nodes()[node].op, Op::Embedding { .. } | Op::Constant { .. });
    for param in model.graph.params().iter().filter(|param| is_taken(param.node)) {
        all[param.node].push(model.parameters.get(&param.name).map(Parameter::to_f32).unwrap_or_default());
    }
    all
}

/// The sums of squared weight gradients of every node by row, for one image.
fn squares(
    graph: &Graph,
    params: &[Vec<Vec<f32>>],
    values: &[&[f32]],
    seeds: Vec<(usize, Vec<f32>)>,
) -> Vec<Vec<f64>> {
    let n_inputs = graph.inputs().len();
    let mut gradients: Vec<Option<Vec<f32>>> = vec![None; values.len()];
    let add =
        |gradients: &mut Vec<Option<Vec<f32>>>, value: usize, more: Vec<f32>| match &mut gradients[value] {
            Some(sum) => sum.iter_mut().zip(&more).for_each(|(s, m)| *s += m),
            empty => *empty = Some(more),
        };
    seeds.into_iter().for_each(|(value, seed)| add(&mut gradients, value, seed));
    let mut found = vec![Vec::new(); graph.nodes().len()];
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        let value = n_inputs + index;
        let Some(dy) = gradients[value].take() else { continue };
        let step = Step {
            op: &node.op,
            inputs: node.inputs.iter().map(|&v| values[v]).collect(),
            shapes: node.inputs.iter().map(|&v| graph.shape(v)).collect(),
            output: values[value],
            shape: graph.shape(value),
            params: &params[index],
        };
        found[index] = step.row_squares(&dy);
        if node.inputs.iter().any(|&v| v >= n_inputs) {
            for (&v, dx) in node.inputs.iter().zip(step.back(&dy)) {
                add(&mut gradients, v, dx);
            }
        }
    }
    found
}

/// The energy of an answer around its mean image.
struct Energy {
    sums: Vec<f64>,
    square: f64,
    n: usize,
}

impl Energy {
    fn new(shape: &[usize]) -> Self {
        Self { sums: vec![0.0; shape.iter().product()], square: 0.0, n: 0 }
    }

    fn add(&mut self, y: &[f32]) {
        for (sum, &y) in self.sums.iter_mut().zip(y) {
            *sum += f64::from(y);
            self.square += f64::from(y).powi(2);
        }
        self.n += 1;
    }

    /// Never 0.
    fn around_mean(&self) -> f64 {
        let mean: f64 = self.sums.iter().map(|s| s * s).sum::<f64>() / self.n.max(1) as f64;
        (self.square - mean).max(1e-6 * self.square).max(1e-30)
    }
}
