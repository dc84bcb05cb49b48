//! How training tells whoever watches it.

use kompakt_engine::{EpochReport, Evaluation, Hooks};

/// Hears how training gets on: every step by the [`Hooks`] that it is, and every epoch.
pub trait Progress: Hooks {
    /// Training begins; `epochs_done` epochs are done already, by a checkpoint.
    fn begin(&mut self, epochs_done: usize) {
        let _ = epochs_done;
    }

    /// An epoch is over.
    fn epoch(&mut self, report: &EpochReport, validation: Option<&Evaluation>) {
        let _ = (report, validation);
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Hooks for NoProgress {}
impl Progress for NoProgress {}
