//! What a network is trained on and measured by.

use kompakt_engine::{Examples, Loss};

/// Examples and a loss, for each of the three kinds of training.
pub struct Data<'a> {
    /// Examples to train on.
    pub training: &'a dyn Examples,
    /// Examples to measure on, before, after and between; none: nothing is measured, and the last epoch goes out.
    pub validation: Option<&'a dyn Examples>,
    /// What training makes small.
    pub loss: &'a dyn Loss,
}
