//! Progress of training.

use kompakt_engine::{EpochReport, Evaluation, Hooks};

/// Receives the progress of training: each step as [`Hooks`], and each epoch.
pub trait Progress: Hooks {
    /// Training begins; `epochs_done` epochs are done already, restored from a checkpoint.
    fn begin(&mut self, epochs_done: usize) {
        let _ = epochs_done;
    }

    /// An epoch is over.
    fn epoch(&mut self, report: &EpochReport, validation: Option<&Evaluation>) {
        let _ = (report, validation);
    }
}

/// Discards all progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Hooks for NoProgress {}
impl Progress for NoProgress {}
