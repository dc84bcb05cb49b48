//! Shared test utilities. A development dependency: nothing that is shipped uses it.
//!
//! - [`guard`] and [`matrix`]: memory that ends at a page without access rights, and sparse matrices, for kernels.
//! - feature `trellis`: codes that follow a trellis.
//! - feature `networks`: random networks of all operators, models with random weights in each tier, their
//!   expected answers by the reference in f64 (`kompakt_reference`), and property tests whose cases are the
//!   same in each run.

#[cfg(feature = "networks")]
pub mod cases;
pub mod guard;
#[cfg(feature = "networks")]
pub mod inverted_residuals;
pub mod matrix;
#[cfg(feature = "networks")]
pub mod models;
#[cfg(feature = "networks")]
pub mod random_network;
#[cfg(feature = "trellis")]
pub mod trellis;

/// Values in -1..1, the same for the same seed on every machine, from a generator that never runs out.
pub fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}
