//! The source of a stage's model: a file, or stdin.

use crate::process::{Failure, exit};
use anyhow::{Context, Result, bail};
use kompakt_graph::Graph;
use kompakt_model::{CheckpointError, Model, ModelFile, graph_from_json};
use std::{
    fs::File,
    io::{self, IsTerminal, Read, Seek},
    path::{Path, PathBuf},
};

/// Where a stage gets its model.
#[derive(Debug, Clone, clap::Args)]
pub struct Input {
    /// The model to work on, as another stage wrote it; `-` is stdin
    #[arg(value_name = "MODEL", default_value = "-")]
    pub model: PathBuf,
    /// The network, for a safetensors file that does not carry it (see spec/interchange.md)
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
}

impl Input {
    /// The files that are read.
    pub fn files(&self) -> Vec<&Path> {
        [Some(&self.model), self.graph.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect()
    }

    /// Reads the complete model.
    pub fn read(&self) -> Result<Model> {
        self.open()?.into_model().with_context(|| self.describe())
    }

    /// Opens the model, to read its parameters one at a time. stdin is spooled to a temporary file.
    pub fn open(&self) -> Result<ModelFile> {
        let graph = self.graph.as_deref().map(read_graph).transpose()?;
        let file = if is_dash(&self.model) {
            spool_stdin()?
        } else {
            File::open(&self.model).with_context(|| format!("cannot open {}", self.model.display()))?
        };
        ModelFile::open(file, graph).with_context(|| self.describe())
    }

    fn describe(&self) -> String {
        if is_dash(&self.model) { "stdin".to_string() } else { self.model.display().to_string() }
    }
}

/// Refuses, before anything else is done, files that are missing or cannot be opened; `-` is stdin.
pub(crate) fn present(files: &[&Path]) -> Result<()> {
    for file in files.iter().filter(|file| !is_dash(file)) {
        // A named pipe can be opened only once.
        if !std::fs::metadata(file).with_context(|| format!("cannot open {}", file.display()))?.is_file() {
            continue;
        }
        File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    }
    Ok(())
}

/// Reads a graph file.
pub fn read_graph(path: &Path) -> Result<Graph> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| CheckpointError::Metadata(format!("graph: {e}")))
        .with_context(|| path.display().to_string())?;
    graph_from_json(&value).with_context(|| path.display().to_string())
}

/// `-`, which stands for a standard stream.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

fn spool_stdin() -> Result<File> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        bail!(Failure {
            code: exit::USAGE,
            message: "a model is expected on stdin, which is a terminal: pass a file, or pipe a stage into this one"
                .to_string(),
        });
    }
    let mut file = tempfile::tempfile().context("cannot make a temporary file for stdin")?;
    io::copy(&mut stdin.by_ref(), &mut file).context("reading stdin")?;
    file.rewind()?;
    Ok(file)
}
