//! `kompakt import`: an ONNX model into the interchange.

use anyhow::{Context, Result};
use kompakt_checkpoint::{
    Model,
    stage::{Failure, Output, exit},
};
use kompakt_onnx::{ImportOptions, OnnxError};
use std::path::{Path, PathBuf};

/// Turn an ONNX model into a model that the stages work on
///
/// Operator sets 7 to 22, weights in the file or beside it. Batch norms, scales and biases go into the layers before
/// them. Everything that is not supported is listed at once, with the nodes' names.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  kompakt import model.onnx | kompakt cluster --bits 6 | kompakt pack -o model.kompakt"
)]
pub(crate) struct Arguments {
    /// The .onnx file
    file: PathBuf,
    /// The shape of an input that the file leaves open: 3,224,224 or NAME=3,224,224
    #[arg(long, value_name = "SHAPE")]
    input_shape: Vec<InputShape>,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// A shape, perhaps of a named input.
#[derive(Debug, Clone)]
pub(crate) struct InputShape(String, Vec<usize>);

impl std::str::FromStr for InputShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, list) = text.rsplit_once('=').unwrap_or(("", text));
        let size = |part: &str| match part.trim().parse::<usize>() {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(format!("{part:?} is no size; write 3,224,224 or NAME=3,224,224")),
        };
        Ok(Self(name.to_string(), list.split(',').map(size).collect::<Result<_, _>>()?))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    arguments.output.check()?;
    let mut model = read_onnx(&arguments.file, &arguments.input_shape)?;
    if let Some(path) = &arguments.labels {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        model.labels = text.lines().map(str::to_string).collect();
    }
    arguments.output.write(&model)
}

/// Reads an ONNX file.
pub(crate) fn read_onnx(path: &Path, input_shapes: &[InputShape]) -> Result<Model> {
    let input_shapes = input_shapes.iter().map(|s| (s.0.clone(), s.1.clone())).collect();
    kompakt_onnx::import(path, &ImportOptions { input_shapes })
        .map_err(into_anyhow)
        .with_context(|| path.display().to_string())
}

/// The error in the form that decides the exit code.
pub(crate) fn into_anyhow(error: OnnxError) -> anyhow::Error {
    match error {
        OnnxError::Io { path, source } => anyhow::Error::from(source).context(path.display().to_string()),
        OnnxError::Model(error) => error.into(),
        other => Failure { code: exit::INPUT, message: other.to_string() }.into(),
    }
}
