//! What can be wrong with a list of steps.

use alloc::string::String;

/// Why a list of steps cannot be used. The message names the step by its position, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepError {
    /// The input shape is neither an image `[channels, height, width]` nor a vector `[n]`.
    #[error("input shape {0}; an image is [channels, height, width], a vector [n] (P-4)")]
    Input(String),
    /// A step cannot work on the shape before it, or one of its settings is out of range.
    #[error("step {index} ({step}): {problem} ({rule})")]
    Step {
        /// Position in the list.
        index: usize,
        /// The step's name.
        step: &'static str,
        /// What does not fit, and what would.
        problem: String,
        /// The rule of `spec/preprocessing.md` that defines the step.
        rule: &'static str,
    },
    /// An unknown step code.
    #[error("step code {0} is unknown; the file needs a newer reader (P-2)")]
    UnknownCode(u8),
    /// The numbers after a code are not those that the step expects.
    #[error("step code {code}: {problem} (P-2)")]
    Numbers {
        /// The code.
        code: u8,
        /// What is missing, left over or of the wrong kind.
        problem: String,
    },
    /// More than [`crate::MAX_STEPS`] steps.
    #[error("{0} steps, at most {max} are allowed (P-6)", max = crate::MAX_STEPS)]
    TooManySteps(usize),
    /// A preset that does not exist.
    #[error("no preset {0:?}; there are none, normalize, deskew, features")]
    UnknownPreset(String),
}
