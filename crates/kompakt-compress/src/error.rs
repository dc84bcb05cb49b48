//! Why a network cannot be compressed.

use kompakt_format::FormatError;
use kompakt_model::CheckpointError;
use kompakt_pack::PackError;
use kompakt_runtime::RuntimeError;

/// Why compression failed; a missed target is not an error but an [`Outcome`](crate::Outcome).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// The model is not consistent.
    #[error(transparent)]
    Model(#[from] CheckpointError),
    /// The model cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The model cannot be run on the calibration images.
    #[error(transparent)]
    Run(#[from] RuntimeError),
    /// The model's weights are shared already, or it has none.
    #[error("{0}")]
    WrongKind(String),
    /// Images or labels do not fit the network.
    #[error("{0}")]
    Data(String),
    /// The scan belongs to another network.
    #[error("the scan was made for another network; leave it out, or make it again with `kompakt sense`")]
    OtherScan,
    /// A target needs images and there are none.
    #[error("{0}")]
    NeedsImages(&'static str),
    /// The target cannot be shown with the images given.
    #[error("{0}")]
    Wish(String),
    /// The original answers no better than chance, so that its answers are no reference.
    #[error("{0}")]
    NotJudged(String),
    /// The result agrees with the original no better than chance, or less than the target allows.
    #[error("{0}")]
    Ruined(String),
    /// The written file is not valid.
    #[error("the file that was made cannot be read back: {0}; please report this")]
    NotReadBack(FormatError),
    /// A temporary file cannot be written or read.
    #[error("temporary file: {0}")]
    Io(#[from] std::io::Error),
}
