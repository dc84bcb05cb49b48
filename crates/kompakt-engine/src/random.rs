//! Random numbers as a function of where they are used.
//!
//! A stream is made from a list of numbers (seed, epoch, position, purpose) and nothing is carried from one use to
//! the next. So a run can be resumed anywhere, and work can be divided among threads, with the same results.
//! The generator is SplitMix64 (Steele 2014): good enough for shuffles, dropout and augmentation, not for secrets.

use kompakt_numbers::{SplitMix64, mix};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    numbers: SplitMix64,
}

impl Random {
    /// The stream that belongs to this place.
    pub fn at(place: &[u64]) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for &number in place {
            state = mix(state ^ mix(number.wrapping_add(0x632b_e59b_d9b4_e019)));
        }
        Self { numbers: SplitMix64::new(state) }
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.numbers.bits()
    }
    /// A number in `0.0..1.0`, of 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * (1.0 / 16_777_216.0)
    }
    /// A number in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
    /// A number in `0..n`; `n` at least 1. The bias is below `n / 2^64`.
    pub fn below(&mut self, n: usize) -> usize {
        self.numbers.below(n)
    }
    /// A standard normal number (Box and Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }
    /// Puts `items` in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_give_unrelated_streams_and_repeat() {
        assert_eq!(Random::at(&[1, 2]).bits(), Random::at(&[1, 2]).bits());
        assert_ne!(Random::at(&[1, 2]).bits(), Random::at(&[2, 1]).bits());
        assert_ne!(Random::at(&[1]).bits(), Random::at(&[1, 0]).bits());
    }

    #[test]
    fn moments_are_right() {
        let mut random = Random::at(&[7]);
        let (mut mean, mut square) = (0.0f64, 0.0f64);
        for _ in 0..20_000 {
            let x = f64::from(random.normal());
            mean += x / 20_000.0;
            square += x * x / 20_000.0;
        }
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
        let unit: f64 = (0..20_000).map(|_| f64::from(random.unit())).sum::<f64>() / 20_000.0;
        assert!((unit - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<usize> = (0..100).collect();
        Random::at(&[3]).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
