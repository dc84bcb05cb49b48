//! The `smallest` coder: adaptive binary arithmetic coding under mixed context models.

mod binary;
mod cells;
mod columns;
mod counter;
mod kept;
mod layer;
mod magnitude;
mod mixer;
mod numbers;
mod picture;
mod priors;
mod sign;
mod stream;
mod tables;
mod window;

pub use stream::{Hints, MAX_DIM, StreamDecoder, StreamEncoder};
pub(crate) use tables::log;
