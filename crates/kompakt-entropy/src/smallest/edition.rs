//! What an earlier edition of a layer says about its weights.
//!
//! The rich models predict every bit from the layer itself. Before it is coded, an [`Edition`] may change that prediction:
//! [`First`] leaves it, [`Next`] mixes it with what the same weight was in the edition before.
//!
//! ```text
//! bit        contexts of the next edition
//! kept       was it kept, how large; did the last flags change; what its neighbours were and became
//! positive   its sign; how large; did the last signs change
//! cut        how far its old value lies from the cut, against how far others moved; the same in levels; how many are left
//! ```

use super::{
    binary::Coder,
    cells::Cells,
    counter::Counter,
    layer::LayerContext,
    refined::Refined,
    tables::{squash, stretch},
};
use crate::{EntropyError, MaskedCodes};

/// What is expected of a layer: the layer of the edition before.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Its mask and codes, as far as they can be said with the levels of this edition; of the same shape and levels.
    pub weights: MaskedCodes<'a>,
    /// The levels of this edition on a scale of 16 bits: `[n_levels]`, ascending, those below zero negative.
    pub levels: &'a [i16],
    /// On the same scale the value that each weight had, or that its level has now; `[rows, channels, taps]`, 0 where it was
    /// pruned.
    pub places: &'a [i16],
}

impl Expected<'_> {
    pub(crate) fn check(&self, weights: MaskedCodes<'_>) -> Result<(), EntropyError> {
        self.weights.validate()?;
        let shape = |w: &MaskedCodes<'_>| (w.rows, w.channels, w.taps, w.n_levels, w.n_negative);
        let fits = shape(&self.weights) == shape(&weights)
            && self.levels.len() == weights.n_levels
            && self.places.len() == weights.len();
        let problem = "what is expected has another shape";
        if fits { Ok(()) } else { Err(EntropyError::weights(problem)) }
    }
}

/// Codes the bits of weights at the predictions of the rich models, or better ones.
pub(crate) trait Edition {
    /// Whether weight `at` is kept; `logit` is the rich models' prediction, as below.
    fn kept<C: Coder, D: Cells>(
        &mut self,
        coder: &mut C,
        cells: &D,
        layer: &LayerContext,
        at: usize,
        logit: i32,
    ) -> bool;
    /// Whether it is positive.
    fn sign<C: Coder>(
        &mut self,
        coder: &mut C,
        layer: &LayerContext,
        at: usize,
        positive: bool,
        logit: i32,
    ) -> bool;
    /// Its magnitude follows, cut by cut.
    fn start_magnitude(&mut self, layer: &LayerContext, at: usize, positive: bool);
    /// Whether its magnitude is at least the middle one of `[lo, middle, hi]`; `p` is the prediction in 1/65536.
    fn cut<C: Coder>(&mut self, coder: &mut C, cut: [usize; 3], upper: bool, p: u32) -> bool;
    /// Its magnitude is known.
    fn end_magnitude(&mut self, magnitude: usize);
}

/// Nothing is known of an earlier edition.
pub(crate) struct First;

impl Edition for First {
    #[inline(always)]
    fn kept<C: Coder, D: Cells>(
        &mut self,
        coder: &mut C,
        cells: &D,
        _: &LayerContext,
        at: usize,
        logit: i32,
    ) -> bool {
        coder.code(cells.kept(at), squash(logit))
    }
    #[inline(always)]
    fn sign<C: Coder>(
        &mut self,
        coder: &mut C,
        _: &LayerContext,
        _: usize,
        positive: bool,
        logit: i32,
    ) -> bool {
        coder.code(positive, squash(logit))
    }
    #[inline(always)]
    fn start_magnitude(&mut self, _: &LayerContext, _: usize, _: bool) {}
    #[inline(always)]
    fn cut<C: Coder>(&mut self, coder: &mut C, _: [usize; 3], upper: bool, p: u32) -> bool {
        coder.code(upper, p)
    }
    #[inline(always)]
    fn end_magnitude(&mut self, _: usize) {}
}

/// The models of weights of which an earlier edition is known; they live as long as a stream.
#[derive(Debug, Clone)]
pub(crate) struct EditionModel {
    kept: Refined,
    sign: Refined,
    cut: Refined,
    /// The last eight flags of what was dropped, and of what was kept: 1 where it changed.
    changed: [u8; 2],
    /// The same of signs.
    flipped: u8,
    /// How far the last two magnitudes moved: 0, 1, or 2 for more levels; base 3.
    moved: usize,
}

