//! Callbacks of training: masks that change, penalties on weights, progress.

use crate::network::Network;

/// A step of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Epochs finished before this step.
    pub epoch: usize,
    /// Steps finished in this epoch.
    pub step: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
}

impl Step {
    /// How much of the training is done, 0 to below 1.
    pub fn progress(&self) -> f64 {
        self.epochs_done() / (self.epochs as f64).max(1.0)
    }
    /// Epochs done so far, with the part of the current one.
    pub fn epochs_done(&self) -> f64 {
        self.epoch as f64 + self.step as f64 / self.steps_per_epoch as f64
    }
    /// Steps since the start.
    pub fn count(&self) -> usize {
        self.epoch * self.steps_per_epoch + self.step
    }
}

/// Gradients of one step, one entry per parameter in the order of the graph; none for those not trained.
pub type Gradients = [Option<Vec<f32>>];

/// Callbacks during training; every method does nothing unless overridden. `()` has no callbacks.
pub trait Hooks {
    /// Before a step. The place to change masks and parameterisations.
    fn before_step(&mut self, step: &Step, network: &mut Network) {
        let _ = (step, network);
    }

    /// After the backward pass: gradients by the weights that the network computed with, pruned ones included
    /// (used by regrowth).
    fn weight_gradients(&mut self, step: &Step, network: &Network, gradients: &Gradients) {
        let _ = (step, network, gradients);
    }

    /// A term of the loss that depends on the weights: adds its gradient to `gradients` (by latent values)
    /// and returns its value.
    fn penalty(&mut self, step: &Step, network: &Network, gradients: &mut Gradients) -> f64 {
        let _ = (step, network, gradients);
        0.0
    }

    /// After a step, with mean loss and error (0 to 1) of the epoch so far.
    fn after_step(&mut self, step: &Step, loss: f64, error: f64) {
        let _ = (step, loss, error);
    }
}

impl Hooks for () {}

/// One after the other.
impl<A: Hooks + ?Sized, B: Hooks + ?Sized> Hooks for (&mut A, &mut B) {
    fn before_step(&mut self, step: &Step, network: &mut Network) {
        self.0.before_step(step, network);
        self.1.before_step(step, network);
    }
    fn weight_gradients(&mut self, step: &Step, network: &Network, gradients: &Gradients) {
        self.0.weight_gradients(step, network, gradients);
        self.1.weight_gradients(step, network, gradients);
    }
    fn penalty(&mut self, step: &Step, network: &Network, gradients: &mut Gradients) -> f64 {
        self.0.penalty(step, network, gradients) + self.1.penalty(step, network, gradients)
    }
    fn after_step(&mut self, step: &Step, loss: f64, error: f64) {
        self.0.after_step(step, loss, error);
        self.1.after_step(step, loss, error);
    }
}
