//! Rate-aware training: a dense network in, one with few connections of few values out, within a budget of bytes.
//!
//! ```text
//! dense network ──► Supply ──► Run ────────────────────────────────────────► shared weights, packed size known
//! teachers ─────────┘ copies    ├─ wiring       connections die and grow, by worth per coded bit
//!                               ├─ levels       few values per layer, straight through, then fixed
//!                               └─ code_length  what a connection costs, scaled by real files
//! ```
//!
//! The accuracy of small networks depends on the number of steps, and a step of a network with a thousand
//! connections is short if only those are computed. So this stage has a trainer of its own, for chains of
//! linear layers, convolutions and max pools, and for residual networks and convolutions with groups: connections as lists, examples side by side,
//! augmentation and teachers computed beforehand. Everything else in the workspace trains with `kompakt-engine`.
//!
//! The result depends on model, data, options and seed alone, on one type of machine; not on threads.
//!
//! Sources: Han 2015 (pruning, sharing, centroids by summed gradients); Evci 2020 (connections that come back);
//! Hinton 2015 (distillation); Choi 2016 (curvature-weighted, entropy-constrained levels).

mod blocks;
mod cells;
mod code_length;
mod conv;
mod error;
mod export;
mod gradients;
mod lanes;
mod layer;
mod layout;
mod levels;
mod loss;
mod net;
#[cfg(test)]
mod net_tests;
mod options;
mod passes;
mod plane;
mod random;
mod residual;
#[cfg(test)]
mod residual_tests;
mod settle;
mod snapshot;
mod stage;
mod supply;
mod tile;
mod train;
mod update;
mod validate;
mod windows;
mod wiring;

pub use error::RateError;
pub use loss::Distillation;
pub use options::Options;
pub use stage::{Data, Outcome, run};
pub use train::Report;
