//! The command line of `kompakt-cluster`.

use super::Stage;
use crate::{
    failure::IntoAnyhow,
    input::{Input, present},
    output::Output,
    process::Failure,
    progress::{Steps, begin, tell},
};
use anyhow::Result;
use clap::{Parser, ValueEnum};
use kompakt_cluster::{
    CentroidInit, ClusterError, Method, NumberFormat, Options, cluster, in_groups, levels_within, table,
};
use kompakt_graph::{Graph, GraphError, PerLayer};
use std::{io::Write, iter::repeat_n};

/// Share weights: every kept weight of a layer becomes a code into the layer's small codebook.
///
/// Zero stays apart: what pruning removed is never clustered.
#[derive(Debug, Parser)]
#[command(
    name = "kompakt-cluster",
    version,
    after_help = "Example:\n  kompakt-prune lenet5.safetensors --density 0.08 | kompakt-cluster --bits 8,8,5,5 | \
                  kompakt-finetune --data mnist -o lenet5.shared.safetensors\n\nValues by layer: one for all (5), \
                  one a layer in the network's order (8,8,5,5), by kind (conv=8,fc=5), or with exceptions by name \
                  (5,fc2=6)."
)]
pub struct Args {
    /// Where the model comes from
    #[command(flatten)]
    input: Input,
    /// Bits of a code, 0 to 8, by layer
    #[arg(long, value_name = "BITS", default_value = "conv=8,fc=5", conflicts_with = "levels")]
    bits: PerLayer<u32>,
    /// Entries of a codebook, 1 to 256, by layer
    #[arg(long, value_name = "LEVELS")]
    levels: Option<PerLayer<usize>>,
    /// Codebooks by layer: its rows in so many groups, each of which becomes a layer of its own
    #[arg(long, value_name = "GROUPS", default_value = "1")]
    groups: PerLayer<usize>,
    /// Bytes of all codes (at their entropy) and codebooks: levels are chosen by layer for the least error within them
    #[arg(long, value_name = "BYTES", conflicts_with_all = ["bits", "levels"])]
    budget: Option<u64>,
    /// How centroids are found
    #[arg(long, value_enum, default_value = "exact")]
    method: MethodName,
    /// Where k-means starts
    #[arg(long, value_enum, default_value = "linear")]
    init: InitName,
    /// What one bit a weight is worth, in mean squared weights (method ecsq)
    #[arg(long, value_name = "PRICE", default_value_t = 0.002)]
    lambda: f64,
    /// How codebooks are stored: f32, f16, or intN (N-bit integers times a scale)
    #[arg(long, value_name = "FORMAT", default_value = "f16")]
    codebook_format: NumberFormat,
    /// How biases are stored: f32, f16, or intN (N-bit integers times a scale)
    #[arg(long, value_name = "FORMAT", default_value = "int8")]
    bias_format: NumberFormat,
    /// For --init forgy; the seed of the stage before if not given
    #[arg(long)]
    seed: Option<u64>,
    /// Print the figures by layer as JSON instead of a table (on stderr, like the table)
    #[arg(long)]
    json: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
    /// Where the result goes
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MethodName {
    /// Lloyd's k-means, as in the paper
    Kmeans,
    /// The optimum of k-means, by dynamic programming
    Exact,
    /// Squared error plus code length: smaller once entropy-coded
    Ecsq,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InitName {
    /// Weights drawn at random
    Forgy,
    /// Evenly spaced in rank
    Density,
    /// Evenly spaced between the smallest and the largest weight
    Linear,
}

const STEPS: Steps = &[("reading", 1.0), ("choosing levels", 2.0), ("clustering", 4.0), ("writing", 1.0)];

impl Stage for Args {
    const PROGRAM: &str = "kompakt-cluster";

    fn run(&self) -> Result<()> {
        self.output.check(&self.input.files())?;
        present(&self.input.files())?;
        let shown = begin(self.quiet, STEPS);
        tell("reading", f64::NAN);
        let model = self.input.read()?;
        if model.is_clustered() {
            let message = "the weights are shared already; kompakt-finetune moves their centroids";
            return Err(Failure::input(message).into());
        }
        let groups = self.groups.resolve(&model.graph).map_err(Failure::usage)?;
        let n_levels = self.n_levels(&model.graph).map_err(Failure::usage)?;
        let model = in_groups(&model, &groups).map_err(ClusterError::into_anyhow)?;
        let of_groups = n_levels.iter().zip(&groups).flat_map(|(&levels, &n)| repeat_n(levels, n));
        let mut options = Options {
            method: self.method(),
            n_levels: of_groups.collect(),
            codebook_format: self.codebook_format,
            bias_format: self.bias_format,
            seed: self.seed.or(model.seed()).unwrap_or(1),
        };
        if let Some(budget) = self.budget {
            tell("choosing levels", f64::NAN);
            options.n_levels = levels_within(&model, &options, budget).map_err(ClusterError::into_anyhow)?;
        }
        tell("clustering", f64::NAN);
        let (model, layers) = cluster(model, &options).map_err(ClusterError::into_anyhow)?;
        tell("writing", f64::NAN);
        drop(shown);
        let text = if self.json { serde_json::to_string(&layers)? } else { table(&layers) };
        if !self.quiet {
            writeln!(std::io::stderr().lock(), "{text}")?;
        }
        self.output.write(&model)
    }
}

impl Args {
    fn method(&self) -> Method {
        match self.method {
            MethodName::Exact => Method::Exact,
            MethodName::Ecsq => Method::EntropyConstrained { lambda: self.lambda },
            MethodName::Kmeans => Method::KMeans(match self.init {
                InitName::Forgy => CentroidInit::Forgy,
                InitName::Density => CentroidInit::Density,
                InitName::Linear => CentroidInit::Linear,
            }),
        }
    }

    fn n_levels(&self, graph: &Graph) -> Result<Vec<usize>, GraphError> {
        match &self.levels {
            Some(levels) => levels.resolve(graph),
            // Too many bits are refused like too many levels.
            None => Ok(self.bits.resolve(graph)?.into_iter().map(|b| 1 << b.min(20)).collect()),
        }
    }
}
