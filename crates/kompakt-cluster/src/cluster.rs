//! A complete model: every weight layer shared, every bias rounded.

use crate::{
    error::ClusterError,
    layer::{Method, share},
    number_format::NumberFormat,
    report::LayerReport,
};
use kompakt_graph::{Graph, Op, ParamRole};
use kompakt_model::{Model, Parameter, StageRecord};
use rayon::prelude::*;

/// Options for clustering a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How centroids are found.
    pub method: Method,
    /// The most entries of each layer's codebook, in the order of [`Graph::weights`]; 1 to 256.
    pub n_levels: Vec<usize>,
    /// How codebooks are stored.
    pub codebook_format: NumberFormat,
    /// How biases of linear and convolution layers are stored. Other vectors (batch norm) stay as they are.
    pub bias_format: NumberFormat,
    /// For [`crate::CentroidInit::Forgy`].
    pub seed: u64,
}

impl Options {
    fn record(&self, graph: &Graph) -> StageRecord {
        let record = StageRecord::new("kompakt-cluster", env!("CARGO_PKG_VERSION"))
            .option("levels", graph.describe_layers(&self.n_levels))
            .option("codebook_format", self.codebook_format)
            .option("bias_format", self.bias_format);
        let mut record = match self.method {
            Method::KMeans(init) => record.option("method", "kmeans").option("init", init),
            Method::Exact => record.option("method", "exact"),
            Method::EntropyConstrained { lambda } => record.option("method", "ecsq").option("lambda", lambda),
        };
        if self.method == Method::KMeans(crate::CentroidInit::Forgy) {
            record.seed = Some(self.seed);
        }
        record
    }
}

/// Shares the weights of every layer and rounds the biases; appends the stage's record.
///
/// Layers are independent, so the result does not depend on the number of threads. Reports are in the
/// graph's order.
///
/// Errors: a layer that is shared already; levels that do not fit the layers.
pub fn cluster(mut model: Model, options: &Options) -> Result<(Model, Vec<LayerReport>), ClusterError> {
    let input = model.content_hash();
    let names: Vec<String> = model.graph.weights().map(|p| p.name.clone()).collect();
    if names.len() != options.n_levels.len() {
        return Err(ClusterError::Count { found: options.n_levels.len(), expected: names.len() });
    }
    let shared = names
        .par_iter()
        .zip(&options.n_levels)
        .enumerate()
        .map(|(layer, (name, &n_levels))| {
            let seed = options.seed.wrapping_add((layer as u64) << 32);
            share(name, &model.parameters[name], options.method, n_levels, options.codebook_format, seed)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut reports = Vec::with_capacity(shared.len());
    for (name, (parameter, report)) in names.into_iter().zip(shared) {
        model.parameters.insert(name, parameter);
        reports.push(report);
    }
    for name in biases(&model.graph) {
        if let Some(Parameter::Dense { values, .. }) = model.parameters.get_mut(&name) {
            *values = options.bias_format.round(values);
        }
    }
    let record = options.record(&model.graph);
    model.record(record, Some(input));
    Ok((model, reports))
}

/// The biases of linear and convolution layers.
fn biases(graph: &Graph) -> Vec<String> {
    let is_bias = |p: &&kompakt_graph::Param| {
        p.role == ParamRole::PerChannel
            && matches!(graph.nodes()[p.node].op, Op::Linear { .. } | Op::Conv2d { .. })
    };
    graph.params().iter().filter(is_bias).map(|p| p.name.clone()).collect()
}
