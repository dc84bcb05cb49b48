//! How far a long job is.

/// Hears what a job does. Libraries tell it; only programs decide whether anybody sees it.
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
