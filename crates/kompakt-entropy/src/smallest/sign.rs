//! The model of signs: whether a kept weight is positive, from the signs around it and the balance of its row,
//! its column and the whole tensor.

use super::{counter::Counter, mixer::Mix, mixer::Mixer, picture::Kind, priors, tables::ratio};
use alloc::{vec, vec::Vec};

pub(crate) const N_INPUTS: usize = N_DIRECT + N_CONTEXTS;
const N_DIRECT: usize = 16;
const N_CONTEXTS: usize = 3;
/// Neighbours whose signs are inputs.
pub(crate) const N_NEAR: usize = 11;

/// How many weights of something are kept, and how many of these are positive.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Balance {
    pub(crate) kept: u32,
    pub(crate) positive: u32,
}

impl Balance {
    #[inline(always)]
    pub(crate) fn add(&mut self, positive: bool) {
        if self.kept == 1 << 24 {
            self.kept /= 2;
            self.positive /= 2;
        }
        self.kept += 1;
        self.positive += u32::from(positive);
    }

    /// The logit of a positive one, each side begun with `halves / 2`.
    #[inline(always)]
    fn logit(self, halves: u32) -> i32 {
        let count = |n: u32| u64::from(2 * n + halves);
        ratio(count(self.positive), count(self.kept - self.positive))
    }

    /// The share of positive ones in `steps` steps.
    #[inline(always)]
    fn share(self, halves: u32, steps: u32) -> usize {
        ((2 * self.positive + halves) * steps / (2 * self.kept + 2 * halves)).min(steps - 1) as usize
    }
}

/// What is known about a sign before it is coded. Signs are 1, -1, or 0 where nothing is kept.
pub(crate) struct Surroundings {
    pub(crate) tensor: Balance,
    pub(crate) row: Balance,
    pub(crate) column: Balance,
    /// LEFT, LEFT_2, UP, UP_LEFT, UP_RIGHT, UP_2, ABOVE, ABOVE_2, ABOVE_RIGHT, ABOVE_DOWN, PLANE.
    pub(crate) signs: [i32; N_NEAR],
    /// How often this row's signs agreed with ABOVE's, and how often not.
    pub(crate) agreed: u32,
    pub(crate) disagreed: u32,
    /// Positive and negative signs in the window, weighted by nearness in 1/64.
    pub(crate) window: [u32; 2],
}

#[derive(Debug, Clone)]
pub(crate) struct SignModel {
    mixers: [Mixer<N_INPUTS, 1, 1>; 3],
    contexts: [Vec<Counter>; N_CONTEXTS],
}

pub(crate) struct Prediction {
    mix: Mix<N_INPUTS, 1>,
    contexts: [usize; N_CONTEXTS],
}

impl Prediction {
    pub(crate) fn logit(&self) -> i32 {
        self.mix.logit
    }
}

impl SignModel {
    pub(crate) fn new() -> Self {
        let mixer = |kind: usize| Mixer::new(&priors::SIGN_WEIGHTS[kind], priors::SIGN_RATE);
        Self {
            mixers: core::array::from_fn(mixer),
            contexts: [3 * 27, 3 * 25, 3 * 18].map(|n| vec![Counter::NEW; n]),
        }
    }

    #[inline(always)]
    pub(crate) fn predict(&self, kind: Kind, at: &Surroundings) -> Prediction {
        let base = at.tensor.logit(2);
        let [left, _, up, _, _, _, above, _, _, _, plane] = at.signs;
        let three = |sign: i32| (sign + 1) as usize;
        let kind_index = kind as usize;
        let contexts = [
            three(left) + 3 * three(up) + 9 * three(above) + 27 * kind_index,
            at.row.share(6, 5) + 5 * at.column.share(4, 5) + 25 * kind_index,
            three(plane) + 3 * at.column.share(4, 6) + 18 * kind_index,
        ];
        let (agreed, disagreed) = (at.agreed as i32, at.disagreed as i32);
        let agreement = (512 * (agreed - disagreed)).div_euclid(agreed + disagreed + 2);
        let mut inputs = [0; N_INPUTS];
        inputs[..3].copy_from_slice(&[base, at.row.logit(6), at.column.logit(4)]);
        for (input, &sign) in inputs[3..].iter_mut().zip(&at.signs) {
            *input = sign << 8;
        }
        // PLANE stands before the agreement.
        inputs[14] = above * agreement;
        inputs[15] = ratio(u64::from(at.window[0] + 19), u64::from(at.window[1] + 19));
        for (input, (counters, &context)) in
            inputs[N_DIRECT..].iter_mut().zip(self.contexts.iter().zip(&contexts))
        {
            *input = counters[context].evidence(base, &priors::SIGN_TRUST);
        }
        Prediction { mix: self.mixers[kind_index].mix([0], inputs), contexts }
    }

    #[inline(always)]
    pub(crate) fn learn(&mut self, kind: Kind, prediction: &Prediction, positive: bool) {
        self.mixers[kind as usize].learn(&prediction.mix, positive);
        for (counters, &context) in self.contexts.iter_mut().zip(&prediction.contexts) {
            counters[context].learn(positive, priors::SIGN_LIMIT);
        }
    }
}
