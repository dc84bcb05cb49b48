//! How training goes: a bar on a terminal, elsewhere a line an epoch and one every ten seconds. Always on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kompakt_engine::{EpochReport, Evaluation, Hooks, Step};
use kompakt_training::Progress;
use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// Shows training; a [`Progress`] to be given to it.
pub(crate) struct EpochProgress {
    bar: Option<ProgressBar>,
    name: &'static str,
    epochs: usize,
    /// Epochs that a checkpoint brought.
    epochs_before: usize,
    start: Instant,
    /// When something was said last.
    said: Instant,
    quiet: bool,
}

/// Between two lines where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

impl EpochProgress {
    /// For `epochs` epochs, shown under `name`; `quiet` shows nothing.
    pub(crate) fn new(name: &'static str, epochs: usize, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:24} {msg}  {elapsed} spent, {eta} left");
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
            bar.set_prefix(name);
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self { bar, name, epochs, epochs_before: 0, start: Instant::now(), said: Instant::now(), quiet }
    }

    /// Says something else.
    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("{}: {text}", self.name)),
            None => self.line(text),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            // Talk that nobody can hear is no reason to stop.
            let _ = writeln!(std::io::stderr().lock(), "{}: {text}", self.name);
        }
    }
}

impl Hooks for EpochProgress {
    fn after_step(&mut self, step: &Step, loss: f64, error: f64) {
        let total = step.epochs.saturating_sub(self.epochs_before) * step.steps_per_epoch;
        let Some(bar) = &self.bar else {
            if self.said.elapsed() >= LINE {
                self.said = Instant::now();
                let done =
                    (step.count() + 1).saturating_sub(self.epochs_before * step.steps_per_epoch).max(1);
                let spent = self.start.elapsed().as_secs_f64();
                let left = spent / done as f64 * total.saturating_sub(done) as f64;
                self.line(&format!(
                    "epoch {}/{}: loss {loss:.4}, {spent:.0} s spent, about {left:.0} s left",
                    step.epoch + 1,
                    step.epochs
                ));
            }
            return;
        };
        bar.set_length(total as u64);
        bar.set_position((step.count() + 1 - self.epochs_before * step.steps_per_epoch) as u64);
        bar.set_message(format!(
            "epoch {}/{}, loss {loss:.4}, error {:.2} %",
            step.epoch + 1,
            step.epochs,
            100.0 * error
        ));
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
        self.said = Instant::now();
        match &self.bar {
            Some(bar) => bar.println(format!("{}: {text}", self.name)),
            None => self.line(&format!("{text}, {spent:.1} s spent, about {left:.0} s left")),
        }
    }
}
