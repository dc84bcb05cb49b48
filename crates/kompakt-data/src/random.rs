//! Random numbers that are a function of where they are used.

/// SplitMix64, started from three numbers.
pub(crate) struct Random {
    state: u64,
}

/// The finaliser of SplitMix64.
pub(crate) fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub(crate) fn new(a: u64, b: u64, c: u64) -> Self {
        let mix = |state: u64, n: u64| scramble(state.wrapping_add(STEP) ^ scramble(n.wrapping_add(STEP)));
        Self { state: mix(mix(mix(0, a), b), c) }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        scramble(self.state)
    }

    /// Uniform in [-1, 1).
    pub(crate) fn symmetric(&mut self) -> f32 {
        ((self.next() >> 40) as f32 - 8_388_608.0) / 8_388_608.0
    }

    /// Near enough to a normal number of variance 1: twelve 16-bit uniforms.
    pub(crate) fn normal(&mut self) -> f32 {
        let mut sum = 0u32;
        for _ in 0..3 {
            let bits = self.next();
            sum += (0..4).map(|i| (bits >> (16 * i)) as u32 & 0xffff).sum::<u32>();
        }
        sum as f32 / 65536.0 - 6.0
    }
}
