//! Training over the engine: [`train`] makes a dense network, [`retrain`] prunes one while it trains, [`finetune`]
//! moves the centroids of one whose weights are shared.
//!
//! ```text
//! data ──► train ──► retrain ──► (cluster: a crate of its own) ──► finetune ──► pack
//!          Recipe    Target       codebooks and codes              settled
//! ```
//!
//! All three take a [`Data`] (examples, validation examples, a loss) and report to a [`Progress`]; the
//! latter two return an [`Outcome`]. No command line, no files but a checkpoint, no progress bars.

mod data;
pub mod finetune;
mod outcome;
mod progress;
mod recipe;
pub mod retrain;
mod taught;
pub mod train;

pub use data::Data;
pub use outcome::Outcome;
pub use progress::{NoProgress, Progress};
pub use recipe::Recipe;
pub use taught::{Taught, Teaching};
