//! Random numbers that are a function of where they are used.

use kompakt_numbers::{STEP, SplitMix64, mix};

/// A sequence started from three numbers.
pub(crate) struct Random(SplitMix64);

/// The first number of the sequence that starts at `state`.
pub(crate) fn first(state: u64) -> u64 {
    SplitMix64::new(state).bits()
}

impl Random {
    pub(crate) fn new(a: u64, b: u64, c: u64) -> Self {
        let join = |state: u64, n: u64| mix(state.wrapping_add(STEP) ^ first(n));
        Self(SplitMix64::new(join(join(join(0, a), b), c)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.bits()
    }

    /// Uniform in [-1, 1).
    pub(crate) fn symmetric(&mut self) -> f32 {
        ((self.next() >> 40) as f32 - 8_388_608.0) / 8_388_608.0
    }

    /// Approximately normal, of variance 1: twelve 16-bit uniforms.
    pub(crate) fn normal(&mut self) -> f32 {
        let mut sum = 0u32;
        for _ in 0..3 {
            let bits = self.next();
            sum += (0..4).map(|i| (bits >> (16 * i)) as u32 & 0xffff).sum::<u32>();
        }
        sum as f32 / 65536.0 - 6.0
    }
}
