//! The training itself, from a plan to a model.

use crate::train::{
    dropout::{with_dropout, without_dropout},
    projection::Projection,
};
use anyhow::{Context, Result};
use kompakt_engine::{
    Engine, Network, Trainer,
    cli::{EpochProgress, Recipe, TrainingData, failure},
};
use kompakt_graph::Graph;
use kompakt_model::{Model, StageRecord, fold_batch_norm, graph_to_json};
use kompakt_prep::Pipeline;
use std::path::Path;

/// Everything that decides what comes out.
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
    fn record(&self) -> StageRecord {
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
    fn run(&self, n_examples: usize) -> Result<String> {
        let record = serde_json::to_string(&self.record())?;
        Ok(format!("{record} {} {n_examples}", graph_to_json(&self.graph)))
    }
}

/// Trains a network.
///
/// With a `checkpoint`, the state is kept there after every epoch, and taken up from there if the file is there: the
/// model is the same, byte for byte, as without a stop in between.
///
/// Errors: what the engine refuses; a checkpoint of another run.
pub fn train(
    plan: &Plan,
    data: &TrainingData,
    threads: usize,
    checkpoint: Option<&Path>,
    quiet: bool,
) -> Result<Model> {
    let graph = with_dropout(&plan.graph, plan.dropout)?;
    let options = plan.recipe.options.clone();
    let mut network = Network::random(&graph, options.seed).map_err(failure)?;
    if let Some(projection) = &plan.projection {
        projection.begin(&mut network);
    }
    let mut trainer = Trainer::new(network, options, threads).map_err(failure)?;
    let run = plan.run(data.train.len())?;
    if let Some(path) = checkpoint.filter(|p| p.exists()) {
        trainer.restore(path, &run).map_err(failure)?;
    }
    let epochs = plan.recipe.options.epochs;
    let mut progress = EpochProgress::new("kompakt-train", epochs, trainer.epochs_done(), quiet);
    if checkpoint.is_some() && trainer.epochs_done() > 0 {
        progress.say(&format!("going on after epoch {}", trainer.epochs_done()));
    }
    while !trainer.is_finished() {
        let report = trainer.epoch(&data.train, &plan.recipe.loss(), &mut progress).map_err(failure)?;
        let validation = data.validation.as_ref().map(|v| trainer.evaluate(v)).transpose()?;
        progress.epoch(&report, validation.as_ref());
        if let Some(path) = checkpoint {
            trainer.save(path, &run).map_err(failure).context("cannot keep the state")?;
        }
    }
    progress.finish();
    finish(plan, data, &trainer, threads)
}

/// The model of a finished training, measured on the validation images.
fn finish(plan: &Plan, data: &TrainingData, trainer: &Trainer, threads: usize) -> Result<Model> {
    let mut model = trainer.network().to_model()?;
    model.graph = without_dropout(&model.graph)?;
    model.preprocessing = plan.steps.as_ref().map(serde_json::to_value).transpose()?;
    model.labels = plan.labels.clone();
    if !plan.keep_batch_norm {
        model = fold_batch_norm(&model)?;
    }
    let mut record = plan.record();
    if let Some(report) = trainer.last_report() {
        record = record.measure("train_loss", report.loss).measure("train_error", report.error);
    }
    if let Some(validation) = &data.validation {
        let found = Engine::new(&Network::from_model(&model)?, threads)?.evaluate(validation)?;
        record = record.measure("validation_loss", found.loss).measure("validation_error", found.error());
    }
    model.record(record, None);
    model.check()?;
    Ok(model)
}
