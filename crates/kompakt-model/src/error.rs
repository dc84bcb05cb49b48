//! What can be wrong with a model between two stages.

use kompakt_graph::GraphError;

/// Why bytes are not a model, or a model is not consistent. Messages name the tensor and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Nothing came in.
    #[error("the input is empty: the stage before it failed, or wrote nothing")]
    Empty,
    /// Fewer or more bytes than the header announces.
    #[error(
        "the input is {found} bytes long where its header announces {expected}: \
         it was cut off, or something was appended"
    )]
    Length {
        /// Bytes present.
        found: u64,
        /// Bytes announced.
        expected: u64,
    },
    /// Not safetensors at all.
    #[error("not a safetensors file: {0}")]
    NotSafetensors(String),
    /// A packed container where a model between stages is expected.
    #[error(
        "this is a packed .kompakt file; stages work on the interchange: turn it back with `kompakt unpack`"
    )]
    IsContainer,
    /// A safetensors file that does not say which network it belongs to.
    #[error(
        "the file holds tensors but no graph; pass the network with --graph FILE (see spec/interchange.md)"
    )]
    NoGraph,
    /// The metadata is not what `spec/interchange.md` says.
    #[error("metadata: {0}")]
    Metadata(String),
    /// The graph is malformed.
    #[error("graph: {0}")]
    Graph(#[from] GraphError),
    /// A tensor is missing, left over, of the wrong type or shape, or holds what it must not.
    #[error("tensor {name:?}: {problem}")]
    Tensor {
        /// The tensor's name in the file.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The model is of another kind than the stage needs.
    #[error("{0}")]
    WrongKind(String),
    /// Reading or writing failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done to which file.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
}

impl CheckpointError {
    pub(crate) fn tensor(name: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { name: name.to_string(), problem: problem.into() }
    }
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
