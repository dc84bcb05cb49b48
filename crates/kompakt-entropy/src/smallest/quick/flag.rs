//! Whether a weight is kept: the column's logit and the row's, mixed with what the neighbours say and with how the
//! last weights turned out.

use super::{super::binary::Coder, LIMIT, Near, PRUNED};
use crate::smallest::{
    counter::Counter,
    mixer::INPUT_MAX,
    tables::{LOGIT_MAX, TRUST_8, squash},
};
use alloc::boxed::Box;

/// Inputs, filled up to a register.
const N_INPUTS: usize = 8;
/// What the mixer's weights begin with, in 1/1024.
const START: [i32; N_INPUTS] = [1000, 1000, 20, 600, 200, 0, 0, 0];
/// How fast they move, in 1/65536.
const RATE: i32 = 24;
/// Weights lie within plus and minus this.
const WEIGHT_MAX: i32 = 1 << 18;

/// Classes of the base prediction, each for 32 neighbourhoods of both quantisers of a trellis.
const N_CLASSES: usize = 16;
const N_COUNTERS: usize = 2 * 32 * N_CLASSES;

/// What is known of a weight before its flag is coded.
pub(super) struct Flag {
    pub(super) column_logit: i32,
    pub(super) row_logit: i32,
    pub(super) near: Near,
    /// That of a trellis, or 0.
    pub(super) quantiser: usize,
}

#[derive(Debug, Clone)]
pub(super) struct KeptModel {
    /// In 1/65536.
    weights: [i32; N_INPUTS],
    counters: Box<[Counter; N_COUNTERS]>,
}

impl KeptModel {
    pub(super) fn new() -> Self {
        Self { weights: START.map(|w| w * 64), counters: Box::new([Counter::NEW; N_COUNTERS]) }
    }

    /// Codes a flag; `recent` is by how much more were kept than was expected, in 1/65536, old ones fading.
    #[inline(always)]
    pub(super) fn code<C: Coder>(&mut self, coder: &mut C, recent: &mut i32, at: &Flag, kept: bool) -> bool {
        let base = at.column_logit + at.row_logit;
        let class = ((base + 1024) >> 7).clamp(0, N_CLASSES as i32 - 1) as usize;
        let bit = |seen: u8, i: usize| usize::from(seen != PRUNED) << i;
        let near = &at.near;
        let near = bit(near.left, 0)
            | bit(near.up, 1)
            | bit(near.plane, 2)
            | bit(near.above, 3)
            | bit(near.above_right, 4)
            | at.quantiser << 5;
        let counter = &mut self.counters[(near * N_CLASSES + class) % N_COUNTERS];
        let evidence = counter.evidence(base, &TRUST_8).clamp(-INPUT_MAX, INPUT_MAX);
        let inputs = [at.column_logit, at.row_logit, 77, evidence, *recent >> 8, 0, 0, 0];
        let sum: i32 = self.weights.iter().zip(&inputs).map(|(w, x)| (w >> 4) * x).sum();
        let p = squash(((sum + (1 << 11)) >> 12).clamp(-LOGIT_MAX, LOGIT_MAX));
        let kept = coder.code(kept, p);
        counter.learn(kept, LIMIT);
        let error = (i32::from(kept) << 16) - p as i32;
        let step = (error * RATE) >> 7;
        for (w, x) in self.weights.iter_mut().zip(&inputs) {
            *w = (*w + ((step * x + (1 << 16)) >> 17)).clamp(-WEIGHT_MAX, WEIGHT_MAX);
        }
        *recent += (error - *recent) >> 4;
        kept
    }
}
