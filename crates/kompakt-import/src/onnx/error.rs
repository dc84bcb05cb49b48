//! Why a model cannot be imported or exported.

use kompakt_model::CheckpointError;
use std::path::PathBuf;

/// One thing about a model that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The node's name, or that of its first output where it has none.
    pub node: String,
    /// The operator.
    pub operator: String,
    /// What is wrong or missing.
    pub problem: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {:?} ({}): {}", self.node, self.operator, self.problem)
    }
}

/// Why a model was not imported or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The bytes are no ONNX model.
    #[error("not an ONNX model: {0}")]
    NotOnnx(String),
    /// A tensor is inconsistent, or its data cannot be had.
    #[error("tensor {name:?}: {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// An input or output of the network cannot be taken as it is.
    #[error("{0}")]
    Port(String),
    /// The model asks for what is not supported: everything of it, in the order of its nodes.
    #[error("{} of the model's nodes cannot be imported:{}", .0.len(), list(.0))]
    Unsupported(Vec<Problem>),
    /// The imported network does not compute what the file says.
    #[error(
        "the imported network differs from the file, first at node {node:?} ({operator}), by {difference:.1e} of the largest \
         number there; this is a fault of the importer"
    )]
    Differs {
        /// The first node of the file whose value differs.
        node: String,
        /// Its operator.
        operator: String,
        /// The largest difference as a part of the largest number.
        difference: f32,
    },
    /// The imported network could not be run for the check.
    #[error("the imported network cannot be run: {0}")]
    NotRun(String),
    /// What was imported is no consistent model.
    #[error(transparent)]
    Model(#[from] CheckpointError),
}

impl OnnxError {
    pub(crate) fn tensor(name: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { name: name.to_string(), problem: problem.into() }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("\n  {p}")).collect()
}
