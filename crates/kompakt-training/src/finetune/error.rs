//! Why a model cannot be fine-tuned.

use kompakt_engine::EngineError;
use kompakt_model::CheckpointError;

/// What is wrong with a model or with the training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinetuneError {
    /// Nothing is shared.
    #[error(
        "no weight of the model is shared, so there are no centroids to move: \
         run kompakt-cluster first (or kompakt-prune --density 1 to train on without sharing)"
    )]
    NotShared,
    /// The resulting model is not consistent.
    #[error(transparent)]
    Model(#[from] CheckpointError),
    /// Training failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
