//! Masks: which weights a network can do without.
//!
//! ```text
//! weights ──► Target ──► how many each layer keeps ──► masks: the largest of each layer
//!             densities, Rule, quality x deviation        │
//!                                                         ▼
//!             Schedule: one-shot, in rounds, gradual  ──► retraining, masks held
//!                                                         │
//!                                                         ▼
//!                                                    dead units leave the graph
//! ```
//!
//! A mask may keep and drop [blocks](kompakt_model::Block) of weights instead of single ones, by their norms.
//! [`prune`] sets masks once; [`remove_dead_units`] makes the network smaller where complete units have no
//! input or no output left, its function unchanged. Pruning while a network trains (by a [`Schedule`], with
//! [`Regrowth`]) is `kompakt-training`'s.
//!
//! Sources: Han 2015, "Learning both weights and connections"; Zhu, Gupta 2017, "To prune, or not to prune".

mod dead_units;
mod error;
mod mask;
mod reach;
mod regrow;
mod report;
mod rule;
mod schedule;
mod target;

pub use dead_units::{Removed, remove_dead_units};
pub use error::PruneError;
pub use mask::{largest, masks, norms, prune, weights_of};
pub use regrow::{Regrowth, move_blocks, move_weights};
pub use report::density_text;
pub use rule::Rule;
pub use schedule::Schedule;
pub use target::Target;
