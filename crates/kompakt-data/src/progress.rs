//! Progress of a long job.

/// Receives the progress of a job. Libraries report it; only programs decide whether to show it.
pub trait Progress {
    /// A part begins that takes `total` units; 0 if unknown.
    fn begin(&mut self, what: &str, total: u64);
    /// `n` more units are done.
    fn advance(&mut self, n: u64);
}

/// Discards all progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _: &str, _: u64) {}
    fn advance(&mut self, _: u64) {}
}
