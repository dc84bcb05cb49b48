//! What a run of the pipeline did: a table for the terminal, JSON for programs, one HTML page with plots for people.
//!
//! ```text
//! summary.json ─┐
//! 1-train       │
//! 2-prune       ├─► Evidence ─► page ─► report.html
//! 3-cluster     │               └ plot: stages, weights, bytes, filters (SVG, inline)
//! 4-finetune    │
//! NAME.kompakt ─┘
//! ```
//!
//! The page needs no network and no script: it can be mailed as it is. Nothing is computed here that a stage
//! measured already; the plots show the tensors of the stages' own files.

mod error;
mod evidence;
mod page;
mod plot;
mod summary;

pub use error::ReportError;
pub use evidence::{Evidence, LayerBytes};
pub use page::html;
pub use plot::{LayerNeed, Series, error_by_size, layer_needs};
pub use summary::{Row, Summary, median, thousands};
