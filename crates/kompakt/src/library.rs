//! The commands' parts for programs that call them without a command line, as the Python package does.
//!
//! Errors are those of the commands: [`exit_code`](crate::process::exit_code) tells of which kind they are.

pub use crate::calibration::Pictures;

use crate::{
    calibration::{Calibration, input_shape},
    diff,
    failure::IntoAnyhow,
    import::OnnxArguments,
    inspect,
    network::{Source, failed},
    output::Output,
    preprocessing,
    stages::run::report,
};
use anyhow::Result;
use kompakt_compress::CompressError;
use kompakt_data::Dataset;
use kompakt_format::Container;
use kompakt_model::Model;
use kompakt_pack::{PackError, account::Account};
use kompakt_runtime::Plan;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// Reads a network: an ONNX file, or a model as the stages write it (`graph`: the network of one that does not carry it).
///
/// `shapes` are those of inputs that an ONNX file leaves open, by name; the empty name is the only input.
/// `is_checked`: whether what is imported is held against an evaluation of the file.
pub fn network(
    path: PathBuf,
    graph: Option<PathBuf>,
    shapes: Vec<(String, Vec<usize>)>,
    is_checked: bool,
) -> Result<Model> {
    Source::new(path, graph, OnnxArguments::new(shapes, is_checked)).read()
}

/// Where the images come from that a network is looked at with and judged by.
pub enum Data {
    /// By name, as `--data` and `--judge` say it.
    Named {
        /// A known name or a path.
        source: String,
        /// Where the validation images come from, if not from there.
        judge: Option<String>,
    },
    /// Images that lie in memory.
    Here {
        /// To look at.
        seen: Box<Dataset>,
        /// To judge by.
        validation: Box<Dataset>,
    },
}

/// The images as the network takes them; the model gets the preprocessing `prep`.
///
/// At most `n_validation` images judge, of those that are named. `ignores_labels`: what the original says counts as right.
pub fn pictures(
    model: &mut Model,
    data: Data,
    n_validation: usize,
    ignores_labels: bool,
    prep: Option<String>,
) -> Result<Option<Pictures>> {
    match data {
        Data::Named { source, judge } => {
            Calibration::new(source, judge, n_validation, ignores_labels, prep).read(model)
        }
        Data::Here { seen, validation } => {
            let shape = input_shape(model)?;
            let steps = preprocessing::steps(prep.as_deref(), model, &shape, "data")?;
            let sources = ["data".to_string(), "data that is not calibrated with".to_string()];
            Pictures::of(model, steps.as_ref(), *seen, *validation, sources, ignores_labels).map(Some)
        }
    }
}

/// The error of the compressor in the form that tells its kind.
pub fn compress_error(error: CompressError) -> anyhow::Error {
    failed(error)
}

/// Refuses a place that a result cannot be written to, or that would take the place of an input.
pub fn check_output(output: &Path, inputs: &[&Path]) -> Result<()> {
    Output { output: output.to_path_buf() }.check(inputs)
}

/// Writes a file that appears whole or not at all.
pub fn write_whole(output: &Path, bytes: &[u8]) -> Result<()> {
    Output { output: output.to_path_buf() }.write_with(|path| Ok(std::fs::write(path, bytes)?))
}

/// What `kompakt inspect --json` prints; everything is decoded once.
pub fn inspection(container: &Container<'_>) -> Result<Value> {
    let started = Instant::now();
    let pool = container.pool()?;
    for parameter in 0..container.descriptors().len() {
        container.decode_parameter(parameter, &pool)?;
    }
    let decode_ms = started.elapsed().as_secs_f64() * 1e3;
    inspect::json(container, &Account::of(container).map_err(PackError::into_anyhow)?, decode_ms)
}

/// What `kompakt run --plan --json` prints.
pub fn plan(plan: &Plan, model: &kompakt_runtime::Model<'_>) -> Value {
    report::plan_json(plan, model)
}

/// What `kompakt diff` says of two files: a line for each thing in which they differ.
pub fn differences(a: &Container<'_>, b: &Container<'_>) -> Result<Vec<String>> {
    Ok(diff::differences(a, b)?)
}
