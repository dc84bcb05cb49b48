//! The training itself, from a plan to a model.

use crate::{
    Data, Progress,
    train::{
        dropout::{with_dropout, without_dropout},
        error::TrainError,
        plan::Plan,
    },
};
use kompakt_engine::{Engine, Network, Trainer};
use kompakt_model::{Model, fold_batch_norm};
use std::path::Path;

/// Trains a network.
///
/// With a `checkpoint`, the state is kept there after every epoch, and resumed from there if the file exists: the
/// model is the same, byte for byte, as without a stop in between.
///
/// Errors: what the engine refuses; a checkpoint of another run.
pub fn train(
    plan: &Plan,
    data: &Data<'_>,
    threads: usize,
    checkpoint: Option<&Path>,
    progress: &mut dyn Progress,
) -> Result<Model, TrainError> {
    let graph = with_dropout(&plan.graph, plan.dropout)?;
    let options = plan.recipe.options.clone();
    let mut network = Network::random(&graph, options.seed)?;
    if let Some(projection) = &plan.projection {
        projection.begin(&mut network);
    }
    let mut trainer = Trainer::new(network, options, threads)?;
    let run = plan.run(data.training.len())?;
    if let Some(path) = checkpoint.filter(|p| p.exists()) {
        trainer.restore(path, &run)?;
    }
    progress.begin(trainer.epochs_done());
    while !trainer.is_finished() {
        let report = trainer.epoch(data.training, data.loss, progress)?;
        let validation = data.validation.map(|v| trainer.evaluate(v)).transpose()?;
        progress.epoch(&report, validation.as_ref());
        if let Some(path) = checkpoint {
            trainer.save(path, &run).map_err(TrainError::State)?;
        }
    }
    finish(plan, data, &trainer, threads)
}

/// The model of a finished training, measured on the validation images.
fn finish(plan: &Plan, data: &Data<'_>, trainer: &Trainer, threads: usize) -> Result<Model, TrainError> {
    let mut model = trainer.result().to_model()?;
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
    if let Some(validation) = data.validation {
        let found = Engine::new(&Network::from_model(&model)?, threads)?.evaluate(validation)?;
        record = record.measure("validation_loss", found.loss).measure("validation_error", found.error());
    }
    model.record(record, None);
    model.check()?;
    Ok(model)
}
