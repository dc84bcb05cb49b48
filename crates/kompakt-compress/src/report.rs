//! The result for every layer, as figures and as a table.

use kompakt_graph::Graph;
use kompakt_model::{Model, Parameter};

/// The result for a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerReport {
    /// The weight's name.
    pub name: String,
    /// How many weights it has.
    pub n_weights: usize,
    /// How many are not zero.
    pub n_kept: usize,
    /// Entries of its codebook.
    pub n_levels: usize,
    /// Bits per weight, by the frequency of each level.
    pub bits_per_weight: f64,
    /// Squared error relative to its energy.
    pub error: f64,
}

/// One per weight layer; `errors` and `bits_per_weight` are in the same order.
pub(crate) fn reports(
    graph: &Graph,
    model: &Model,
    errors: &[f64],
    bits_per_weight: &[f64],
) -> Vec<LayerReport> {
    let weights = graph
        .weights()
        .enumerate()
        .filter_map(|(i, param)| Some((i, param, model.parameters.get(&param.name)?)));
    weights
        .map(|(i, param, weight)| LayerReport {
            name: param.name.clone(),
            n_weights: param.len(),
            n_kept: weight.n_kept(),
            n_levels: match weight {
                Parameter::Shared { codebook, .. } => codebook.len(),
                Parameter::Dense { .. } => 0,
            },
            bits_per_weight: bits_per_weight[i],
            error: errors[i],
        })
        .collect()
}

/// The layers as a table.
pub fn table(layers: &[LayerReport]) -> String {
    let mut text = format!(
        "{:>10} {:>9} {:>7} {:>12} {:>10}  {}\n",
        "weights", "density", "levels", "bits/weight", "error", "layer"
    );
    for l in layers {
        text += &format!(
            "{:>10} {:>8.1}% {:>7} {:>12.2} {:>10.5}  {}\n",
            l.n_weights,
            100.0 * l.n_kept as f64 / l.n_weights.max(1) as f64,
            l.n_levels,
            l.bits_per_weight,
            l.error,
            l.name
        );
    }
    text
}
