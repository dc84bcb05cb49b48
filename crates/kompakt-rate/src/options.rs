//! Options of rate-aware training.

use crate::{error::RateError, loss::Distillation, supply::BLOCK};
use kompakt_model::Block;

/// Options of rate-aware training.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The target size of the file, packed for the smallest tier in the compact form.
    pub target_bytes: u64,
    /// Total number of steps.
    pub steps: usize,
    /// Examples per step: a multiple of 64.
    pub batch: usize,
    /// Learning rate at the start; it falls along half a cosine to a hundredth.
    pub learning_rate: f32,
    /// Share of the weights that are not 0 kept at the start, the largest, 0 to 1; one entry for all layers or one each.
    pub first_density: Vec<f64>,
    /// Units that each hidden layer keeps at the start, the strongest; empty: all of them.
    pub first_units: Vec<usize>,
    /// What is kept or dropped together.
    pub block: Block,
    /// Levels per layer; one entry for all layers or one each.
    pub levels: Vec<usize>,
    /// Bits of a level on its grid.
    pub level_bits: u32,
    /// Bits of a bias on its grid.
    pub bias_bits: u32,
    /// Steps between two changes of the connections.
    pub every: usize,
    /// The cost of a unit at the start besides its connections and its bias, in bits; zero once the target
    /// is reached.
    pub unit_bits: f32,
    /// Share of the connections that may be added at a change, at the start.
    pub regrow: f64,
    /// The part of the steps after which the target is reached.
    pub target_at: f64,
    /// The part of the steps after which weights are shared.
    pub share_from: f64,
    /// The parts of the steps between which levels become fixed.
    pub settle: (f64, f64),
    /// The teacher's share of the loss.
    pub distillation: Distillation,
    /// Seed of all random choices.
    pub seed: u64,
}

impl Options {
    /// Errors: values out of range.
    pub fn check(&self, n_layers: usize) -> Result<(), RateError> {
        let wrong = |name, problem: &str| Err(RateError::Option { name, problem: problem.to_string() });
        if self.batch == 0 || !self.batch.is_multiple_of(BLOCK) {
            return wrong("--batch", "a multiple of 64 is wanted");
        }
        if self.steps < 100 || self.every == 0 {
            return wrong("--steps", "100 or more are wanted, and --every at least 1");
        }
        if self.levels.iter().any(|n| !(1..=64).contains(n)) || ![1, n_layers].contains(&self.levels.len()) {
            return wrong("--levels", &format!("one number of 1 to 64, or {n_layers} of them, one a layer"));
        }
        if !(3..=16).contains(&self.level_bits) || !(3..=16).contains(&self.bias_bits) {
            return wrong("--level-bits, --bias-bits", "3 to 16");
        }
        let parts = [0.0, self.share_from, self.settle.0, self.settle.1, 1.0];
        if !parts.is_sorted() || !(0.0..=1.0).contains(&self.target_at) {
            return wrong(
                "--target-at, --share-from, --settle-from, --settle-to",
                "parts of the steps from 0 to 1, in ascending order",
            );
        }
        let densities = &self.first_density;
        if ![1, n_layers].contains(&densities.len()) || densities.iter().any(|d| !(0.0..=1.0).contains(d)) {
            return wrong(
                "--first-density",
                &format!("one number of 0 to 1, or {n_layers} of them, one a layer"),
            );
        }
        let units = &self.first_units;
        if ![0, n_layers - 1].contains(&units.len()) || units.contains(&0) {
            return wrong(
                "--first-units",
                &format!("{} numbers of 1 or more, one a hidden layer", n_layers - 1),
            );
        }
        if !(self.unit_bits >= 0.0 && self.unit_bits.is_finite()) {
            return wrong("--unit-bits", "a number of at least 0");
        }
        if !(0.0..=1.0).contains(&self.regrow) {
            return wrong("--regrow", "0 to 1");
        }
        if !(0.0..=1.0).contains(&self.distillation.share)
            || !(0.1..=100.0).contains(&self.distillation.temperature)
        {
            return wrong("--distill, --temperature", "0 to 1, and 0.1 to 100");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return wrong("--lr", "a number above 0 is wanted");
        }
        Ok(())
    }

    /// Levels of a layer.
    pub(crate) fn levels_of(&self, layer: usize) -> usize {
        self.levels[layer.min(self.levels.len() - 1)]
    }

    /// Share of a layer's weights kept at the start.
    pub(crate) fn first_density_of(&self, layer: usize) -> f64 {
        self.first_density[layer.min(self.first_density.len() - 1)]
    }

    /// The step after that share of them.
    pub(crate) fn at(&self, part: f64) -> usize {
        (self.steps as f64 * part) as usize
    }
}
