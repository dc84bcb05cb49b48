//! The model of the zero map: whether a weight is kept.
//!
//! The base prediction is what its column and its row say, `logit = column + row`. Mixed to it are the weights
//! around it (each as kept minus expected), a window of the picture, the size of the weight on the left, the
//! unit that makes the input, and six adaptive contexts.

use super::{
    counter::Counter,
    mixer::{Mix, Mixer},
    picture::{Kind, near},
    priors,
    tables::{N_COARSE, squash},
};
use alloc::boxed::Box;

pub(crate) const N_INPUTS: usize = N_DIRECT + N_CONTEXTS;
const N_DIRECT: usize = 18;
const N_CONTEXTS: usize = 6;
const N_SETS: usize = 32;
/// Positions of a plane that have a context of their own.
pub(crate) const N_PLACES: usize = 4096;

const SQUARE: usize = N_COARSE * N_COARSE;
/// Where the counters of each context begin. The last has those of both quantisers of a trellis.
const FIRST: [usize; N_CONTEXTS] = {
    let sizes = [1 << 7, SQUARE, SQUARE, N_PLACES, SQUARE];
    let mut first = [0; N_CONTEXTS];
    let mut i = 0;
    while i < sizes.len() {
        first[i + 1] = first[i] + sizes[i];
        i += 1;
    }
    first
};
const N_BEFORE: usize = 1 << 9;
/// Where those of the second context begin for quantiser 1.
const FIRST_OTHER: usize = FIRST[N_CONTEXTS - 1] + 2 * N_BEFORE;
/// Counters of one kind of layer, filled up to a power of two so that masked indices need no check.
const N_COUNTERS: usize = (FIRST_OTHER + SQUARE).next_power_of_two();

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
    /// The row's index as [`coarse`](super::tables::coarse) has it; so are the next five.
    pub(crate) row: usize,
    pub(crate) column: usize,
    /// The count of the unit that makes the input.
    pub(crate) producer: usize,
    /// Kept so far in the column and in the row.
    pub(crate) in_column: usize,
    pub(crate) in_row: usize,
    /// Position within the plane, or the column of a line, of [`N_PLACES`].
    pub(crate) place: usize,
    /// Neighbours that are there, and those of them that are kept, as bits.
    pub(crate) present: u32,
    pub(crate) kept: u32,
    /// The column's logit, the row's, and the probability of both together in 1/65536.
    pub(crate) column_logit: i32,
    /// The column's logit as a probability in 1/65536.
    pub(crate) column_p: u32,
    /// Where codes follow a trellis: the quantiser that is meant.
    pub(crate) quantiser: Option<usize>,
    pub(crate) row_logit: i32,
    pub(crate) p: u32,
    /// Kept against expected in the window, as a logarithm.
    pub(crate) window: i32,
    /// The magnitude on the left in 1/256, 0 if there is none.
    pub(crate) left_magnitude: i32,
    /// The producer's count against the mean, as half a logarithm.
    pub(crate) producer_logit: i32,
}

/// The models of the three kinds of layers.
#[derive(Debug, Clone)]
pub(crate) struct KeptModel {
    kinds: [KindModel; 3],
}

#[derive(Debug, Clone)]
struct KindModel {
    mixer: Mixer<N_INPUTS, 2, N_SETS>,
    /// Those of all contexts, one after the other.
    counters: Box<[Counter; N_COUNTERS]>,
}

/// A prediction, kept until the bit is known.
pub(crate) struct Prediction {
    mix: Mix<N_INPUTS, 2>,
    counters: [usize; N_CONTEXTS],
}

impl Prediction {
    #[inline(always)]
    pub(crate) fn logit(&self) -> i32 {
        self.mix.logit
    }
}

impl KeptModel {
    pub(crate) fn new() -> Self {
        let kind = |kind: usize| KindModel {
            mixer: Mixer::new(&priors::KEPT_WEIGHTS[kind], priors::KEPT_RATE),
            counters: Box::new([Counter::NEW; N_COUNTERS]),
        };
        Self { kinds: core::array::from_fn(kind) }
    }

    #[inline(always)]
    pub(crate) fn predict(&self, kind: Kind, at: &Place) -> Prediction {
        let model = &self.kinds[kind as usize];
        let counters = counters(at);
        let base = at.column_logit + at.row_logit;
        let mut inputs = [0; N_INPUTS];
        inputs[..5].copy_from_slice(&[at.column_logit, at.row_logit, 77, at.window, at.left_magnitude]);
        let expected = ((at.p + 128) >> 8) as i32;
        for i in 0..NEIGHBOURS.len() {
            let there = (at.present >> NEIGHBOURS[i] & 1) as i32;
            let kept = (at.kept >> NEIGHBOURS[i] & 1) as i32;
            inputs[5 + i] = (kept << 8) - (-there & expected);
        }
        inputs[17] = at.producer_logit;
        for i in 0..N_CONTEXTS {
            inputs[N_DIRECT + i] =
                model.counters[counters[i] % N_COUNTERS].evidence(base, &priors::KEPT_TRUST);
        }
        let sets = [at.quantiser.unwrap_or(at.row), N_COARSE + (at.kept >> near::UP & 7) as usize];
        Prediction { mix: model.mixer.mix(sets, inputs), counters }
    }

    #[inline(always)]
    pub(crate) fn learn(&mut self, kind: Kind, prediction: &Prediction, kept: bool) {
        let model = &mut self.kinds[kind as usize];
        model.mixer.learn(&prediction.mix, kept);
        for i in 0..N_CONTEXTS {
            model.counters[prediction.counters[i] % N_COUNTERS].learn(kept, priors::KEPT_LIMIT);
        }
    }
}

/// The base prediction: column and row.
#[inline(always)]
pub(crate) fn base(column_logit: i32, row_logit: i32) -> u32 {
    squash(column_logit + row_logit)
}

#[inline(always)]
fn counters(at: &Place) -> [usize; N_CONTEXTS] {
    // LEFT, LEFT_2, UP, UP_RIGHT, UP_LEFT, PLANE and ABOVE.
    let around = at.kept & 127;
    // LEFT, UP and the rows before.
    let before = (at.kept >> near::UP) as usize % N_BEFORE;
    let quantiser = at.quantiser.unwrap_or(0);
    [
        FIRST[0] + around as usize,
        [FIRST[1], FIRST_OTHER][quantiser % 2] + at.row * N_COARSE + at.in_column,
        FIRST[2] + at.producer * N_COARSE + at.in_column,
        FIRST[3] + at.place,
        FIRST[4] + at.in_row * N_COARSE + at.column,
        FIRST[5] + quantiser * N_BEFORE + before,
    ]
}
