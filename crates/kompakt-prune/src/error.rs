//! Why a model cannot be pruned.

use kompakt_model::CheckpointError;

/// What is wrong with a model or with the options, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The weights are codes already.
    #[error("{name:?} shares its weights already: prune before kompakt-cluster, not after")]
    AlreadyShared {
        /// The parameter.
        name: String,
    },
    /// A share out of range.
    #[error("density is {0}; it is the share of weights that is kept: above 0, at most 1")]
    Density(String),
    /// A quality out of range.
    #[error("quality is {0}; it must be a number of at least 0")]
    Quality(String),
    /// Not one density per layer.
    #[error("{found} densities for {expected} weight layers")]
    Count {
        /// How many were given.
        found: usize,
        /// How many layers there are.
        expected: usize,
    },
    /// The paper does not cover the network.
    #[error("the paper gives densities for lenet-300-100 and lenet5 only; give a density by layer")]
    NoPaperDensities,
    /// An invalid schedule.
    #[error("schedule: {0}")]
    Schedule(String),
    /// The pruned model is not consistent.
    #[error(transparent)]
    Model(#[from] CheckpointError),
}
