//! The `smallest` coder: adaptive binary arithmetic coding under mixed context models.

mod binary;
mod cells;
mod counter;
mod map;
mod mixer;
mod numbers;
mod stream;
mod tables;

pub use stream::{Hints, StreamDecoder, StreamEncoder};
