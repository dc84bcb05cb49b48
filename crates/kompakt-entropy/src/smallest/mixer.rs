//! Logistic mixing: a weighted sum of logits, the weights learnt bit by bit.
//!
//! ```text
//! p = squash(sum w_i x_i)         w_i += rate * (bit - p) * x_i
//! ```

use super::tables::{LOGIT_MAX, squash};
use alloc::{vec, vec::Vec};

/// Several sets of weights for the same inputs, one of them used for each bit. Weights are in 1/65536.
#[derive(Debug, Clone)]
pub(crate) struct Mixer<const N: usize> {
    sets: Vec<[i32; N]>,
    /// How far a set's weights move, in 1/16384, beside the number of its bits so far.
    seen: Vec<u32>,
    rate: i32,
}

impl<const N: usize> Mixer<N> {
    pub(crate) fn new(n_sets: usize, start: [i32; N], rate: i32) -> Self {
        Self { sets: vec![start; n_sets], seen: vec![0; n_sets], rate }
    }

    /// The mixed logit.
    #[inline]
    pub(crate) fn mix(&self, set: usize, inputs: &[i32; N]) -> i32 {
        let sum: i64 = self.sets[set].iter().zip(inputs).map(|(&w, &x)| i64::from(w) * i64::from(x)).sum();
        ((sum + (1 << 15)) >> 16).clamp(-i64::from(LOGIT_MAX), i64::from(LOGIT_MAX)) as i32
    }

    /// Learns from the bit that followed `logit`.
    #[inline]
    pub(crate) fn learn(&mut self, set: usize, inputs: &[i32; N], logit: i32, bit: bool) {
        let error = (i32::from(bit) << 16) - squash(logit) as i32;
        let seen = &mut self.seen[set];
        let rate = self.rate + self.rate * 8 / (4 + *seen as i32 / 16);
        *seen = (*seen + 1).min(1 << 16);
        let step = i64::from(error) * i64::from(rate);
        for (w, &x) in self.sets[set].iter_mut().zip(inputs) {
            *w += ((step * i64::from(x) + (1 << 21)) >> 22) as i32;
        }
    }
}
