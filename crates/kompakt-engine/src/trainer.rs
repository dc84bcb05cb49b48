//! Training: batches through the network, gradients back, weights moved.

use crate::{
    average::Means,
    backend::{Executor, Moment, StepResult},
    engine::{Evaluation, check_examples},
    error::EngineError,
    examples::Examples,
    hooks::{Hooks, Step},
    loss::{CrossEntropy, Loss},
    network::Network,
    optimizer::{Moments, StepSize},
    options::TrainOptions,
    random::Random,
    trainable::Trainable,
};
use kompakt_graph::ParamRole;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Metrics of one training epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean loss over the examples as they were trained on, penalties not counted.
    pub loss: f64,
    /// Share of them that the network got wrong, 0 to 1.
    pub error: f64,
    /// Mean of the penalties over the steps.
    pub penalty: f64,
}

/// A network being trained.
///
/// ```
/// use kompakt_engine::{CrossEntropy, ExampleTable, Network, TrainOptions, Trainer};
/// # let graph = kompakt_graph::networks::mlp(&[2], &[8], 2)?;
/// let values = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let xor = ExampleTable { shape: vec![2], values, labels: vec![0, 1, 1, 0] };
/// let options = TrainOptions { epochs: 200, batch: 4, learning_rate: 0.05, ..TrainOptions::default() };
/// let mut trainer = Trainer::new(Network::random(&graph, 1)?, options, 1)?;
/// while !trainer.is_finished() {
///     let report = trainer.epoch(&xor, &CrossEntropy::default(), &mut ())?;
///     assert!(report.loss.is_finite());
/// }
/// assert_eq!(trainer.evaluate(&xor)?.error(), 0.0);
/// # Ok::<(), kompakt_engine::EngineError>(())
/// ```
pub struct Trainer {
    pub(crate) network: Network,
    pub(crate) options: TrainOptions,
    pub(crate) moments: Vec<Moments>,
    pub(crate) means: Means,
    pub(crate) epochs_done: usize,
    pub(crate) last: Option<EpochReport>,
    executor: Executor,
}

/// Weight of a batch's statistics in the running ones (PyTorch's default).
const STATISTICS_MOMENTUM: f32 = 0.1;

impl Trainer {
    /// Prepares a network for training on `threads` threads (0: as many as there are; the result does not depend on
    /// it).
    ///
    /// Errors: operators that the engine does not run, all of them; invalid options.
    pub fn new(network: Network, options: TrainOptions, threads: usize) -> Result<Self, EngineError> {
        options.check()?;
        network.check()?;
        let executor = Executor::new(network.graph(), threads)?;
        let moments = vec![Moments::default(); network.parameters().len()];
        let means = Means::default();
        Ok(Self { network, options, moments, means, epochs_done: 0, last: None, executor })
    }

