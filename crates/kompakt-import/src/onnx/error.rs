//! Why a model cannot be imported or exported.

use kompakt_model::CheckpointError;
use std::path::PathBuf;

/// The operator of a [`Problem`] with an input of the model.
pub(crate) const INPUT: &str = "input";

/// One obstacle to importing or exporting a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The node's name, or that of its first output where it has none.
    pub node: String,
    /// The operator; `input` where it is an input of the model.
    pub operator: String,
    /// What is wrong or missing.
    pub problem: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.operator.as_str() {
            INPUT => write!(f, "input {:?}: {}", self.node, self.problem),
            operator => write!(f, "node {:?} ({operator}): {}", self.node, self.problem),
        }
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
    /// The bytes are not an ONNX model.
    #[error("not an ONNX model: {0}")]
    NotOnnx(String),
    /// A tensor is inconsistent, or its data cannot be read.
    #[error("tensor {name:?}: {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// An input or output of the network is not supported.
    #[error("{0}")]
    Port(String),
    /// The model uses unsupported features: all of them, inputs first, in the order of its nodes.
    #[error("{}", list(.0))]
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
        /// The largest difference, relative to the largest element.
        difference: f32,
    },
    /// The imported network could not be run for the check.
    #[error("the imported network cannot be run: {0}")]
    NotRun(String),
    /// The imported model is inconsistent.
    #[error(transparent)]
    Model(#[from] CheckpointError),
}

impl OnnxError {
    pub(crate) fn tensor(name: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { name: name.to_string(), problem: problem.into() }
    }
}

/// The number of nodes per operator, then one line per problem with all nodes that have it.
fn list(problems: &[Problem]) -> String {
    let (inputs, nodes): (Vec<&Problem>, Vec<&Problem>) = problems.iter().partition(|p| p.operator == INPUT);
    let mut text = String::new();
    if !nodes.is_empty() {
        let counts = counted(nodes.iter().map(|p| p.operator.as_str()));
        let counts: Vec<String> = counts.iter().map(|(operator, n)| format!("{operator} {n}")).collect();
        text += &format!("{} of the model's nodes cannot be imported ({}):", nodes.len(), counts.join(", "));
    } else if inputs.len() > 1 {
        text += &format!("{} of the model's inputs cannot be imported:", inputs.len());
    }
    let separator = if text.is_empty() { "" } else { "\n  " };
    for input in inputs {
        text += &format!("{separator}{input}");
    }
    for ((operator, problem), n) in counted(nodes.iter().map(|p| (p.operator.as_str(), p.problem.as_str()))) {
        let all = nodes.iter().filter(|p| p.operator == operator && p.problem == problem);
        let names: Vec<String> = all.map(|p| format!("{:?}", p.node)).collect();
        let names = names.join(", ");
        text += &match n {
            1 => format!("{separator}node {names} ({operator}): {problem}"),
            n => format!("{separator}{n} nodes ({operator}): {problem}: {names}"),
        };
    }
    text
}

/// Each distinct item with its count, in order of first appearance.
fn counted<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for item in items {
        match counts.iter_mut().find(|(known, _)| *known == item) {
            Some((_, n)) => *n += 1,
            None => counts.push((item, 1)),
        }
    }
    counts
}
