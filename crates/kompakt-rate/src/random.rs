//! Random numbers as a function of where they are used: SplitMix64 (Steele 2014), started anew at every place.

/// A stream of random numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The stream that belongs to this place.
    pub(crate) fn at(place: &[u64]) -> Self {
        let mut state = 0x7261_7465_0000_0001;
        for &number in place {
            state = mix(state ^ mix(number.wrapping_add(0x632b_e59b_d9b4_e019)));
        }
        Self(state)
    }

    /// A number in `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mix(self.0)) * n as u128) >> 64) as usize
    }

    /// `0..n` in a random order.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
