//! Errors of coders' inputs and of coded streams.

use kompakt_words::fixed;

/// Why something cannot be coded, or why bytes are not a coded stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntropyError {
    /// A tensor that cannot be coded: lengths or codes out of range.
    #[error("weights: {problem}")]
    Weights {
        /// What is out of range.
        problem: &'static str,
    },
    /// A stream that ends before everything in it is read, or holds more than was read.
    #[error("coded stream, byte {offset}: {problem} (rule {rule})")]
    Stream {
        /// The reader's offset.
        offset: usize,
        /// The rule of the specification that is broken.
        rule: &'static str,
        /// What was found.
        problem: &'static str,
    },
}

// Inline, so that the words are not in a build whose errors have none.
impl EntropyError {
    #[inline(always)]
    pub(crate) fn stream(offset: usize, rule: &'static str, problem: &'static str) -> Self {
        Self::Stream { offset, rule, problem: fixed(problem) }
    }

    #[inline(always)]
    pub(crate) const fn weights(problem: &'static str) -> Self {
        Self::Weights { problem: fixed(problem) }
    }
}
