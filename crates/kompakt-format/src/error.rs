//! What is wrong with a file, where, and by which rule.

use alloc::borrow::Cow;
use kompakt_entropy::EntropyError;
use kompakt_words::words;

/// A rule of `spec/format.md` (or of the chapters of the coders) that the bytes break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {problem} (rule {rule})")]
pub struct FormatError {
    /// `F-1`, …; `S-`, `R-` and `D-` for the coders' chapters.
    pub rule: &'static str,
    /// Where in the file.
    pub offset: usize,
    /// What was found and what would be right.
    pub problem: Cow<'static, str>,
}

impl FormatError {
    #[inline]
    pub(crate) fn new(rule: &'static str, offset: usize, problem: impl Into<Cow<'static, str>>) -> Self {
        let problem = if kompakt_words::ARE_THERE { problem.into() } else { Cow::Borrowed("") };
        Self { rule, offset, problem }
    }

    /// The error of a coder in a payload that begins at `offset`.
    pub(crate) fn coded(error: EntropyError, offset: usize) -> Self {
        match error {
            EntropyError::Stream { offset: at, rule, problem } => {
                Self::new(rule, offset.saturating_add(at), problem)
            }
            other => Self::new("F-22", offset, words!("{other}")),
        }
    }
}

/// For closures that fill in rule and offset.
pub(crate) fn broken<T>(
    rule: &'static str,
    offset: usize,
    problem: impl Into<Cow<'static, str>>,
) -> Result<T, FormatError> {
    Err(FormatError::new(rule, offset, problem))
}
