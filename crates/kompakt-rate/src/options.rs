//! What decides how a network is trained for a rate.

use crate::{error::RateError, loss::Distillation, supply::BLOCK};

/// How a network is trained for a rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The file to reach, packed for the smallest tier with nothing left in that is not needed.
    pub target_bytes: u64,
    /// Steps in all.
    pub steps: usize,
    /// Examples a step: a multiple of 64.
    pub batch: usize,
    /// Learning rate at the start; it falls along half a cosine to a hundredth.
    pub learning_rate: f32,
    /// Part of the largest weights kept at the start, 0 to 1; one entry for all layers or one each.
    pub first_density: Vec<f64>,
    /// Units that each hidden layer keeps at the start, the strongest; empty: all of them.
    pub first_units: Vec<usize>,
    /// Levels a layer; one entry for all layers or one each.
    pub levels: Vec<usize>,
    /// Bits of a level on its grid.
    pub level_bits: u32,
    /// Bits of a bias on its grid.
    pub bias_bits: u32,
    /// Steps between two changes of the connections.
    pub every: usize,
    /// What a unit costs at the start beside its connections and its bias, in bits; nothing any more once the target
    /// is reached.
    pub unit_bits: f32,
    /// Part of the connections that may come in at a change, at the start.
    pub regrow: f64,
    /// The part of the steps after which the target is reached.
    pub target_at: f64,
    /// The part of the steps after which weights are shared.
    pub share_from: f64,
    /// The parts of the steps between which levels become fixed.
    pub settle: (f64, f64),
    /// The teacher's part.
    pub distillation: Distillation,
    /// All random choices.
    pub seed: u64,
}

impl Options {
    /// Errors: numbers that cannot be.
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

    /// Part of a layer's weights kept at the start.
    pub(crate) fn first_density_of(&self, layer: usize) -> f64 {
        self.first_density[layer.min(self.first_density.len() - 1)]
    }

    /// The step after that part of them.
    pub(crate) fn at(&self, part: f64) -> usize {
        (self.steps as f64 * part) as usize
    }
}