    /// The network as it is now, as the next step sees it.
    pub fn network(&self) -> &Network {
        &self.network
    }
    /// The network as training would leave it now: with the running mean of the weights, if the options ask for one.
    pub fn result(&self) -> Cow<'_, Network> {
        if self.options.average == 0.0 {
            return Cow::Borrowed(&self.network);
        }
        Cow::Owned(self.means.of(&self.network))
    }
    /// The network, to be changed between epochs.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }
    /// The network, after training: [`Trainer::result`].
    pub fn into_network(self) -> Network {
        if self.options.average == 0.0 { self.network } else { self.means.of(&self.network) }
    }
    /// The options.
    pub fn options(&self) -> &TrainOptions {
        &self.options
    }
    /// Epochs done so far.
    pub fn epochs_done(&self) -> usize {
        self.epochs_done
    }
    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.epochs_done >= self.options.epochs
    }
    /// Metrics of the last epoch.
    pub fn last_report(&self) -> Option<EpochReport> {
        self.last
    }

    /// Cross-entropy and error of [`Trainer::result`].
    pub fn evaluate(&self, examples: &dyn Examples) -> Result<Evaluation, EngineError> {
        check_examples(self.network.graph(), examples)?;
        let weights = self.executor.tensors(self.result().effective());
        let found = self.executor.evaluate(&weights, examples, &CrossEntropy::default());
        Ok(Evaluation::new(found, examples.len()))
    }

    /// Trains for one epoch: every example once, in an order that depends on seed and epoch.
    ///
    /// The loss sees the network's output; if a softmax produces it, the input of that softmax.
    ///
    /// Errors: data that do not fit, a loss that is not finite.
    pub fn epoch(
        &mut self,
        examples: &dyn Examples,
        loss: &dyn Loss,
        hooks: &mut dyn Hooks,
    ) -> Result<EpochReport, EngineError> {
        check_examples(self.network.graph(), examples)?;
        let epoch = self.epochs_done;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        Random::at(&[ORDER, self.options.seed, epoch as u64]).shuffle(&mut order);
        let batches = self.batches(&order);
        let steps_per_epoch = batches.len();
        let (mut sum, mut errors, mut penalties, mut seen) = (0.0, 0, 0.0, 0);
        for (index, batch) in batches.into_iter().enumerate() {
            let step = Step { epoch, step: index, steps_per_epoch, epochs: self.options.epochs };
            let (found, penalty) = self.step((examples, batch), loss, hooks, step)?;
            sum += found.loss;
            errors += found.errors;
            penalties += penalty;
            seen += batch.len();
            hooks.after_step(&step, sum / seen as f64, errors as f64 / seen as f64);
        }
        self.epochs_done += 1;
        let report = EpochReport {
            epoch: self.epochs_done,
            loss: sum / seen as f64,
            error: errors as f64 / seen as f64,
            penalty: penalties / steps_per_epoch as f64,
        };
        self.last = Some(report);
        Ok(report)
    }

    /// Batches of the requested size; a remainder smaller than half a batch joins the last.
    fn batches<'a>(&self, order: &'a [usize]) -> Vec<&'a [usize]> {
        let size = self.options.batch;
        let mut batches: Vec<&[usize]> = order.chunks(size).collect();
        let rest = order.len() % size;
        if rest > 0 && rest * 2 < size && batches.len() > 1 {
            batches.pop();
            batches.pop();
            batches.push(&order[order.len() - rest - size..]);
        }
        batches
    }

    fn step(
        &mut self,
        batch: (&dyn Examples, &[usize]),
        loss: &dyn Loss,
        hooks: &mut dyn Hooks,
        step: Step,
    ) -> Result<(StepResult, f64), EngineError> {
        hooks.before_step(&step, &mut self.network);
        let asked: Vec<bool> =
            self.network.parameters().iter().map(|p| p.trained && !p.is_statistic()).collect();
        let moment = Moment { seed: self.options.seed, epoch: step.epoch as u64, step: step.step as u64 };
        let mut found = self.executor.step(self.network.effective(), &asked, batch, loss, moment);
        if !found.loss.is_finite() {
            let loss = found.loss / batch.1.len() as f64;
            return Err(EngineError::Diverged { epoch: step.epoch + 1, step: step.step + 1, loss });
        }
        hooks.weight_gradients(&step, &self.network, &found.gradients);
        for (parameter, gradient) in self.network.parameters().iter().zip(&mut found.gradients) {
            if let Some(by_weight) = gradient.take() {
                *gradient = Some(parameter.weights.pull_back(by_weight));
            }
        }
        let penalty = hooks.penalty(&step, &self.network, &mut found.gradients);
        self.update(&found.gradients, step);
        self.follow_statistics(&found);
        if self.options.average > 0.0 {
            self.means.follow(&self.network, self.options.average);
        }
        Ok((found, penalty))
    }

    fn update(&mut self, gradients: &[Option<Vec<f32>>], step: Step) {
        let options = &self.options;
        let factor = options.schedule.factor(
            step.epochs_done() + 0.5 / step.steps_per_epoch as f64,
            options.epochs as f64,
            f64::from(options.warmup_epochs),
        );
        let gradient_scale = match options.clip_norm {
            Some(limit) => clip(gradients, limit),
            None => 1.0,
        };
        let all = self.network.parameters_mut().iter_mut().zip(&mut self.moments).zip(gradients);
        for ((parameter, moments), gradient) in all {
            let Some(gradient) = gradient else { continue };
            let decays = parameter.role == ParamRole::Weight;
            let size = StepSize {
                learning_rate: (f64::from(options.learning_rate) * factor) as f32,
                weight_decay: if decays { options.weight_decay } else { 0.0 },
                gradient_scale,
            };
            moments.step(&options.optimizer, parameter.weights.latent_mut(), gradient, size);
            if let Trainable::Masked { mask, .. } = &parameter.weights {
                moments.hold(mask);
                parameter.weights.hold();
            }
        }
    }

    /// Moves running means and variances towards those of the batch.
    fn follow_statistics(&mut self, found: &StepResult) {
        for s in &found.statistics {
            let unbiased = s.n as f32 / (s.n as f32 - 1.0).max(1.0);
            let name = self.network.graph().nodes()[s.node].name.clone();
            let mut follow = |suffix: &str, seen: &[f32], scale: f32| {
                if let Some(p) = self.network.parameter_mut(&format!("{name}.{suffix}")) {
                    let running = p.weights.latent_mut().iter_mut();
                    running.zip(seen).for_each(|(r, s)| *r += STATISTICS_MOMENTUM * (s * scale - *r));
                }
            };
            follow("running_mean", &s.moments.mean, 1.0);
            follow("running_var", &s.moments.variance, unbiased);
        }
    }
}

/// The factor that scales gradients to a norm of at most `limit`.
fn clip(gradients: &[Option<Vec<f32>>], limit: f32) -> f32 {
    let square = |g: &f32| f64::from(*g) * f64::from(*g);
    let norm = gradients.iter().flatten().flatten().map(square).sum::<f64>().sqrt();
    if norm > f64::from(limit) { (f64::from(limit) / norm) as f32 } else { 1.0 }
}

/// Distinguishes the random order of examples from other random streams.
const ORDER: u64 = 0x6f72_6465;
