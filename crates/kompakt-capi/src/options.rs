//! How a session is to be made.

use kompakt_runtime::{Activations, SessionOptions};

/// How a session is to be made. All zero is the default.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct KompaktOptions {
    /// Threads; 0 is one.
    pub n_threads: usize,
    /// Images that are run at once; 0 is one. Longer batches are run in parts.
    pub max_batch: usize,
    /// Bytes that weights and activations may take in memory; 0 is no limit.
    pub ram_budget_bytes: usize,
    /// Read the file into memory instead of mapping it: safe where other programs may change the file in place.
    pub in_memory: bool,
    /// Check every checksum and payload before the first run.
    pub verify: bool,
    /// Layers may multiply integers of 8 bits where that is faster: the answers are approximate, and the file must hold ranges
    /// of values.
    pub int8: bool,
}

impl KompaktOptions {
    pub(crate) fn session(&self) -> SessionOptions {
        let mut options = SessionOptions::default();
        options.threads = self.n_threads.max(1);
        options.max_batch = self.max_batch.max(1);
        options.ram_budget = (self.ram_budget_bytes > 0).then_some(self.ram_budget_bytes);
        if self.int8 {
            options.activations = Activations::Int8;
        }
        options
    }
}
