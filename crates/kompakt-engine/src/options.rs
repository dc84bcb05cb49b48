//! How a network is trained: optimiser, learning rate over time, regularisation.

use crate::error::EngineError;
use serde::{Deserialize, Serialize};

/// The optimiser: how gradients change weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "name")]
pub enum Optimizer {
    /// Stochastic gradient descent: `v = momentum v + g`, `w -= lr v`; with Nesterov `w -= lr (g + momentum v)`.
    /// Weight decay is added to the gradient.
    Sgd {
        /// 0 to below 1.
        momentum: f32,
        /// Whether to look ahead. Source: Sutskever 2013.
        nesterov: bool,
    },
    /// Adam (Kingma 2015); weight decay is added to the gradient.
    Adam {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root of the latter.
        epsilon: f32,
    },
    /// Adam with weight decay decoupled from the gradient (Loshchilov 2019): `w -= lr decay w`.
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root of the latter.
        epsilon: f32,
    },
}

impl Optimizer {
    /// SGD with momentum 0.9.
    pub const SGD: Self = Self::Sgd { momentum: 0.9, nesterov: false };
    /// SGD with Nesterov's momentum 0.9.
    pub const NESTEROV: Self = Self::Sgd { momentum: 0.9, nesterov: true };
    /// Adam with the paper's constants.
    pub const ADAM: Self = Self::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    /// AdamW with the paper's constants.
    pub const ADAMW: Self = Self::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { nesterov: false, .. } => "sgd",
            Self::Sgd { nesterov: true, .. } => "nesterov",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
        }
    }
}

/// The learning rate over time, as a factor of its base value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "name")]
pub enum Schedule {
    /// Always 1.
    Constant,
    /// From 1 along half a cosine to `end`. Source: Loshchilov 2017.
    Cosine {
        /// The last factor.
        end: f32,
    },
    /// Times `factor` after every `every` epochs.
    Step {
        /// How many epochs a step lasts.
        every: f32,
        /// The factor of a step.
        factor: f32,
    },
}

impl Schedule {
    /// The factor at `time` of `total` epochs (may be fractional); it rises linearly from 0 over the first
    /// `warmup`.
    pub fn factor(&self, time: f64, total: f64, warmup: f64) -> f64 {
        if time < warmup {
            return time / warmup;
        }
        match *self {
            Self::Constant => 1.0,
            Self::Cosine { end } => {
                let part = ((time - warmup) / (total - warmup).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
                let end = f64::from(end);
                end + (1.0 - end) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
            Self::Step { every, factor } => f64::from(factor).powi((time / f64::from(every)).floor() as i32),
        }
    }

    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Cosine { .. } => "cosine",
            Self::Step { .. } => "step",
        }
    }
}

/// All that determines the result of training, besides the network, its data and the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainOptions {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples per step.
    pub batch: usize,
    /// The base learning rate.
    pub learning_rate: f32,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// The learning rate schedule.
    pub schedule: Schedule,
    /// Epochs over which the learning rate rises from 0.
    pub warmup_epochs: f32,
    /// Decay of weights; biases and batch norms are left alone.
    pub weight_decay: f32,
    /// The largest norm of the gradient of all parameters; larger ones are scaled down.
    pub clip_norm: Option<f32>,
    /// The running mean of the weights is the result: what is left of it at a step, 0 to below 1; 0 keeps the last
    /// weights. Source: Polyak 1992.
    #[serde(default)]
    pub average: f32,
    /// The seed of all random numbers.
    pub seed: u64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch: 64,
            learning_rate: 1e-3,
            optimizer: Optimizer::ADAM,
            schedule: Schedule::Cosine { end: 0.0 },
            warmup_epochs: 0.0,
            weight_decay: 0.0,
            clip_norm: None,
            average: 0.0,
            seed: 1,
        }
    }
}

impl TrainOptions {
    /// Refuses invalid values.
    pub fn check(&self) -> Result<(), EngineError> {
        let fail = |name, problem: &str| Err(EngineError::Option { name, problem: problem.to_string() });
        let positive = |x: f32| x > 0.0 && x.is_finite();
        if self.batch == 0 {
            return fail("batch", "must be at least 1");
        }
        if !positive(self.learning_rate) {
            return fail("learning rate", "must be above 0");
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return fail("weight decay", "must be at least 0");
        }
        if !(self.warmup_epochs >= 0.0 && self.warmup_epochs.is_finite()) {
            return fail("warm-up", "must be at least 0 epochs");
        }
        if self.clip_norm.is_some_and(|c| !positive(c)) {
            return fail("clip norm", "must be above 0");
        }
        match self.schedule {
            Schedule::Step { every, factor } if !positive(every) || !positive(factor) => {
                return fail("schedule", "step needs epochs and a factor above 0");
            }
            Schedule::Cosine { end } if !(0.0..=1.0).contains(&end) => {
                return fail("schedule", "cosine ends between 0 and 1");
            }
            _ => {}
        }
        let share = |x: f32| (0.0..1.0).contains(&x);
        if !share(self.average) {
            return fail("average", "must be at least 0 and below 1");
        }
        match self.optimizer {
            Optimizer::Sgd { momentum, .. } if !share(momentum) => {
                fail("momentum", "must be at least 0 and below 1")
            }
            Optimizer::Adam { beta1, beta2, epsilon } | Optimizer::AdamW { beta1, beta2, epsilon }
                if !share(beta1) || !share(beta2) || !positive(epsilon) =>
            {
                fail("optimizer", "betas must be at least 0 and below 1, epsilon above 0")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_hit_their_marks() {
        let cosine = Schedule::Cosine { end: 0.1 };
        assert_eq!(cosine.factor(0.0, 10.0, 2.0), 0.0);
        assert_eq!(cosine.factor(1.0, 10.0, 2.0), 0.5);
        assert!((cosine.factor(2.0, 10.0, 2.0) - 1.0).abs() < 1e-7);
        assert!((cosine.factor(6.0, 10.0, 2.0) - 0.55).abs() < 1e-7);
        assert!((cosine.factor(10.0, 10.0, 2.0) - 0.1).abs() < 1e-7);
        let step = Schedule::Step { every: 3.0, factor: 0.5 };
        assert_eq!([0.0, 2.9, 3.0, 6.0].map(|t| step.factor(t, 10.0, 0.0)), [1.0, 1.0, 0.5, 0.25]);
    }
}
