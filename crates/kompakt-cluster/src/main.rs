//! `kompakt-cluster`: the command line of weight sharing.

use anyhow::Result;
use clap::{Parser, ValueEnum};
use kompakt_checkpoint::stage::{self, Failure, Input, Output, exit};
use kompakt_cluster::{CentroidInit, Method, NumberFormat, Options, cluster, table};
use kompakt_graph::{Graph, GraphError, PerLayer};
use std::process::ExitCode;

/// Shares weights: every kept weight of a layer becomes a code into a small codebook.
///
/// Zero stays apart: what pruning removed is never clustered.
#[derive(Parser)]
#[command(
    name = "kompakt-cluster",
    version,
    after_help = "Example:\n  kompakt-prune lenet5.safetensors --density 0.08 | kompakt-cluster --bits 8,8,5,5 | \
                  kompakt-finetune --data mnist -o lenet5.shared.safetensors\n\nValues by layer: one for all (5), \
                  one a layer in the network's order (8,8,5,5), by kind (conv=8,fc=5), or with exceptions by name \
                  (5,fc2=6)."
)]
struct Arguments {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    /// Bits of a code, 0 to 8, by layer
    #[arg(long, value_name = "BITS", default_value = "conv=8,fc=5", conflicts_with = "levels")]
    bits: PerLayer<u32>,
    /// Entries of a codebook, 1 to 256, by layer
    #[arg(long, value_name = "LEVELS")]
    levels: Option<PerLayer<usize>>,
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
}

#[derive(Clone, Copy, ValueEnum)]
enum MethodName {
    /// Lloyd's k-means, as in the paper
    Kmeans,
    /// The optimum of k-means, by dynamic programming
    Exact,
    /// Squared error plus code length: smaller once entropy-coded
    Ecsq,
}

#[derive(Clone, Copy, ValueEnum)]
enum InitName {
    /// Weights drawn at random
    Forgy,
    /// Evenly spaced in rank
    Density,
    /// Evenly spaced between the smallest and the largest weight
    Linear,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    stage::run("kompakt-cluster", || run(&arguments))
}

#[expect(clippy::print_stderr, reason = "a stage talks on stderr")]
fn run(arguments: &Arguments) -> Result<()> {
    arguments.output.check()?;
    let model = arguments.input.read()?;
    if model.is_clustered() {
        let message = "the weights are shared already; kompakt-finetune moves their centroids".to_string();
        return Err(Failure { code: exit::INPUT, message }.into());
    }
    let options = Options {
        method: method(arguments),
        n_levels: n_levels(arguments, &model.graph).map_err(usage)?,
        codebook_format: arguments.codebook_format,
        bias_format: arguments.bias_format,
        seed: arguments.seed.or(model.seed()).unwrap_or(0),
    };
    let (model, layers) = cluster(model, &options).map_err(usage)?;
    if arguments.json {
        eprintln!("{}", serde_json::to_string(&layers)?);
    } else {
        eprintln!("{}", table(&layers));
    }
    arguments.output.write(&model)
}

fn method(arguments: &Arguments) -> Method {
    match arguments.method {
        MethodName::Exact => Method::Exact,
        MethodName::Ecsq => Method::EntropyConstrained { lambda: arguments.lambda },
        MethodName::Kmeans => Method::KMeans(match arguments.init {
            InitName::Forgy => CentroidInit::Forgy,
            InitName::Density => CentroidInit::Density,
            InitName::Linear => CentroidInit::Linear,
        }),
    }
}

fn n_levels(arguments: &Arguments, graph: &Graph) -> Result<Vec<usize>, GraphError> {
    match &arguments.levels {
        Some(levels) => levels.resolve(graph),
        // Too many bits are refused as too many levels.
        None => Ok(arguments.bits.resolve(graph)?.into_iter().map(|b| 1 << b.min(20)).collect()),
    }
}

fn usage(error: impl std::error::Error) -> Failure {
    Failure { code: exit::USAGE, message: error.to_string() }
}
