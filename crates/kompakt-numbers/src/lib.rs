//! Number types that all parts of kompakt share: stored numbers ([`Numbers`]), and pseudorandom numbers that
//! are the same on all machines ([`SplitMix64`]).
//!
//! Half precision is converted by integer arithmetic, because the loader reads half-precision codebooks on
//! machines without instructions for it and without room for a library.
#![no_std]

extern crate alloc;

mod half;
mod split_mix;
mod stored;

pub use half::{f16_from_f32, f16_to_f32};
pub use split_mix::{STEP, SplitMix64, mix};
pub use stored::{NumberFormat, Numbers};
