//! When weights are pruned: in one shot, in rounds, or gradually during training.

use crate::error::PruneError;

/// How the density falls while the network is retrained.
///
/// Progress runs from 0 to 1 over the epochs of retraining. Densities are those of [`crate::Target`], `from` where
/// the network comes in and `to` the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// `to` before the first step.
    OneShot,
    /// By equal factors: before round `i` of `rounds` to `from (to / from)^((i + 1) / rounds)`. The paper's
    /// way.
    Iterative {
        /// How many times weights are cut.
        rounds: usize,
    },
    /// `to + (from - to) (1 - progress / ramp)^3`, and `to` after the ramp. Source: Zhu, Gupta 2017.
    Gradual {
        /// The part of the training during which weights are pruned, above 0, at most 1.
        ramp: f64,
    },
}

impl Schedule {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), PruneError> {
        match *self {
            Self::Iterative { rounds: 0 } => {
                Err(PruneError::Schedule("needs at least one round".to_string()))
            }
            Self::Gradual { ramp } if !(ramp > 0.0 && ramp <= 1.0) => {
                Err(PruneError::Schedule(format!("the ramp is {ramp}; it must be above 0 and at most 1")))
            }
            _ => Ok(()),
        }
    }

    /// The density at some progress.
    pub fn density(&self, progress: f64, from: f64, to: f64) -> f64 {
        match *self {
            Self::OneShot => to,
            Self::Iterative { rounds } => {
                let round = (progress.clamp(0.0, 1.0) * rounds as f64).floor().min(rounds as f64 - 1.0);
                if from <= 0.0 || to <= 0.0 {
                    to
                } else {
                    from * (to / from).powf((round + 1.0) / rounds as f64)
                }
            }
            Self::Gradual { ramp } => to + (from - to) * (1.0 - progress / ramp).max(0.0).powi(3),
        }
    }

    /// The progress from which the density is the target.
    pub fn end(&self) -> f64 {
        match *self {
            Self::OneShot => 0.0,
            Self::Iterative { rounds } => (rounds as f64 - 1.0) / rounds as f64,
            Self::Gradual { ramp } => ramp,
        }
    }
}
