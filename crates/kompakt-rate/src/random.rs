//! Random numbers as a function of where they are used: SplitMix64 (Steele 2014), seeded anew at every place.

use kompakt_numbers::{SplitMix64, mix};

/// A stream of random numbers.
pub(crate) struct Random(SplitMix64);

impl Random {
    /// The stream of this place.
    pub(crate) fn at(place: &[u64]) -> Self {
        let mut state = 0x7261_7465_0000_0001;
        for &number in place {
            state = mix(state ^ mix(number.wrapping_add(0x632b_e59b_d9b4_e019)));
        }
        Self(SplitMix64::new(state))
    }

    /// A number in `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
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
