//! The outcome of training a model.

use kompakt_engine::{EpochReport, Evaluation};
use kompakt_model::StageRecord;

/// A model's error before and after, and the training between.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// On validation data, as the model came in.
    pub before: Option<Evaluation>,
    /// On validation data, as it went out.
    pub after: Option<Evaluation>,
    /// The epoch whose weights went out; 0 is the model as it came in.
    pub epoch: usize,
    /// The last epoch, if there was one.
    pub last: Option<EpochReport>,
}

impl Outcome {
    /// Writes the measured figures into a stage's record.
    pub fn record(&self, mut record: StageRecord) -> StageRecord {
        if let Some(before) = self.before {
            record = record.measure("validation_error_before", before.error());
        }
        if let Some(after) = self.after {
            record = record.measure("validation_error", after.error()).measure("validation_loss", after.loss);
        }
        match self.last {
            Some(last) => record.measure("train_loss", last.loss).measure("train_error", last.error),
            None => record,
        }
    }
}
