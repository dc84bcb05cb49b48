//! From outputs to classes.

use crate::program::{OperationKind, Program};
use alloc::vec::Vec;

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The class; [`Model::label`](crate::Model::label) names it.
    pub class: usize,
    /// 0 to 1.
    pub probability: f32,
}

/// The most likely classes, most likely first; ties go to the lower class.
pub(super) fn likeliest(probabilities: &[f32], top: usize, predictions: &mut Vec<Prediction>) {
    predictions.clear();
    predictions.extend(
        probabilities.iter().enumerate().map(|(class, &probability)| Prediction { class, probability }),
    );
    predictions.sort_unstable_by(|a, b| b.probability.total_cmp(&a.probability).then(a.class.cmp(&b.class)));
    predictions.truncate(top);
}

/// Whether the first output comes from a softmax, ignoring reshapes.
pub(super) fn ends_in_softmax(program: &Program) -> bool {
    let mut value = program.outputs().first().copied();
    while let Some(operation) = program.operations().iter().find(|op| Some(op.output) == value) {
        match operation.kind {
            OperationKind::Softmax { .. } => return true,
            OperationKind::Reshape => value = operation.inputs.first().copied(),
            _ => return false,
        }
    }
    false
}
