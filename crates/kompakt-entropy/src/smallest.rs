//! The `smallest` coder: adaptive binary arithmetic coding under mixed context models.

mod binary;
mod bytes;
mod cells;
mod columns;
mod counter;
mod edition;
mod head;
mod kept;
mod layer;
mod level;
mod magnitude;
mod mixer;
mod neighbours;
mod numbers;
mod patch;
mod permutation;
mod picture;
mod primer;
mod priors;
mod processor;
mod quantiser;
mod quick;
mod refined;
mod sign;
mod stream;
mod table;
mod tables;
mod walk;
mod window;

pub use edition::Expected;
pub use patch::PatchStream;
pub use stream::{Hints, MAX_DIM, StreamDecoder, StreamEncoder};
pub(crate) use tables::log;
