//! What can go wrong in training.

/// Why a network cannot be trained or run here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The graph has parts that the engine does not run; all of them are listed.
    #[error("the network cannot be run: {}", .0.join("; "))]
    Unsupported(Vec<String>),
    /// A parameter is missing, left over or of the wrong shape.
    #[error("parameter {name:?}: {problem}")]
    Parameter {
        /// Its name in the graph.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The examples do not fit the network.
    #[error("the data: {0}")]
    Data(String),
    /// An invalid option.
    #[error("option {name}: {problem}")]
    Option {
        /// The option's name.
        name: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The loss is not finite.
    #[error("the loss is {loss} in epoch {epoch}, step {step}: training diverged; try a lower learning rate")]
    Diverged {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1 within the epoch.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// A saved state that does not belong to this training.
    #[error("snapshot {path}: {problem}")]
    Snapshot {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The graph that results from an edit is invalid.
    #[error(transparent)]
    Graph(#[from] kompakt_graph::GraphError),
    /// The resulting model is invalid.
    #[error(transparent)]
    Model(#[from] kompakt_model::CheckpointError),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Worker threads could not be started.
    #[error("cannot start worker threads: {0}")]
    Threads(String),
}
