//! Why a model cannot be packed.

use kompakt_entropy::EntropyError;
use kompakt_format::FormatError;
use kompakt_graph::GraphError;
use kompakt_model::CheckpointError;

/// Why a container was not written, or not unpacked. Messages name the tensor and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The model is not consistent, or cannot be read or written.
    #[error(transparent)]
    Model(#[from] CheckpointError),
    /// Bytes that should be a container are not one; or what was written does not read back.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The graph without its training-only nodes is not valid.
    #[error("graph: {0}")]
    Graph(#[from] GraphError),
    /// The container cannot hold something.
    #[error("{what}: {problem}")]
    Unsupported {
        /// The tensor, node or part.
        what: String,
        /// Why, and what to do.
        problem: String,
    },
    /// A coder refused weights that were checked before: a bug.
    #[error("coding {name:?}: {source}")]
    Coder {
        /// The tensor.
        name: String,
        /// Its message.
        source: EntropyError,
    },
    /// The written file does not match the content: a bug, and the file is removed.
    #[error("the file was read back and differs from the model at {0}; nothing was kept of it")]
    ReadBack(String),
    /// Reading or writing failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl PackError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
    pub(crate) fn unsupported(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), problem: problem.into() }
    }
    pub(crate) fn coder(name: &str) -> impl FnOnce(EntropyError) -> Self + use<> {
        let name = name.to_string();
        move |source| Self::Coder { name, source }
    }
}
