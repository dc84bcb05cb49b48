//! Entropy coders, encoder beside decoder, and the bit-packed direct form.
#![no_std]

extern crate alloc;

mod error;
pub mod weights;

pub use error::EntropyError;
pub use weights::{Weights, WeightsBuf};
