//! A trained network on the command line.

use crate::{
    failure::IntoAnyhow,
    foreign,
    import::{OnnxArguments, read_onnx},
    input::Input,
    process::{Failure, exit},
    progress::tell,
};
use anyhow::{Context, Result};
use kompakt_compress::CompressError;
use kompakt_data::DataError;
use kompakt_model::{Model, Parameter, fold_batch_norm};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Larger weights are refused: their squares overflow f32.
const LARGEST: f32 = 1e19;

/// Where the network comes from.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// An .onnx file, or a model as the stages write it (safetensors); `-` is stdin
    #[arg(value_name = "MODEL", default_value = "-")]
    model: PathBuf,
    /// The network, for a safetensors file that does not carry it (see spec/interchange.md)
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    onnx: OnnxArguments,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

impl Source {
    /// A file, and the values that the command line's options would have.
    pub(crate) fn new(model: PathBuf, graph: Option<PathBuf>, onnx: OnnxArguments) -> Self {
        Self { model, graph, onnx, labels: None }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.model
    }

    /// All files that are read.
    pub(crate) fn files(&self) -> Vec<&Path> {
        let others = self.graph.iter().chain(&self.labels).map(PathBuf::as_path);
        [self.path()].into_iter().chain(others).collect()
    }

    /// Another file, with the same options.
    pub(crate) fn of(&self, path: &Path) -> Self {
        let (graph, onnx) = (self.graph.clone(), self.onnx.clone());
        Self { model: path.to_path_buf(), graph, onnx, labels: None }
    }

    /// Reads the network, its batch norms folded.
    ///
    /// Errors: a file of another program, which is named; parameters that cannot be computed with.
    pub(crate) fn read(&self) -> Result<Model> {
        foreign::refuse(&self.model)?;
        tell("reading", f64::NAN);
        let is_onnx = self.model != Path::new("-") && is_onnx(&self.model)?;
        let mut model = if is_onnx {
            read_onnx(&self.model, &self.onnx)?
        } else {
            let input = Input { model: self.model.clone(), graph: self.graph.clone() };
            fold_batch_norm(&input.read()?)?
        };
        if let Some(path) = &self.labels {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            model.labels = text.lines().map(str::to_string).collect();
        }
        sane(&model).with_context(|| self.model.display().to_string())?;
        Ok(model)
    }
}

/// Refuses weights out of the range of trained networks, by name.
pub(crate) fn sane(model: &Model) -> Result<()> {
    for (name, parameter) in model.in_order() {
        let values = match parameter {
            Parameter::Dense { values, .. } => values.to_f32(),
            _ => continue,
        };
        if let Some(value) = values.iter().find(|v| v.abs() > LARGEST) {
            let problem = format!(
                "{name} holds {value:e}: nothing can be computed with numbers that large, the file is damaged or was never trained"
            );
            return Err(Failure::input(problem).into());
        }
    }
    Ok(())
}

/// By its name, or because it does not begin as a safetensors file does: with a length and a brace.
fn is_onnx(path: &Path) -> Result<bool> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) {
        return Ok(true);
    }
    let mut start = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(9).read_to_end(&mut start))
        .with_context(|| format!("cannot read {}", path.display()))?;
    // The first field of an ONNX file is its version, a small number.
    Ok(start.first() == Some(&8) && start.get(8) != Some(&b'{'))
}

pub(crate) fn usage(message: String) -> Failure {
    Failure { code: exit::USAGE, message }
}

pub(crate) fn coded(error: DataError) -> anyhow::Error {
    match error {
        DataError::Io { .. } => anyhow::Error::from(error),
        DataError::Classes(_) | DataError::Line { .. } => Failure::input(error).into(),
        other => Failure { code: exit::IO, message: other.to_string() }.into(),
    }
}

/// An error of the compressor in the form that decides the exit code.
pub(crate) fn failed(error: CompressError) -> anyhow::Error {
    match error {
        CompressError::Io(error) => error.into(),
        CompressError::Model(error) => error.into(),
        CompressError::Pack(error) => error.into_anyhow(),
        CompressError::NotReadBack(_) => anyhow::anyhow!("{error}"),
        CompressError::Ruined(message) => Failure { code: exit::TARGET_MISSED, message }.into(),
        CompressError::NeedsImages(_) | CompressError::Wish(_) => {
            Failure { code: exit::USAGE, message: error.to_string() }.into()
        }
        other => Failure { code: exit::INPUT, message: other.to_string() }.into(),
    }
}