/// Where a cut lies from the expected magnitude in levels: -4 to 3 as 0 to 7, and two more.
const NOT_KEPT: usize = 8;
const OTHER_SIGN: usize = 9;
/// Steps of the distance between a cut and a value on either side, in eighths of the mean move.
const STEPS: [i32; 11] = [1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40];
const N_STEPS: usize = STEPS.len() + 1;
/// The distance where nothing was kept.
const NOWHERE: usize = 2 * N_STEPS;
/// Chances in thousandths that a value beyond a cut by so many steps stays there.
const STAYS: [u32; N_STEPS] = [530, 580, 640, 690, 750, 810, 860, 910, 950, 975, 988, 995];

impl EditionModel {
    pub(crate) fn new() -> Self {
        let mut kept = Refined::new([8, 8 * 8, 2 * 64, 2 * 16]);
        let mut sign = Refined::new([3, 3 * 4, 3 * 16, 3 * 8]);
        let mut cut = Refined::new([32, 10 * 8, 32 * 9, 32 * 16]);
        for (state, counter) in kept.first().iter_mut().enumerate() {
            *counter = if state == 0 { likely(5) } else { likely(960) };
        }
        sign.first().copy_from_slice(&[Counter::NEW, likely(5), likely(995)]);
        for (step, &stays) in STAYS.iter().enumerate() {
            cut.first()[N_STEPS + step] = likely(stays);
            cut.first()[N_STEPS - 1 - step] = likely(1000 - stays);
        }
        // Where nothing was known of the weight, the rich models know best.
        sign.trust_rich(0);
        cut.trust_rich(NOWHERE);
        Self { kept, sign, cut, changed: [0; 2], flipped: 0, moved: 0 }
    }
}

/// A counter that begins with that probability, in thousandths.
fn likely(p: u32) -> Counter {
    Counter::seen(((u64::from(p) << 22) / 1000) as u32, 6)
}

/// A layer of which an earlier edition is known.
pub(crate) struct Next<'a> {
    models: &'a mut EditionModel,
    before: Expected<'a>,
    /// The magnitude before, if it had this sign; or [`NOT_KEPT`], [`OTHER_SIGN`].
    expected: Result<usize, usize>,
    /// The place of the weight at hand, the direction of its sign now, and the first level on that side.
    place: i32,
    direction: i32,
    first: usize,
    /// Sum and number of moves, on the scale of 16 bits.
    moves: (u64, u64),
}

/// Moves that are taken to have been seen at the start of a layer.
const FIRST_MOVES: u64 = 8;

impl<'a> Next<'a> {
    pub(crate) fn new(models: &'a mut EditionModel, before: Expected<'a>) -> Self {
        let first_move = 8192 / before.levels.len().max(1) as u64;
        let moves = (FIRST_MOVES * first_move, FIRST_MOVES);
        Self { models, before, expected: Err(NOT_KEPT), place: 0, direction: 1, first: 0, moves }
    }

    /// The place of the level with that magnitude, on the side of the sign at hand.
    #[inline(always)]
    fn level(&self, magnitude: usize) -> i32 {
        let code = if self.direction > 0 { self.first + magnitude } else { self.first - magnitude };
        i32::from(self.before.levels[code])
    }

    /// Whether a neighbour was kept, and whether it is another now; `known` if it is coded already.
    #[inline(always)]
    fn neighbour<D: Cells>(&self, cells: &D, at: Option<usize>, known: bool) -> usize {
        let Some(at) = at.filter(|&at| at < self.before.weights.len()) else { return 0 };
        let was = self.before.weights.is_kept(at);
        usize::from(was) + usize::from(known && cells.kept(at) != was)
    }
}

