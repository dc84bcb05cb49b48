//! Why a published file cannot be read.

use kompakt_graph::GraphError;
use kompakt_model::CheckpointError;

/// What is wrong with a file, or with the network that it is read for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HanError {
    /// The file ends too early or too late for the network.
    #[error(
        "{found} bytes where the network's layers take {expected}: the file is damaged, or of another network (give --graph)"
    )]
    Length {
        /// Bytes that the network's layers require, as far as that is known.
        expected: u64,
        /// Bytes in the file.
        found: u64,
    },
    /// A layer's content is invalid.
    #[error("layer {layer:?}: {problem}")]
    Layer {
        /// The node's name.
        layer: String,
        /// What is wrong.
        problem: String,
    },
    /// The network has layers that such a file does not hold.
    #[error("the network cannot be that of such a file: {0}")]
    Network(String),
    /// The content is not a consistent model.
    #[error(transparent)]
    Model(#[from] CheckpointError),
    /// The network is not a valid graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
}
