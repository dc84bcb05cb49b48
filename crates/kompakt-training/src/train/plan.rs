//! All that determines the result of training.

use crate::{
    Recipe,
    train::{error::TrainError, projection::Projection},
};
use kompakt_graph::Graph;
use kompakt_model::{StageRecord, graph_to_json};
use kompakt_prep::Pipeline;

/// Everything that determines the trained model.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The network, without dropout.
    pub graph: Graph,
    /// How the network's first layer begins, if it is one of principal components.
    pub projection: Option<Projection>,
    /// Its name, for the record.
    pub net: String,
    /// The data set's name, for the record.
    pub data: String,
    /// What is done to a raw input.
    pub steps: Option<Pipeline>,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// How it is trained.
    pub recipe: Recipe,
    /// Probability of dropout after hidden linear layers, in training.
    pub dropout: f32,
    /// Whether batch norms stay as they are.
    pub keep_batch_norm: bool,
}

impl Plan {
    pub(super) fn record(&self) -> StageRecord {
        let steps = self.steps.as_ref().map_or("none".to_string(), Pipeline::hash_hex);
        let record = StageRecord::new("kompakt-train", env!("CARGO_PKG_VERSION"))
            .option("net", &self.net)
            .option("data", &self.data)
            .option("prep", steps)
            .option("pca", self.projection.as_ref().map_or(0, Projection::n_components))
            .option("dropout", self.dropout)
            .option("keep_batch_norm", self.keep_batch_norm);
        self.recipe.record(record)
    }

    /// What a checkpoint must have been made with.
    pub(super) fn run(&self, n_examples: usize) -> Result<String, TrainError> {
        let record = serde_json::to_string(&self.record())?;
        Ok(format!("{record} {} {n_examples}", graph_to_json(&self.graph)))
    }
}
