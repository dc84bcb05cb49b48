//! How far a long job is.

use indicatif::{ProgressBar, ProgressStyle};

/// Hears what a job does. Libraries tell it; only binaries decide whether anybody sees it.
pub trait Progress {
    /// A part begins that takes `total` units; 0 if nobody knows.
    fn begin(&mut self, what: &str, total: u64);
    /// `n` more units are done.
    fn advance(&mut self, n: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _: &str, _: u64) {}
    fn advance(&mut self, _: u64) {}
}

/// A bar on stderr, if that is a terminal; otherwise nothing.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    /// Whether units are bytes.
    bytes: bool,
}

impl Bar {
    /// A bar that counts bytes.
    pub fn of_bytes() -> Self {
        Self { bar: ProgressBar::hidden(), bytes: true }
    }

    /// A bar that counts things.
    pub fn of_items() -> Self {
        Self { bar: ProgressBar::hidden(), bytes: false }
    }
}

impl Progress for Bar {
    fn begin(&mut self, what: &str, total: u64) {
        self.bar.finish_and_clear();
        let template = match (total, self.bytes) {
            (0, _) => "{spinner} {msg} {elapsed}",
            (_, true) => "{msg:32} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (_, false) => "{msg:32} {bar:24} {pos}/{len} {eta}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        self.bar.set_style(style);
        self.bar.set_message(what.to_string());
        if total == 0 {
            self.bar.enable_steady_tick(std::time::Duration::from_millis(120));
        }
    }

    fn advance(&mut self, n: u64) {
        self.bar.inc(n);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
