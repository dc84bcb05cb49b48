//! Why a network cannot be trained.

use kompakt_data::DataError;
use kompakt_engine::EngineError;
use kompakt_graph::GraphError;
use kompakt_model::CheckpointError;

/// What is wrong with a plan, the data or the training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Training failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The state after an epoch could not be written.
    #[error("cannot keep the state: {0}")]
    State(EngineError),
    /// The network with or without dropout is not a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The trained model is not consistent.
    #[error(transparent)]
    Model(#[from] CheckpointError),
    /// Images that the steps do not fit.
    #[error(transparent)]
    Data(#[from] DataError),
    /// More principal components than there can be.
    #[error(transparent)]
    Components(DataError),
    /// A layer of principal components needs one input to stand behind.
    #[error("the network has several inputs")]
    SeveralInputs,
    /// The record or the steps cannot be written as JSON.
    #[error("writing the record: {0}")]
    Json(#[from] serde_json::Error),
}
