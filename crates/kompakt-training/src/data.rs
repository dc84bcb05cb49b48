//! Training and validation data, with the loss.

use kompakt_engine::{Examples, Loss};

/// Examples and a loss, for each of the three kinds of training.
pub struct Data<'a> {
    /// Examples to train on.
    pub training: &'a dyn Examples,
    /// Examples to measure on, before, after and between; without them nothing is measured, and the last
    /// epoch is returned.
    pub validation: Option<&'a dyn Examples>,
    /// The training objective.
    pub loss: &'a dyn Loss,
}
