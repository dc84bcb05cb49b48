//! Why a network cannot be trained for a rate.

/// What is wrong with a model, an option or the training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// The network is not one that this stage can train.
    #[error(
        "node {node:?} ({op}): this stage trains linear, conv2d (dilation 1), relu, adds of a layer's result and \
         another value, pools without padding, flatten and dropout; {problem}. Other networks become small by `kompakt prune`, \
         `cluster` and `finetune`, or by `kompakt compress`"
    )]
    Unsupported {
        /// The node.
        node: String,
        /// Its operator.
        op: &'static str,
        /// The unsupported feature.
        problem: String,
    },
    /// An invalid option.
    #[error("{name}: {problem}")]
    Option {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Training data that do not fit the network.
    #[error("the training data do not fit: {0}")]
    Data(String),
    /// The training diverged to values that are not finite.
    #[error("training diverged at step {step}: the loss is not a number; try a smaller --lr")]
    Diverged {
        /// The step.
        step: usize,
    },
    /// A checkpoint of another run, or a broken one.
    #[error("the checkpoint is not one of this run: {0}; remove it to start anew")]
    Snapshot(String),
    /// The result could not be packed to be measured.
    #[error(transparent)]
    Pack(#[from] kompakt_pack::PackError),
    /// The model is not consistent.
    #[error(transparent)]
    Model(#[from] kompakt_model::CheckpointError),
    /// Units could not be removed.
    #[error(transparent)]
    Prune(#[from] kompakt_prune::PruneError),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// Which file, and what was tried.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
}
