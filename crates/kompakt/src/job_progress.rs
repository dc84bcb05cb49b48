//! The progress of a long job on a data set, such as fetching it.

use crate::progress;
use kompakt_data::Progress;

/// Forwards a job's own reports to the command's [progress](crate::progress).
#[derive(Debug, Default)]
pub(crate) struct JobProgress {
    what: String,
    done: u64,
    /// 0 where it is unknown.
    total: u64,
}

impl JobProgress {
    fn tell(&self) {
        // 0 of 0 is not a number.
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
