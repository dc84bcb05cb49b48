//! `kompakt export`: a model as ONNX.

use crate::{
    failure::IntoAnyhow, import::into_anyhow, input::read_graph, output::Output, packed, runnable::is_packed,
};
use anyhow::{Context, Result};
use kompakt_model::ModelFile;
use kompakt_pack::PackError;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// Turn a packed file, or a model of the stages, into an ONNX model
///
/// Dense: every weight as the number that it stands for, so that any other runtime can check what was compressed.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  kompakt export model.kompakt -o model.onnx")]
pub(crate) struct Arguments {
    /// A .kompakt file or a safetensors file
    file: PathBuf,
    /// The network, for a safetensors file that does not carry it (see spec/interchange.md)
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let inputs: Vec<&Path> = [Some(&arguments.file), arguments.graph.as_ref()]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    arguments.output.check(&inputs)?;
    let path = &arguments.file;
    let model = if is_packed(path)? {
        let bytes = packed::read(path)?;
        let container = packed::parse(path, &bytes)?;
        container.verify().map_err(|e| packed::broken(path, &e))?;
        kompakt_pack::unpack(&container, true).map_err(PackError::into_anyhow)?
    } else {
        let graph = arguments.graph.as_deref().map(read_graph).transpose()?;
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        ModelFile::open(file, graph)
            .and_then(ModelFile::into_model)
            .with_context(|| path.display().to_string())?
    };
    let bytes = kompakt_import::onnx::export(&model).map_err(into_anyhow)?;
    arguments.output.write_with(|path| std::fs::write(path, &bytes).context("writing the ONNX model"))
}
