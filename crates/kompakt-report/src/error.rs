//! What can go wrong while a report is made.

use kompakt_model::CheckpointError;
use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file of the run could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The summary is not what [`crate::Summary`] writes.
    #[error("{path} is not a summary of a pipeline run: {source}")]
    Summary {
        /// Which file.
        path: PathBuf,
        /// What the JSON reader says.
        source: serde_json::Error,
    },
    /// A stage's model is damaged.
    #[error("{path}: {source}")]
    Model {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// A plot could not be drawn.
    #[error("cannot draw {what}: {problem}")]
    Plot {
        /// Which plot.
        what: &'static str,
        /// What the drawing library says.
        problem: String,
    },
}
