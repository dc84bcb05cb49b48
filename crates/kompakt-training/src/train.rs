//! Dense training: a network and a data set in, a model of the interchange out.
//!
//! ```text
//! --net, --hidden ─► graph (+ dropout) ─┐
//! --pca ──────────► its first layer ────┤
//! --prep ─────────► steps ──► images ───┤─► epochs ─► dropout and batch norms removed ─► model
//! recipe ───────────────────────────────┘
//! ```
//!
//! Choices are made on the validation split; the test split is never read. The model carries the steps, the names
//! of the classes, and a record of every option.

pub mod args;
mod dropout;
mod epochs;
mod preparation;
mod projection;
mod recipes;
mod source;

pub use dropout::{with_dropout, without_dropout};
pub use epochs::{Plan, train};
pub use preparation::preparation;
pub use projection::Projection;
pub use recipes::{Defaults, defaults};
pub use source::graph_of;
