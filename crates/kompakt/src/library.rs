//! The commands' functions for programs that call them without a command line, such as the Python package.
//!
//! Errors are those of the commands: [`exit_code`](crate::process::exit_code) tells their kind.

pub use crate::calibration::Pictures;

use crate::{
    calibration::{Calibration, input_shape},
    compress, diff,
    failure::IntoAnyhow,
    import::OnnxArguments,
    inspect,
    network::{Source, failed},
    output::Output,
    preprocessing,
    stages::run::report,
};
use anyhow::Result;
use kompakt_compress::{CompressError, Scan};
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

/// How an ONNX file is read.
pub struct Reading {
    /// Shapes of inputs that the file leaves open, by name; the empty name is the only input.
    pub shapes: Vec<(String, Vec<usize>)>,
    /// The greatest sizes of what it leaves open, by name.
    pub max_sizes: Vec<(String, usize)>,
    /// Whether what it leaves open is fixed to the sizes of `shapes`.
    pub fixed: bool,
    /// Inputs that never change, by name.
    pub values: Vec<(String, Vec<f32>)>,
    /// Whether the import is compared with an evaluation of the file.
    pub is_checked: bool,
}

/// Reads a network: an ONNX file, or a model as the stages write it (`graph`: the network of one that does not carry it).
pub fn network(path: PathBuf, graph: Option<PathBuf>, reading: Reading) -> Result<Model> {
    Source::new(path, graph, OnnxArguments::new(reading)).read()
}

/// The source of a network's calibration and validation images.
pub enum Data {
    /// By name, as in `--data` and `--judge`.
    Named {
        /// A known name or a path.
        source: String,
        /// The source of the validation images, if different.
        judge: Option<String>,
    },
    /// Images in memory.
    Here {
        /// Calibration images.
        seen: Box<Dataset>,
        /// Validation images.
        validation: Box<Dataset>,
    },
}

/// The images as the network takes them; the model gets the preprocessing `prep`.
///
/// At most `n_validation` images are used for validation, of those that are named. `ignores_labels`: the
/// original's answers count as labels.
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

/// What is known of a network's layers, or none where there is no file.
pub fn read_scan(path: &Path) -> Result<Option<Scan>> {
    compress::read_scan(path)
}

/// Writes it as JSON.
pub fn write_scan(path: &Path, scan: &Scan) -> Result<()> {
    compress::write_scan(path, scan)
}

/// The compressor's error in the form that tells its kind.
pub fn compress_error(error: CompressError) -> anyhow::Error {
    failed(error)
}

/// Refuses a path that a result cannot be written to, or that would replace an input.
pub fn check_output(output: &Path, inputs: &[&Path]) -> Result<()> {
    Output { output: output.to_path_buf() }.check(inputs)
}

/// Writes a file that appears completely or not at all.
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

/// The output of `kompakt diff` for two files: one line for each difference.
pub fn differences(a: &Container<'_>, b: &Container<'_>) -> Result<Vec<String>> {
    Ok(diff::differences(a, b)?)
}
