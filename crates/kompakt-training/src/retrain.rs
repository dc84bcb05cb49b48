//! Pruning while the network trains: masks tighten by a schedule, the remaining weights compensate for the
//! pruned ones.

use crate::{Data, Outcome, Progress};
use kompakt_engine::{
    Engine, EngineError, Evaluation, Gradients, Hooks, Network, Step, TrainOptions, Trainable, Trainer,
};
use kompakt_model::{Block, Model};
use kompakt_prune::{PruneError, Regrowth, Schedule, Target, masks, move_blocks, norms, weights_of};

/// Why a model cannot be pruned and retrained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetrainError {
    /// Target, schedule or model are not right for pruning.
    #[error(transparent)]
    Prune(#[from] PruneError),
    /// Training failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// How a network is pruned and retrained.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How much is kept in the end.
    pub target: Target,
    /// What is kept or dropped together.
    pub block: Block,
    /// When weights are pruned.
    pub schedule: Schedule,
    /// Mask updates per epoch, while the schedule or regrowth needs them.
    pub updates_per_epoch: usize,
    /// Whether pruned connections may come back.
    pub regrowth: Option<Regrowth>,
    /// How the network is trained meanwhile.
    pub train: TrainOptions,
    /// Threads to train on, 0 for all; the result does not depend on it.
    pub threads: usize,
}

/// Prunes and retrains a model; dead units stay (see [`kompakt_prune::remove_dead_units`]).
///
/// The masks reach the target exactly: after the schedule's end none changes but by regrowth, and that keeps the
/// number.
///
/// Errors: weights that are shared already, an invalid target or schedule, and the errors of training.
pub fn retrain(
    model: &mut Model,
    options: &Options,
    data: &Data<'_>,
    progress: &mut dyn Progress,
) -> Result<Outcome, RetrainError> {
    options.target.check(&model.graph)?;
    options.schedule.check()?;
    let weights = weights_of(model)?;
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let norms = norms(&model.graph, &views, options.block);
    let views: Vec<&[f32]> = norms.iter().map(Vec::as_slice).collect();
    let from = options.target.of_now(&views);
    let mut network = Network::from_model(model)?;
    let measure = |network: &Network| -> Result<Option<Evaluation>, RetrainError> {
        let Some(validation) = data.validation else { return Ok(None) };
        Ok(Some(Engine::new(network, options.threads)?.evaluate(validation)?))
    };
    let before = measure(&network)?;
    let layers = mask_all(&mut network);
    let mut pruner = Pruner { from, options, layers, reached: None, gradients: Vec::new() };
    progress.begin(0);
    let mut trainer = Trainer::new(network, options.train.clone(), options.threads)?;
    while !trainer.is_finished() {
        let report = trainer.epoch(data.training, data.loss, &mut (&mut pruner, &mut *progress))?;
        progress.epoch(&report, measure(&trainer.result())?.as_ref());
    }
    let last = trainer.last_report();
    let mut network = trainer.into_network();
    pruner.tighten(&mut network, 1.0);
    network.store(model)?;
    let after = measure(&network)?;
    Ok(Outcome { before, after, epoch: options.train.epochs, last })
}

/// Gives each weight layer a mask; returns their indices among the parameters.
fn mask_all(network: &mut Network) -> Vec<usize> {
    let names: Vec<String> = network.graph().weights().map(|p| p.name.clone()).collect();
    let mut layers = Vec::new();
    for (index, parameter) in network.parameters_mut().iter_mut().enumerate() {
        if names.contains(&parameter.name) {
            layers.push(index);
            if let Trainable::Dense(values) = &mut parameter.weights {
                let values = std::mem::take(values);
                parameter.weights = Trainable::Masked { mask: vec![true; values.len()], values };
            }
        }
    }
    layers
}

/// Tightens masks between steps.
struct Pruner<'a> {
    options: &'a Options,
    /// Where the densities start.
    from: Target,
    /// The weight layers, as indices into the network's parameters.
    layers: Vec<usize>,
    /// The target that the masks follow now.
    reached: Option<Target>,
    /// By weight, layer by layer, of the step before an update; for regrowth.
    gradients: Vec<Vec<f32>>,
}

impl Pruner<'_> {
    fn every(&self, step: &Step) -> usize {
        (step.steps_per_epoch / self.options.updates_per_epoch.max(1)).max(1)
    }

    /// Brings the masks to where the schedule wants them.
    fn tighten(&mut self, network: &mut Network, progress: f64) {
        let schedule = self.options.schedule;
        let now = Target::between(&self.from, &self.options.target, |from, to| {
            schedule.density(progress, from, to)
        });
        if self.reached.as_ref() == Some(&now) {
            return;
        }
        let views: Vec<&[f32]> = self.layers.iter().map(|&i| values(network, i)).collect();
        let found = masks(network.graph(), &views, &now, self.options.block);
        for (&layer, new) in self.layers.iter().zip(found) {
            set_mask(network, layer, new);
        }
        self.reached = Some(now);
    }

    fn regrow(&mut self, network: &mut Network, progress: f64) {
        let Some(regrowth) = self.options.regrowth else { return };
        let shapes: Vec<Vec<usize>> = network.graph().weights().map(|p| p.shape.clone()).collect();
        for ((&layer, gradient), shape) in self.layers.iter().zip(&self.gradients).zip(&shapes) {
            if let Trainable::Masked { values, mask } = &mut network.parameters_mut()[layer].weights {
                let of = (self.options.block, &shape[..]);
                move_blocks(of, values, mask, gradient, regrowth.share(progress));
            }
        }
        self.gradients.clear();
    }
}

fn values(network: &Network, layer: usize) -> &[f32] {
    match &network.parameters()[layer].weights {
        Trainable::Masked { values, .. } => values,
        _ => &[],
    }
}

fn set_mask(network: &mut Network, layer: usize, new: Vec<bool>) {
    let weights = &mut network.parameters_mut()[layer].weights;
    if let Trainable::Masked { mask, .. } = weights {
        *mask = new;
    }
    weights.hold();
}

impl Hooks for Pruner<'_> {
    fn before_step(&mut self, step: &Step, network: &mut Network) {
        let progress = step.progress();
        let is_due = step.count().is_multiple_of(self.every(step));
        if is_due || progress >= self.options.schedule.end() {
            self.tighten(network, progress);
        }
        if is_due && self.options.regrowth.is_some_and(|r| progress < r.until) {
            self.regrow(network, progress);
        }
    }

    fn weight_gradients(&mut self, step: &Step, _: &Network, gradients: &Gradients) {
        if self.options.regrowth.is_some() && (step.count() + 1).is_multiple_of(self.every(step)) {
            self.gradients = self.layers.iter().map(|&i| gradients[i].clone().unwrap_or_default()).collect();
        }
    }
}
