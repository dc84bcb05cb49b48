//! Dense training.
