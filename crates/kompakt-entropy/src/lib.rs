//! Entropy coders, with encoder and decoder, and the bit-packed direct form.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod bits;
pub mod direct;
mod error;
mod likeness;
pub mod order;
pub mod rans;
pub mod smallest;
pub mod stream;
pub mod trellis;
pub mod weights;
pub mod zstd;

pub use error::EntropyError;
pub use kompakt_isa::Isa;
pub use weights::{MaskedCodes, MaskedCodesBuf};
