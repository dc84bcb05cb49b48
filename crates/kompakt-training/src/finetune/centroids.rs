//! The training itself.

use crate::{
    Data, Outcome, Progress,
    finetune::{error::FinetuneError, settled::settled},
};
use kompakt_engine::{CentroidGradient, Engine, Evaluation, Network, TrainOptions, Trainable, Trainer};
use kompakt_model::Model;

/// How a model is fine-tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How a centroid's gradient is computed.
    pub centroid_gradient: CentroidGradient,
    /// Which epoch's weights are returned.
    pub select: Select,
    /// Epochs, optimiser, schedule, seed.
    pub train: TrainOptions,
    /// Threads to train on, 0 for all; the result does not depend on it.
    pub threads: usize,
}

/// Which weights are returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// Those after the last epoch.
    Last,
    /// Those of least validation error, then least validation loss, rounded as they are returned; the input model
    /// is a candidate.
    Best,
}

/// Moves the centroids and biases of a model; codes and masks stay.
///
/// Errors: a model without shared weights, and the errors of training.
pub fn finetune(
    model: &mut Model,
    options: &Options,
    data: &Data<'_>,
    progress: &mut dyn Progress,
) -> Result<Outcome, FinetuneError> {
    if !model.is_clustered() {
        return Err(FinetuneError::NotShared);
    }
    let mut network = Network::from_model(model)?;
    for parameter in network.parameters_mut() {
        if let Trainable::Shared { gradient, .. } = &mut parameter.weights {
            *gradient = options.centroid_gradient;
        }
    }
    let measure = |model: &Model| -> Result<Option<Evaluation>, FinetuneError> {
        let Some(validation) = data.validation else { return Ok(None) };
        let engine = Engine::new(&Network::from_model(model)?, options.threads)?;
        Ok(Some(engine.evaluate(validation)?))
    };
    let before = measure(model)?;
    progress.begin(0);
    let mut trainer = Trainer::new(network, options.train.clone(), options.threads)?;
    let mut chosen = (0, model.clone(), before);
    while !trainer.is_finished() {
        let report = trainer.epoch(data.training, data.loss, progress)?;
        let candidate = settled(model, &trainer.result())?;
        let found = measure(&candidate)?;
        progress.epoch(&report, found.as_ref());
        if options.select == Select::Last || is_better(found, chosen.2) {
            chosen = (report.epoch, candidate, found);
        }
    }
    let (epoch, result, after) = chosen;
    *model = result;
    Ok(Outcome { before, after, epoch, last: trainer.last_report() })
}

fn is_better(new: Option<Evaluation>, old: Option<Evaluation>) -> bool {
    match (new, old) {
        (Some(new), Some(old)) => (new.n_errors, new.loss) < (old.n_errors, old.loss),
        _ => true,
    }
}
