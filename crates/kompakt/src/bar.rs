//! A bar for a long job on a data set, such as fetching it.

use indicatif::{ProgressBar, ProgressStyle};
use kompakt_data::Progress;

/// A bar on stderr, if that is a terminal; otherwise nothing.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar that counts bytes.
    pub(crate) fn of_bytes() -> Self {
        Self { bar: ProgressBar::hidden() }
    }
}

impl Progress for Bar {
    fn begin(&mut self, what: &str, total: u64) {
        self.bar.finish_and_clear();
        let template = match total {
            0 => "{spinner} {msg} {elapsed}",
            _ => "{msg:32} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
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
