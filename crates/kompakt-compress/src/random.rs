//! Pseudo-random numbers, the same on every machine.

use kompakt_numbers::SplitMix64;

/// A generator.
#[derive(Debug, Clone)]
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D)))
    }

    /// 0 to below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.unit()
    }

    /// Mean 0 and variance 1, nearly normal: a sum of uniform numbers.
    pub(crate) fn bell(&mut self) -> f32 {
        let sum: f64 = (0..4).map(|_| self.uniform()).sum();
        ((sum - 2.0) * 1.732_050_8) as f32
    }

    /// -1 or 1.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.0.bits() >> 63 == 0 { -1.0 } else { 1.0 }
    }

    /// A vector of length 1.
    pub(crate) fn direction(&mut self) -> [f64; 2] {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 1e-3 && square <= 1.0 {
                let length = square.sqrt();
                return [x / length, y / length];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_variances() {
        let mut random = Random::new(5);
        let numbers: Vec<f64> = (0..20_000).map(|_| f64::from(random.bell())).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let square = numbers.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.03, "{mean} {square}");
        let signs: f32 = (0..10_000).map(|_| random.sign()).sum();
        assert!(signs.abs() < 400.0);
        let [x, y] = random.direction();
        assert!((x * x + y * y - 1.0).abs() < 1e-12);
    }
}
