//! Numbers that all parts of kompakt share: as they are stored ([`Numbers`]), and such that look random and are the
//! same everywhere ([`SplitMix64`]).
//!
//! Half precision is converted by integer arithmetic of our own, because the loader reads codebooks of it on machines
//! that have no instructions for it and no room for a library.
#![no_std]

extern crate alloc;

mod half;
mod split_mix;
mod stored;

pub use half::{f16_from_f32, f16_to_f32};
pub use split_mix::{STEP, SplitMix64, mix};
pub use stored::{NumberFormat, Numbers};
