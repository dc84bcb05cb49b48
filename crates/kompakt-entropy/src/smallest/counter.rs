//! The probability of a one in a context, learnt from the bits coded there: fast at first, slower with each
//! bit.

use super::tables::{LOGIT_MAX, STEPS, Trust, stretch};

/// Probability in the upper 22 bits, number of bits seen (up to a limit below 1024) in the lower 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counter(u32);

impl Counter {
    /// One that has seen nothing yet and says one half.
    pub(crate) const NEW: Self = Self(1 << 31);

    /// One that says `p` (of 2^22) as if it had seen `n` bits.
    pub(crate) const fn seen(p: u32, n: u32) -> Self {
        Self(p << 10 | n)
    }

    /// The probability of a one, in 1/2^22; never 0 or 1.
    #[inline(always)]
    pub(crate) fn p(self) -> u32 {
        self.0 >> 10
    }

    /// How many bits it has seen, up to its limit.
    #[inline(always)]
    pub(crate) fn n(self) -> u32 {
        self.0 & 1023
    }

    /// How far it would move a prediction of `base`: the difference of the logits, times `n / (n + doubt)`.
    #[inline(always)]
    pub(crate) fn evidence(self, base: i32, trust: &Trust) -> i32 {
        ((stretch(self.p()) - base) * i32::from(trust.at(self.n() as usize))) >> 15
    }

    /// Goes on as if it had seen no more than `most` bits.
    pub(crate) fn forget(&mut self, most: u32) {
        *self = Self::seen(self.p(), self.n().min(most));
    }

    /// Moves by `1 / (n + 1.5)` of the way; `limit` bounds `n`.
    #[inline(always)]
    pub(crate) fn learn(&mut self, bit: bool, limit: u32) {
        let (p, n) = (i64::from(self.p()), self.n());
        let target = if bit { (1 << 22) - 1 } else { 0 };
        // Rounded towards minus infinity: small probabilities go on falling when the step is below one.
        let step = ((target - p) * i64::from(STEPS.at(n as usize))) >> 16;
        let p = (p + step).max(1) as u32;
        self.0 = (p << 10) | if n < limit { n + 1 } else { n };
    }
}

/// The product in [`Counter::evidence`] fits 32 bits.
const _: () = assert!(2 * (LOGIT_MAX as i64 + 4096) * 32768 < 1 << 31);

#[cfg(test)]
mod tests {
    use super::{super::tables::TRUST_16, *};

    #[test]
    fn learns_the_frequency_and_never_reaches_certainty() {
        let mut counter = Counter::NEW;
        (0..3000).for_each(|i| counter.learn(i % 4 == 0, 250));
        assert!((f64::from(counter.p()) / 4_194_304.0 - 0.25).abs() < 0.02);
        for bit in [false, true] {
            (0..100_000).for_each(|_| counter.learn(bit, 1023));
            assert!(counter.p() > 0 && counter.p() < (1 << 22), "{}", counter.p());
        }
    }

    #[test]
    fn a_new_counter_says_nothing() {
        assert_eq!(Counter::NEW.evidence(-700, &TRUST_16), 0);
    }
}
