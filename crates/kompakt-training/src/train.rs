//! Dense training: a network and a data set in, a model of the interchange out.
//!
//! ```text
//! graph (+ dropout) ─────┐
//! Projection, its first layer ─┤
//! steps ──► images ──────┤─► epochs ─► dropout and batch norms removed ─► model
//! Recipe ────────────────┘
//! ```
//!
//! Choices are made on the validation split; the test split is never read. The model carries the steps, the names
//! of the classes, and a record of every option.

mod defaults;
mod dropout;
mod epochs;
mod error;
mod plan;
mod projection;

pub use defaults::{Defaults, defaults};
pub use dropout::{with_dropout, without_dropout};
pub use epochs::train;
pub use error::TrainError;
pub use plan::Plan;
pub use projection::Projection;
