//! The progress of a long job on a data set, such as fetching it.

use crate::progress;
use kompakt_data::Progress;

/// Tells the command's [progress](crate::progress) what a job says of its own.
#[derive(Debug, Default)]
pub(crate) struct JobProgress {
    what: String,
    done: u64,
    /// 0 where nobody knows.
    total: u64,
}

impl JobProgress {
    fn tell(&self) {
        // Nothing of nothing is not a number.
        progress::tell(
            &self.what,
            if self.total == 0 { f64::NAN } else { self.done as f64 / self.total as f64 },
        );
    }
}

impl Progress for JobProgress {
    fn begin(&mut self, what: &str, total: u64) {
        *self = Self { what: what.to_string(), done: 0, total };
        self.tell();
    }

    fn advance(&mut self, n: u64) {
        self.done += n;
        self.tell();
    }
}
