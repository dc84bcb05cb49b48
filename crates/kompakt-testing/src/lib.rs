//! What the tests of several crates share. A development dependency: nothing that is shipped uses it.

pub mod guard;
pub mod matrix;

/// Numbers in -1..1, the same for the same seed on every machine, from a generator that does not run dry.
pub fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}
