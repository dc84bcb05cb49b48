//! What can be wrong with a graph.

use alloc::string::String;

/// Why a list of nodes is not a graph. The message names the node and says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Two nodes or inputs share a name, or a name is empty or holds a character that tensor names reserve.
    #[error("name {name:?}: {problem}")]
    Name {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A node refers to a value that does not come before it.
    #[error("node {node:?}: input {value} is not an earlier value; nodes are listed in the order they run")]
    Order {
        /// The node's name.
        node: String,
        /// The value it refers to.
        value: usize,
    },
    /// A node has too few or too many inputs.
    #[error("node {node:?}: {op} takes {expected} input(s), {found} given")]
    Arity {
        /// The node's name.
        node: String,
        /// The operator's name.
        op: &'static str,
        /// How many inputs it takes.
        expected: &'static str,
        /// How many inputs it has.
        found: usize,
    },
    /// A node does not support the shapes of its inputs.
    #[error("node {node:?} ({op}): {problem}")]
    Shape {
        /// The node's name.
        node: String,
        /// The operator's name.
        op: &'static str,
        /// What does not fit, with the shapes.
        problem: String,
    },
    /// The graph has no input, no node or no output, or refers to a value that does not exist.
    #[error("the graph {0}")]
    Structure(String),
    /// A size that is given is not possible, or the sizes of a graph are not sound.
    #[error("size {name:?} {problem}")]
    Size {
        /// The symbol's name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// At these sizes, a number of a node has no value, or the node cannot have it.
    #[error("node {node:?} ({op}): its number {number} {problem}")]
    Number {
        /// The node's name.
        node: String,
        /// The operator's name.
        op: &'static str,
        /// Which of its numbers.
        number: usize,
        /// What is wrong, with the sizes.
        problem: String,
    },
    /// Values for the weight layers do not fit the layers (see [`crate::PerLayer`]).
    #[error("values by layer: {0}")]
    PerLayer(String),
    /// A bound of [`crate::MAX_NODES`], [`crate::MAX_RANK`], [`crate::MAX_DIM`] or [`crate::MAX_ADDRESSABLE_ELEMENTS`].
    #[error("{what} is {found}, at most {limit} is allowed")]
    Limit {
        /// The quantity.
        what: String,
        /// Its value.
        found: u64,
        /// Its bound.
        limit: u64,
    },
}
