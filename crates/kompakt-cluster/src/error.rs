//! Why a model cannot be clustered.

/// What is wrong with a model or with the options, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The weights are codes already.
    #[error(
        "{name:?} shares its weights already: clustering works on a dense or pruned model; \
         to move the centroids of this one use kompakt-finetune"
    )]
    AlreadyShared {
        /// The parameter.
        name: String,
    },
    /// A codebook size out of range.
    #[error("layer {name:?}: {found} levels; a codebook has 1 to 256 entries (0 to 8 bits)")]
    Levels {
        /// The layer's weight.
        name: String,
        /// The size given.
        found: usize,
    },
    /// The price of a bit is not a valid number.
    #[error("lambda is {0}; it must be a number of at least 0")]
    Lambda(String),
    /// Not one number of levels per layer.
    #[error("{found} numbers of levels for {expected} weight layers")]
    Count {
        /// How many were given.
        found: usize,
        /// How many layers there are.
        expected: usize,
    },
    /// Not one number of groups per layer.
    #[error("{found} numbers of groups for {expected} weight layers")]
    GroupCount {
        /// How many were given.
        found: usize,
        /// How many layers there are.
        expected: usize,
    },
    /// A layer that cannot be split that way.
    #[error("layer {name:?}: {found} groups: {problem}")]
    Groups {
        /// The layer's weight.
        name: String,
        /// The number of groups given.
        found: usize,
        /// Why not.
        problem: String,
    },
    /// The layers' parts do not make a graph: names that clash, too many nodes.
    #[error("the network in groups: {0}")]
    Graph(String),
    /// A budget that two levels per layer exceed.
    #[error("{budget_bytes} bytes are too few: codes and codebooks of two levels a layer take {least_bytes}")]
    Budget {
        /// The budget given.
        budget_bytes: u64,
        /// The smallest possible one.
        least_bytes: u64,
    },
    /// A number format that does not exist.
    #[error("number format {0:?}; known are f32, f16 and int2 to int24")]
    NumberFormat(String),
}
