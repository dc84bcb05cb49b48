//! Logistic mixing: a weighted sum of logits, the weights learnt bit by bit.
//!
//! ```text
//! p = squash(sum w_i x_i)         w_i += rate * (bit - p) * x_i
//! ```

use super::tables::{LOGIT_MAX, squash};
use alloc::{vec, vec::Vec};

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

/// Mixes `N` inputs. The weight of an input is the sum of those in the `K` sets that are selected for a bit.
#[derive(Debug, Clone)]
pub(crate) struct Mixer<const N: usize, const K: usize> {
    /// In 1/65536.
    sets: Vec<[i32; N]>,
    /// How many bits it has learnt from.
    n_bits: u32,
    rate: Rate,
}

/// What a mixer said of one bit, to be given back when the bit is known.
pub(crate) struct Mix<const N: usize, const K: usize> {
    sets: [usize; K],
    inputs: [i32; N],
    /// In 1/65536.
    pub(crate) p: u32,
    /// The same as a logit.
    pub(crate) logit: i32,
}

impl<const N: usize, const K: usize> Mixer<N, K> {
    /// With `start`, in 1/1024, as the weights of every input.
    pub(crate) fn new(n_sets: usize, start: &[i16; N], rate: Rate) -> Self {
        let set = start.map(|w| i32::from(w) * 64 / K as i32);
        Self { sets: vec![set; n_sets], n_bits: 0, rate }
    }

    /// The probability of a one.
    #[inline]
    pub(crate) fn mix(&self, sets: [usize; K], mut inputs: [i32; N]) -> Mix<N, K> {
        let mut sum = 0;
        for (i, x) in inputs.iter_mut().enumerate() {
            *x = (*x).clamp(-INPUT_MAX, INPUT_MAX);
            let w: i32 = sets.iter().map(|&set| self.sets[set][i]).sum();
            sum += (w >> 4) * *x;
        }
        let logit = ((sum + (1 << 11)) >> 12).clamp(-LOGIT_MAX, LOGIT_MAX);
        Mix { sets, inputs, p: squash(logit), logit }
    }

    /// Learns from the bit that followed.
    #[inline]
    pub(crate) fn learn(&mut self, mix: &Mix<N, K>, bit: bool) {
        let error = (i32::from(bit) << 16) - mix.p as i32;
        let rate = self.rate.last + self.rate.last * self.rate.boost * 64 / (64 + self.n_bits);
        self.n_bits = (self.n_bits + 1).min(1 << 24);
        let step = (error * rate as i32) >> 7;
        for &set in &mix.sets {
            for (w, x) in self.sets[set].iter_mut().zip(&mix.inputs) {
                *w = (*w + ((step * x + (1 << 16)) >> 17)).clamp(-WEIGHT_MAX, WEIGHT_MAX);
            }
        }
    }
}
