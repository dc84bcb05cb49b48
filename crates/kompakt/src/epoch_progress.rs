//! Progress of training: one line per epoch, and between them the [progress](crate::progress) of every long
//! command.

use crate::progress::{self, Shown};
use kompakt_engine::{EpochReport, Evaluation, Hooks, Step};
use kompakt_training::Progress;
use std::time::Instant;

/// Shows training; its callback is a [`Progress`].
pub(crate) struct EpochProgress {
    name: &'static str,
    epochs: usize,
    /// Epochs restored from a checkpoint.
    epochs_before: usize,
    start: Instant,
    quiet: bool,
    /// Shown with the training, where nothing is shown yet.
    _shown: Shown,
}

impl EpochProgress {
    /// For `epochs` epochs, shown under `name`; `quiet` shows nothing.
    pub(crate) fn new(name: &'static str, epochs: usize, quiet: bool) -> Self {
        let _shown = progress::begin(quiet, &[]);
        progress::tell("training", 0.0);
        Self { name, epochs, epochs_before: 0, start: Instant::now(), quiet, _shown }
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            progress::say(&format!("{}: {text}", self.name));
        }
    }
}

impl Hooks for EpochProgress {
    fn after_step(&mut self, step: &Step, loss: f64, error: f64) {
        let before = self.epochs_before * step.steps_per_epoch;
        let total = (step.epochs * step.steps_per_epoch).saturating_sub(before);
        let share = (step.count() + 1).saturating_sub(before) as f64 / total.max(1) as f64;
        let (epoch, epochs) = (step.epoch + 1, step.epochs);
        let detail = format!("epoch {epoch}/{epochs}, loss {loss:.4}, error {:.2} %", 100.0 * error);
        progress::tell_more("training", share, &detail);
    }
}

impl Progress for EpochProgress {
    fn begin(&mut self, epochs_done: usize) {
        self.epochs_before = epochs_done;
        self.start = Instant::now();
        if epochs_done > 0 {
            self.say(&format!("going on after epoch {epochs_done}"));
        }
    }

    fn epoch(&mut self, report: &EpochReport, validation: Option<&Evaluation>) {
        let mut text = format!(
            "epoch {}/{}: loss {:.4}, error {:.2} %",
            report.epoch,
            self.epochs,
            report.loss,
            100.0 * report.error
        );
        if let Some(found) = validation {
            text += &format!(", validation {:.2} %", 100.0 * found.error());
        }
        let spent = self.start.elapsed().as_secs_f64();
        let done = (report.epoch - self.epochs_before).max(1);
        let left = spent / done as f64 * (self.epochs - report.epoch) as f64;
        self.say(&format!("{text}, {spent:.1} s spent, about {left:.0} s left"));
    }
}
