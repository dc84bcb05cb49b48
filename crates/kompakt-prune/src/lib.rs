//! Masks: which weights a network can do without, and the retraining that makes up for them.
//!
//! ```text
//! weights ──► Target ──► how many each layer keeps ──► masks: the largest of each layer
//!             densities, Rule, quality x deviation        │
//!                                                         ▼
//!             Schedule: at once, in rounds, gradually ──► retraining, masks held
//!                                                         │
//!                                                         ▼
//!                                                    dead units leave the graph
//! ```
//!
//! [`prune`] sets masks once; [`retrain`](retrain()) prunes while it trains (feature `retrain`); [`remove_dead_units`]
//! makes the network smaller where whole units have no input or no output left, its function unchanged.
//!
//! Sources: Han 2015, "Learning both weights and connections"; Zhu, Gupta 2017, "To prune, or not to prune".

pub mod args;
#[cfg(feature = "retrain")]
mod args_retrain;
mod dead_units;
mod error;
mod mask;
mod reach;
#[cfg(feature = "retrain")]
mod regrow;
mod report;
#[cfg(feature = "retrain")]
mod retrain;
mod rule;
mod schedule;
mod target;

pub use dead_units::{Removed, remove_dead_units};
pub use error::PruneError;
pub use mask::{largest, masks, prune, weights_of};
#[cfg(feature = "retrain")]
pub use regrow::Regrowth;
pub use report::density_text;
#[cfg(feature = "retrain")]
pub use retrain::{Data, Options, Outcome, retrain};
pub use rule::Rule;
pub use schedule::Schedule;
pub use target::Target;
