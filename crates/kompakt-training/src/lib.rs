//! Training over the engine: [`train`] makes a dense network, [`finetune`] moves the centroids of one whose weights are
//! shared.
//!
//! ```text
//! data ──► train ──► (prune, cluster: crates of their own) ──► finetune ──► pack
//! ```

pub mod finetune;
pub mod train;
