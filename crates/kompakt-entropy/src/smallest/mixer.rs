//! Logistic mixing: a weighted sum of logits, the weights learnt bit by bit.
//!
//! ```text
//! p = squash(sum w_i x_i)         w_i += rate * (bit - p) * x_i
//! ```

use super::tables::{LOGIT_MAX, squash};
use alloc::boxed::Box;

/// Inputs lie within plus and minus this (8 in units of 1/256).
pub(crate) const INPUT_MAX: i32 = 2047;
/// Weights lie within plus and minus this (4 in units of 1/65536).
const WEIGHT_MAX: i32 = 1 << 18;

/// How fast the weights of a mixer move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// In the long run, in 1/65536.
    pub(crate) last: u32,
    /// How much faster at first: `last * (1 + boost / (1 + bits / 64))`.
    pub(crate) boost: u32,
}

impl Rate {
    /// Errors, rates and inputs multiply within 32 bits up to here.
    pub(crate) const fn new(last: u32, boost: u32) -> Self {
        assert!(last * (1 + boost) < 2048);
        Self { last, boost }
    }

    /// In 1/65536, after so many bits.
    #[inline(always)]
    fn after(self, n_bits: u32) -> u32 {
        let more = self.last * self.boost * 64;
        // Division is slow, and the quotient is soon 0.
        if n_bits < more { self.last + more / (64 + n_bits) } else { self.last }
    }
}

/// Mixes `N` inputs. The weight of an input is the sum of those in the `K` of `S` sets that are selected for a bit.
/// `S` is a power of two, so that masked indices need no check.
#[derive(Debug, Clone)]
pub(crate) struct Mixer<const N: usize, const K: usize, const S: usize> {
    /// In 1/65536.
    sets: Box<[[i32; N]; S]>,
    /// How many bits it has learnt from.
    n_bits: u32,
    rate: Rate,
}

/// A mixer's prediction of one bit, to be passed back when the bit is known.
pub(crate) struct Mix<const N: usize, const K: usize> {
    sets: [usize; K],
    inputs: [i32; N],
    /// In 1/65536.
    pub(crate) p: u32,
    /// The same as a logit.
    pub(crate) logit: i32,
}

impl<const N: usize, const K: usize, const S: usize> Mixer<N, K, S> {
    /// With `start`, in 1/1024, as the weights of every input.
    pub(crate) fn new(start: &[i16; N], rate: Rate) -> Self {
        const { assert!(S.is_power_of_two()) };
        let set = start.map(|w| i32::from(w) * 64 / K as i32);
        Self { sets: Box::new([set; S]), n_bits: 0, rate }
    }

    /// Starts one set with other weights.
    pub(crate) fn start(&mut self, set: usize, start: &[i16; N]) {
        self.sets[set % S] = start.map(|w| i32::from(w) * 64 / K as i32);
    }

    /// The probability of a one.
    #[inline(always)]
    pub(crate) fn mix(&self, sets: [usize; K], mut inputs: [i32; N]) -> Mix<N, K> {
        let mut weights = self.sets[sets[0] % S];
        for &set in &sets[1..] {
            for (w, v) in weights.iter_mut().zip(&self.sets[set % S]) {
                *w += *v;
            }
        }
        let mut sum = 1 << 11;
        for (w, x) in weights.iter().zip(&mut inputs) {
            *x = (*x).clamp(-INPUT_MAX, INPUT_MAX);
            sum += (w >> 4) * *x;
        }
        let logit = (sum >> 12).clamp(-LOGIT_MAX, LOGIT_MAX);
        Mix { sets, inputs, p: squash(logit), logit }
    }

    /// Learns from the bit that followed.
    #[inline(always)]
    pub(crate) fn learn(&mut self, mix: &Mix<N, K>, bit: bool) {
        let error = (i32::from(bit) << 16) - mix.p as i32;
        let rate = self.rate.after(self.n_bits);
        self.n_bits = (self.n_bits + 1).min(1 << 24);
        let step = (error * rate as i32) >> 7;
        let steps = mix.inputs.map(|x| (step * x + (1 << 16)) >> 17);
        for &set in &mix.sets {
            for (w, step) in self.sets[set % S].iter_mut().zip(&steps) {
                *w = (*w + *step).clamp(-WEIGHT_MAX, WEIGHT_MAX);
            }
        }
    }
}
