//! Why a model cannot be imported or exported.

use kompakt_model::CheckpointError;
use std::{collections::BTreeMap, path::PathBuf};

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

/// The most operators, problems, and nodes of one problem that an error lists.
const MOST_LISTED: usize = 40;

/// The number of nodes per operator, then one line per problem with the nodes that have it. One problem is one line.
fn list(problems: &[Problem]) -> String {
    let (inputs, nodes): (Vec<&Problem>, Vec<&Problem>) = problems.iter().partition(|p| p.operator == INPUT);
    let mut text = String::new();
    if problems.len() == 1 {
        return problems[0].to_string();
    }
    if !nodes.is_empty() {
        let counts = grouped(nodes.iter().map(|p| (p.operator.as_str(), ())));
        let counts =
            listed(counts.iter().map(|(operator, n)| format!("{operator} {}", n.len())), ", ", "operators");
        text += &format!("{} of the model's nodes cannot be imported ({counts}):", nodes.len());
    } else {
        text += &format!("{} of the model's inputs cannot be imported:", inputs.len());
    }
    let groups = grouped(nodes.iter().map(|p| ((p.operator.as_str(), p.problem.as_str()), p.node.as_str())));
    let of_nodes = groups.iter().map(|((operator, problem), names)| match &names[..] {
        [name] => format!("\n  node {name:?} ({operator}): {problem}"),
        names => {
            let all = listed(names.iter().map(|name| format!("{name:?}")), ", ", "nodes");
            format!("\n  {} nodes ({operator}): {problem}: {all}", names.len())
        }
    });
    let of_inputs = inputs.iter().map(|input| format!("\n  {input}"));
    text + &listed(of_inputs.chain(of_nodes), "", "problems")
}

/// The first items, and how many more there are.
fn listed(items: impl Iterator<Item = String>, separator: &str, what: &str) -> String {
    let mut items = items.peekable();
    let mut first: Vec<String> = items.by_ref().take(MOST_LISTED).collect();
    if items.peek().is_some() {
        let start = if separator.is_empty() { "\n  " } else { "" };
        first.push(format!("{start}and {} more {what}", items.count()));
    }
    first.join(separator)
}

/// The values of each distinct key, in order of first appearance.
fn grouped<K: Ord + Copy, V>(items: impl Iterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in items {
        let at = *places.entry(key).or_insert(groups.len());
        if at == groups.len() {
            groups.push((key, Vec::new()));
        }
        groups[at].1.push(value);
    }
    groups
}