impl Edition for Next<'_> {
    #[inline(always)]
    fn kept<C: Coder, D: Cells>(
        &mut self,
        coder: &mut C,
        cells: &D,
        layer: &LayerContext,
        at: usize,
        logit: i32,
    ) -> bool {
        let was = self.before.weights.is_kept(at);
        let part = layer.part(self.before.weights.codes[at]);
        let state = if was { 1 + ((part.magnitude as usize * 7) >> 8).min(6) } else { 0 };
        let row = layer.row_len;
        let left = self.neighbour(cells, at.checked_sub(1), true);
        let above = self.neighbour(cells, at.checked_sub(row), true);
        let right = self.neighbour(cells, at.checked_add(1), false);
        let below = self.neighbour(cells, at.checked_add(row), false);
        let around = (left.min(3) << 2 | above.min(3)) << 2 | right.min(1) << 1 | below.min(1);
        let class = usize::from(was);
        let last = usize::from(self.models.changed[class] & 7);
        let contexts = [state, 8 * state + last, 64 * class + around, 16 * class + bucket(logit)];
        let kept = self.models.kept.code(coder, cells.kept(at), logit, contexts, class);
        let changed = &mut self.models.changed[class];
        *changed = *changed << 1 | u8::from(kept != was);
        kept
    }

    #[inline(always)]
    fn sign<C: Coder>(
        &mut self,
        coder: &mut C,
        layer: &LayerContext,
        at: usize,
        positive: bool,
        logit: i32,
    ) -> bool {
        let part = layer.part(self.before.weights.codes[at]);
        let was = if self.before.weights.is_kept(at) { 1 + usize::from(part.is_positive) } else { 0 };
        let size = if was == 0 { 0 } else { ((part.magnitude as usize * 4) >> 8).min(3) };
        let last = usize::from(self.models.flipped & 7);
        let contexts = [was, 4 * was + size, 16 * was + bucket(logit), 8 * was + last];
        let positive = self.models.sign.code(coder, positive, logit, contexts, was);
        if was > 0 {
            self.models.flipped = self.models.flipped << 1 | u8::from(positive != (was == 2));
        }
        positive
    }

    #[inline(always)]
    fn start_magnitude(&mut self, layer: &LayerContext, at: usize, positive: bool) {
        let code = usize::from(self.before.weights.codes[at]);
        self.place = i32::from(self.before.places[at]);
        self.direction = if positive { 1 } else { -1 };
        self.first = if positive { layer.n_negative } else { layer.n_negative.wrapping_sub(1) };
        self.expected = if !self.before.weights.is_kept(at) {
            Err(NOT_KEPT)
        } else if (code >= layer.n_negative) != positive {
            Err(OTHER_SIGN)
        } else if positive {
            Ok(code - layer.n_negative)
        } else {
            Ok(layer.n_negative - 1 - code)
        };
    }

    #[inline(always)]
    fn cut<C: Coder>(&mut self, coder: &mut C, [lo, middle, hi]: [usize; 3], upper: bool, p: u32) -> bool {
        let (from, far) = match self.expected {
            Err(NOT_KEPT) => (NOT_KEPT, NOWHERE),
            expected => {
                let cut = (self.level(middle - 1) + self.level(middle)) / 2;
                let far = (self.place - cut) * self.direction;
                let mean = (self.moves.0 / self.moves.1).max(1);
                let steps = (8 * u64::from(far.unsigned_abs()) / mean).min(1 << 16) as i32;
                let step = STEPS.iter().take_while(|&&step| step <= steps).count();
                let far = if far < 0 { N_STEPS - 1 - step } else { N_STEPS + step };
                let of = |expected: usize| ((expected as i32 - middle as i32).clamp(-4, 3) + 4) as usize;
                (expected.map_or(OTHER_SIGN, of), far)
            }
        };
        let size = ((hi - lo).ilog2() as usize).min(7);
        let logit = stretch(p << 6);
        let contexts = [far, 8 * from + size, 9 * far + self.models.moved, 16 * far + bucket(logit)];
        self.models.cut.code(coder, upper, logit, contexts, far)
    }

    #[inline(always)]
    fn end_magnitude(&mut self, magnitude: usize) {
        if self.expected == Err(NOT_KEPT) {
            return;
        }
        if let Ok(expected) = self.expected {
            self.models.moved = (3 * self.models.moved + magnitude.abs_diff(expected).min(2)) % 9;
        }
        self.moves.0 += u64::from((self.level(magnitude) - self.place).unsigned_abs());
        self.moves.1 += 1;
    }
}

/// A logit as one of 16 steps.
#[inline(always)]
fn bucket(logit: i32) -> usize {
    ((logit + 2048) >> 8).clamp(0, 15) as usize
}
