//! The model of the zero map: whether a weight is kept.
//!
//! The base prediction is what its column and its row say, `logit = column + row`. Mixed to it are the weights
//! around it (each as kept minus expected), a window of the picture, the size of the weight on the left, the
//! unit that makes the input, and six adaptive contexts.

use super::{
    counter::Counter,
    mixer::{INPUT_MAX, Mix, Mixer},
    picture::{Kind, near},
    priors,
    tables::{N_COARSE, coarse, squash},
};
use alloc::{vec, vec::Vec};

pub(crate) const N_INPUTS: usize = N_DIRECT + N_CONTEXTS;
const N_DIRECT: usize = 18;
const N_CONTEXTS: usize = 6;
const N_SETS: usize = N_COARSE + 8;
/// Positions of a plane that have a context of their own.
const N_PLACES: usize = 4096;

/// The neighbours that are inputs of their own, in the order of the inputs.
const NEIGHBOURS: [u32; 12] = [
    near::LEFT,
    near::LEFT_2,
    near::UP,
    near::UP_RIGHT,
    near::UP_LEFT,
    near::PLANE,
    near::ABOVE,
    near::ABOVE_2,
    near::ABOVE_LEFT,
    near::ABOVE_RIGHT,
    near::ABOVE_UP,
    near::ABOVE_DOWN,
];

/// What is known about a weight before it is coded.
pub(crate) struct Place {
    pub(crate) row: u32,
    pub(crate) column: u32,
    /// Position within the plane.
    pub(crate) place: u32,
    /// Neighbours that are there, and those of them that are kept, as bits.
    pub(crate) present: u32,
    pub(crate) kept: u32,
    /// The column's logit, the row's, and the probability of both together in 1/65536.
    pub(crate) column_logit: i32,
    pub(crate) row_logit: i32,
    pub(crate) p: u32,
    /// Kept against expected in the window, as a logarithm.
    pub(crate) window: i32,
    /// The magnitude on the left in 1/256, 0 if there is none.
    pub(crate) left_magnitude: i32,
    /// The producer's count against the mean, as half a logarithm, and the count itself.
    pub(crate) producer_logit: i32,
    pub(crate) producer: u32,
    /// Kept so far in the column and in the row.
    pub(crate) in_column: u32,
    pub(crate) in_row: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct KeptModel {
    mixers: [Mixer<N_INPUTS, 2>; 3],
    contexts: [Vec<Counter>; N_CONTEXTS],
}

/// A prediction, kept until the bit is known.
pub(crate) struct Prediction {
    mix: Mix<N_INPUTS, 2>,
    contexts: [usize; N_CONTEXTS],
}

impl Prediction {
    pub(crate) fn p(&self) -> u32 {
        self.mix.p
    }
    pub(crate) fn logit(&self) -> i32 {
        self.mix.logit
    }
}

impl KeptModel {
    pub(crate) fn new() -> Self {
        let mixer = |kind: usize| Mixer::new(N_SETS, &priors::KEPT_WEIGHTS[kind], priors::KEPT_RATE);
        let square = 3 * N_COARSE * N_COARSE;
        let sizes = [3 << 7, square, square, 3 * N_PLACES, square, 3 << 9];
        Self { mixers: core::array::from_fn(mixer), contexts: sizes.map(|n| vec![Counter::NEW; n]) }
    }

    #[inline]
    pub(crate) fn predict(&self, kind: Kind, at: &Place) -> Prediction {
        let contexts = contexts(kind, at);
        let base = at.column_logit + at.row_logit;
        let mut inputs = [0; N_INPUTS];
        inputs[..5].copy_from_slice(&[at.column_logit, at.row_logit, 77, at.window, at.left_magnitude]);
        let expected = ((at.p + 128) >> 8) as i32;
        for (input, &neighbour) in inputs[5..].iter_mut().zip(&NEIGHBOURS) {
            let there = (at.present >> neighbour & 1) as i32;
            let kept = (at.kept >> neighbour & 1) as i32;
            *input = (kept << 8) - there * expected;
        }
        inputs[17] = at.producer_logit;
        for (input, (counters, &context)) in
            inputs[N_DIRECT..].iter_mut().zip(self.contexts.iter().zip(&contexts))
        {
            *input = counters[context].evidence(base, &priors::KEPT_TRUST);
        }
        let bits = gather(at.kept, &[near::LEFT, near::UP, near::ABOVE]);
        let sets = [coarse(at.row), N_COARSE + bits];
        Prediction { mix: self.mixers[kind as usize].mix(sets, inputs), contexts }
    }

    #[inline]
    pub(crate) fn learn(&mut self, kind: Kind, prediction: &Prediction, kept: bool) {
        self.mixers[kind as usize].learn(&prediction.mix, kept);
        for (counters, &context) in self.contexts.iter_mut().zip(&prediction.contexts) {
            counters[context].learn(kept, priors::KEPT_LIMIT);
        }
    }
}

/// The base prediction: column and row.
#[inline]
pub(crate) fn base(column_logit: i32, row_logit: i32) -> u32 {
    squash(column_logit + row_logit.clamp(-INPUT_MAX, INPUT_MAX))
}

#[inline]
fn contexts(kind: Kind, at: &Place) -> [usize; N_CONTEXTS] {
    let kind_index = kind as usize;
    let square = |a: usize, b: usize| (kind_index * N_COARSE + a) * N_COARSE + b;
    let (row, column) = (coarse(at.in_row), coarse(at.in_column));
    let place = if kind == Kind::Line { at.column } else { at.place } as usize % N_PLACES;
    // LEFT, LEFT_2, UP, UP_RIGHT, UP_LEFT as they stand, then PLANE and ABOVE.
    let around = (at.kept & 31) as usize | gather(at.kept, &[near::PLANE, near::ABOVE]) << 5;
    // ABOVE to ABOVE_3 as they stand, then LEFT and UP.
    let before = (at.kept >> near::ABOVE) as usize & 127 | gather(at.kept, &[near::LEFT, near::UP]) << 7;
    [
        around | kind_index << 7,
        square(column, row),
        square(coarse(at.producer), column),
        kind_index * N_PLACES + place,
        square(row, coarse(at.column)),
        before | kind_index << 9,
    ]
}

/// The bits of `from` that are named, packed, the first lowest.
#[inline]
fn gather<const N: usize>(from: u32, named: &[u32; N]) -> usize {
    named.iter().enumerate().fold(0, |sum, (i, &bit)| sum | (from >> bit & 1) << i) as usize
}
