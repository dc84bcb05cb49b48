//! The chance of a one in a context, learnt from what was coded there: fast at first, slower with every bit.

use super::tables::stretch;

/// Probability in the upper 22 bits, number of bits seen (up to the limit) in the lower 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counter(u32);

impl Counter {
    /// One that has seen nothing yet and says one half.
    pub(crate) const NEW: Self = Self(1 << 31);

    /// The probability of a one, in 1/2^22.
    #[inline]
    pub(crate) fn p(self) -> u32 {
        self.0 >> 10
    }

    /// How many bits it has seen, up to its limit.
    #[inline]
    pub(crate) fn n(self) -> u32 {
        self.0 & 1023
    }

    #[inline]
    pub(crate) fn logit(self) -> i32 {
        stretch(self.p())
    }

    /// Moves by `1 / (n + 1.5)` of the way; `limit` bounds `n`, below 1023.
    #[inline]
    pub(crate) fn learn(&mut self, bit: bool, limit: u32) {
        let (p, n) = (i64::from(self.p()), self.n());
        let target = if bit { (1 << 22) - 1 } else { 0 };
        let step = ((target - p) * i64::from(131_072 / (2 * n + 3))) >> 16;
        self.0 = ((p + step) as u32) << 10 | if n < limit { n + 1 } else { n };
    }
}
