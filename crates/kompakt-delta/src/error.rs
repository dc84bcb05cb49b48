//! Why there is no patch, or no new file.

use kompakt_entropy::EntropyError;
use kompakt_format::FormatError;
use kompakt_pack::PackError;

/// Why a patch was not made or not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// Other bytes than those of a patch.
    #[error("not a patch: {0}")]
    NotAPatch(&'static str),
    /// A patch of a later version.
    #[error("a patch of version {0}; this program reads version 1: take a newer one (rule E-2)")]
    Version(u8),
    /// The file to be patched is another than the patch was made for.
    #[error(
        "the patch is for another file: it was made for one with content {wanted}, this one has content {found}\
         {} (rule E-3)", if wanted == found { " but other bytes (another tier, or other labels or history)" } else { "" }
    )]
    OtherBase {
        /// Content hash of the file that the patch is for, in hexadecimal digits.
        wanted: String,
        /// That of the file given.
        found: String,
    },
    /// A rule of `spec/format-patch.md` is broken: the patch was damaged.
    #[error("the patch is damaged: {problem} (rule {rule})")]
    Damaged {
        /// The rule.
        rule: &'static str,
        /// What was found.
        problem: String,
    },
    /// No patch can make such a file.
    #[error("{0}")]
    Unsupported(String),
    /// One of the two containers is broken.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The new file cannot be written.
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl DeltaError {
    pub(crate) fn damaged(rule: &'static str, problem: impl ToString) -> Self {
        Self::Damaged { rule, problem: problem.to_string() }
    }
}

impl From<EntropyError> for DeltaError {
    fn from(error: EntropyError) -> Self {
        match error {
            EntropyError::Stream { rule, problem, .. } => Self::damaged(rule, problem),
            other => Self::damaged("E-6", other),
        }
    }
}
