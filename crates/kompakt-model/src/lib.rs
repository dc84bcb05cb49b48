//! The interchange: what flows between the stages.
//!
//! ```text
//! train ──► prune ──► cluster ──► finetune ──► pack
//!   weight    weight     codebook    codebook
//!             + mask     codes+mask  codes+mask
//! ```
//!
//! Between two stages runs one [`Model`]: a safetensors file that any safetensors reader opens, with the graph and
//! the provenance as JSON under the single metadata key `kompakt`. The byte layout is defined in
//! `spec/interchange.md`; [`Model::read`] and [`Model::write`] are its two directions, [`ModelFile`] reads a file
//! too large for memory one parameter at a time.
//!
//! Where a model comes from and goes to (files, pipes, terminals) is the business of the command lines, which are the
//! crate `kompakt`.

mod block;
mod codebook;
mod error;
mod fold;
mod graph_json;
mod metadata;
mod model;
mod parameter;
mod provenance;
mod read;
mod sizes_json;
mod write;

pub use block::Block;
pub use codebook::{Ascending, ascending, move_off_zero};
pub use error::CheckpointError;
pub use fold::fold_batch_norm;
pub use graph_json::{graph_from_json, graph_to_json};
pub use kompakt_numbers::Numbers;
pub use model::Model;
pub use parameter::Parameter;
pub use provenance::StageRecord;
pub use read::ModelFile;
