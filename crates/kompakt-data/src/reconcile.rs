//! Whether a data set still needs a network's steps.

use crate::{dataset::Dataset, error::DataError};
use kompakt_prep::Pipeline;

/// What is to be done with a data set before a network reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconciled {
    /// The images are raw: the network's steps are applied.
    Apply,
    /// The images were prepared by the same steps.
    AlreadyApplied,
}

/// Compares the steps that made a data set with those of a network.
///
/// Raw images of the shape that the steps take get the steps; images prepared by steps of the same hash are used as
/// they are.
///
/// Errors: [`DataError::Steps`] for anything else, with both lists of steps.
pub fn reconcile(data: &Dataset, steps: &Pipeline) -> Result<Reconciled, DataError> {
    match data.prepared() {
        Some(made_by) if made_by.hash() == steps.hash() => Ok(Reconciled::AlreadyApplied),
        Some(made_by) => Err(DataError::Steps(format!(
            "the data set was prepared by {}, the network needs {}; use the raw data set, or prepare it again",
            describe(made_by),
            describe(steps)
        ))),
        None if data.shape() == steps.input_shape() => Ok(Reconciled::Apply),
        None => Err(DataError::Steps(format!(
            "the data set has images of {:?}, the network takes {:?}",
            data.dims(),
            steps.input_shape().dims()
        ))),
    }
}

/// The data set as a network with these steps reads it.
///
/// Errors: as [`reconcile`].
pub fn prepare(data: Dataset, steps: &Pipeline) -> Result<Dataset, DataError> {
    match reconcile(&data, steps)? {
        Reconciled::AlreadyApplied => Ok(data),
        Reconciled::Apply if steps.is_identity() => Ok(data),
        Reconciled::Apply => data.apply(steps),
    }
}

/// `deskew, gradients (0123456789abcdef)`.
fn describe(steps: &Pipeline) -> String {
    let names: Vec<&str> = steps.steps().iter().map(|step| step.name()).collect();
    let names = if names.is_empty() { "no steps".into() } else { names.join(", ") };
    format!("{names} ({})", steps.hash_hex())
}
