//! Sparse rows against windows of positions: the multiplication of a [`TapMatrix`](crate::TapMatrix).
//!
//! ```text
//! tile of R rows by V vectors      for each tap: w = broadcast weight, then R * V times  acc += w * x[...]
//! ```
//!
//! The accumulators of a tile stay in registers over all taps of a row. A window of full vectors of sixteen
//! is cut into tiles, and all rows are applied to one tile before the next ([`whole`]); any other window is
//! cut row by row, and the last vector of each line is masked ([`anywhere`]).
//!
//! A multiply-add has a latency of 4 cycles and two issue per cycle, so eight accumulators are needed: where
//! a tile has fewer vectors, `U` taps are accumulated separately and added up at the end.
#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(
    unsafe_code,
    reason = "loads and stores without bounds checks: `apply` checked the reach of the window"
)]

mod anywhere;
pub(crate) mod lanes;
pub(crate) mod panel;
mod whole;

#[cfg(target_arch = "x86_64")]
use crate::int8::runs::Head;
use crate::{
    arch::Arch,
    epilogue::{RowEpilogue, VectorEpilogue},
    isa::{Job, Vector},
    matrix::taps::{IndexedWeights, Part},
};
use core::ops::Range;

pub(crate) use whole::n_tiles;

/// One block of columns of some rows of a matrix, times a window. Made by
/// [`TapMatrix::apply`](crate::TapMatrix::apply), which has checked that the windows of all taps of the block
/// are within `x`, and the planes of all rows within `y`.
pub(crate) struct Products<'a, W> {
    idx: &'a [u16],
    /// As many.
    weights: W,
    rows: Range<usize>,
    part: &'a Part<'a>,
    y: &'a mut [f32],
}

impl<'a, W: IndexedWeights> Products<'a, W> {
    pub(crate) fn new(
        idx: &'a [u16],
        weights: W,
        rows: Range<usize>,
        part: &'a Part<'a>,
        y: &'a mut [f32],
    ) -> Self {
        assert_eq!(idx.len(), weights.len(), "places and weights");
        Self { idx, weights, rows, part, y }
    }
}

impl<W: IndexedWeights> Job for Products<'_, W> {
    type Output = ();
    const HAS_RUNS: bool = true;

    /// Tap by tap, position by position.
    fn define(self) {
        const { assert!(!W::ARE_RUNS, "runs are not run on every instruction set") };
        let Self { idx, weights, rows, part, y } = self;
        let Part { x, scale, window, .. } = part;
        for (row, y) in rows.zip(y.chunks_mut(part.y_plane.max(1))) {
            let epilogue = part.epilogue(row);
            for r in 0..window.rows {
                let y = &mut y[r * window.y_stride..][..window.cols];
                if !part.carry {
                    y.fill(0.0);
                }
                for i in part.taps(row) {
                    let x = &x[usize::from(idx[i]) * scale + r * window.x_stride..][..window.cols];
                    // SAFETY: there are as many weights as places, and place `i` is there.
                    let w = unsafe { weights.get(i) };
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y += w * x;
                    }
                }
                for y in y {
                    *y = epilogue.apply(*y);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: the windows lie in x and y, as was checked where this was made.
        unsafe {
            if whole::is_whole(&self.part.window) {
                whole::run::<A, W>(self);
            } else {
                anywhere::run::<A, W>(self);
            }
        }
    }
}

/// The taps of one row's block.
#[derive(Clone, Copy)]
struct Taps<'a, W> {
    idx: &'a [u16],
    weights: W,
    /// The first of the row's entries.
    first: usize,
    /// Their number.
    n: usize,
    scale: usize,
}

/// The initial values and the epilogue of a row.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Whether `y` holds the sums so far.
    carry: bool,
    /// Whether there is an epilogue.
    is_last: bool,
    epilogue: RowEpilogue,
}

/// What is to be done for a row.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Where its plane of the output begins, from the first row's.
    y: usize,
    /// The first of its entries.
    first: usize,
    /// Their number.
    n: usize,
    step: Step,
}

/// Rows that are found together.
const FOUND: usize = 32;

/// What is to be done for the first of some rows of a matrix, at most as many as there is room for; rows whose sums so far stay
/// what they are are left out.
// Not inlined: each shape of a tile would have a copy. Several rows together: a call for each would take a tenth of the time.
#[inline(never)]
fn find<'f>(idx: &[u16], part: &Part<'_>, rows: Range<usize>, to: &'f mut [Row]) -> &'f [Row] {
    let step = Step { carry: part.carry, is_last: part.epilogue.is_some(), epilogue: RowEpilogue::NONE };
    let mut n = 0;
    for (at, row) in rows.enumerate().take(to.len()) {
        let taps = part.taps(row);
        debug_assert!(idx[taps.clone()].iter().all(|&i| {
            usize::from(i) * part.scale + part.window.reach(part.window.x_stride) <= part.x.len()
        }));
        assert!(taps.end <= idx.len());
        if !taps.is_empty() || !step.carry || step.is_last {
            let step = Step { epilogue: part.epilogue(row), ..step };
            to[n] = Row { y: at * part.y_plane, first: taps.start, n: taps.len(), step };
            n += 1;
        }
    }
    &to[..n]
}

impl Row {
    const NOTHING: Self = Self {
        y: 0,
        first: 0,
        n: 0,
        step: Step { carry: true, is_last: false, epilogue: RowEpilogue::NONE },
    };

    /// Its taps.
    #[inline(always)]
    fn taps<'a, W: IndexedWeights>(&self, idx: &'a [u16], weights: W, scale: usize) -> Taps<'a, W> {
        Taps { idx, weights, first: self.first, n: self.n, scale }
    }
}

/// The strides of a tile's vectors.
#[derive(Clone, Copy)]
struct Lie<L: Vector> {
    /// Row stride in `x`.
    x_stride: usize,
    /// Row stride in `y`.
    y_stride: usize,
    /// Stride between vectors in both.
    step: usize,
    /// The mask of the last vector of a row, where it is partial.
    last: L::Mask,
}

/// One tile: `R` rows of `V` vectors, the last of each row masked if `MASKED`, `U` taps at a time.
///
/// An unmasked tile starts from the partial sums in `y`, so that the order of additions is that of the taps,
/// whatever the blocks; a masked one adds them at the end.
///
/// # Safety
/// The features of `L`; the tile that starts at `x` for every tap, and the one at `y`, inside them.
#[inline(always)]
unsafe fn tile<
    L: Vector,
    W: IndexedWeights,
    const R: usize,
    const V: usize,
    const U: usize,
    const MASKED: bool,
>(
    taps: Taps<'_, W>,
    x: *const f32,
    lie: Lie<L>,
    step: Step,
    y: *mut f32,
) {
    let n = taps.n;
    // SAFETY: `i` stays below `n`; loads and stores stay within the tile, as the caller vouches.
    unsafe {
        let mut acc = [[[L::splat(0.0); V]; R]; U];
        if step.carry && !MASKED {
            for r in 0..R {
                for v in 0..V {
                    acc[0][r][v] = L::load(y.add(r * lie.y_stride + v * lie.step));
                }
            }
        }
        let mut i = 0;
        #[cfg(target_arch = "x86_64")]
        if const { W::ARE_RUNS } {
            runs::<L, W, R, V, MASKED>(taps, x, lie, &mut acc[0]);
            i = n;
        }
        while U > 1 && i + U <= n {
            for u in 0..U {
                tap::<L, W, R, V, MASKED>(taps, i + u, x, lie, &mut acc[u]);
            }
            i += U;
        }
        while i < n {
            tap::<L, W, R, V, MASKED>(taps, i, x, lie, &mut acc[0]);
            i += 1;
        }
        let epilogue = VectorEpilogue::<L>::new(step.epilogue);
        for r in 0..R {
            for v in 0..V {
                let at = y.add(r * lie.y_stride + v * lie.step);
                let is_masked = MASKED && v + 1 == V;
                let mut sum = acc[0][r][v];
                for u in 1..U {
                    sum = sum.add(acc[u][r][v]);
                }
                if step.carry && MASKED {
                    sum = sum.add(if is_masked { L::load_masked(at, lie.last) } else { L::load(at) });
                }
                // Sums of floats that are not finished yet have an epilogue that leaves them as they are.
                let out = if !L::INTEGERS || step.is_last { epilogue.apply(sum) } else { sum };
                if is_masked { out.store_masked(at, lie.last) } else { out.store(at) }
            }
        }
    }
}

/// All taps on one tile, stretch by stretch: see [`runs`](crate::int8::runs).
///
/// # Safety
/// As [`tile`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn runs<L: Vector, W: IndexedWeights, const R: usize, const V: usize, const MASKED: bool>(
    taps: Taps<'_, W>,
    x: *const f32,
    lie: Lie<L>,
    acc: &mut [[L; V]; R],
) {
    let mut i = 0;
    // SAFETY: `i` stays below the number of taps.
    unsafe {
        while i < taps.n {
            let Head { per_run, n } = Head::of_weight(taps.weights.get(taps.first + i));
            i += 1;
            let end = taps.n.min(i + n);
            while i < end {
                let mut short = [[L::splat(0.0); V]; R];
                let next = end.min(i + per_run);
                while i < next {
                    tap::<L, W, R, V, MASKED>(taps, i, x, lie, &mut short);
                    i += 1;
                }
                for r in 0..R {
                    for v in 0..V {
                        acc[r][v] = acc[r][v].add_short(short[r][v]);
                    }
                }
            }
        }
    }
}

/// One tap on one tile.
///
/// # Safety
/// As [`tile`]; `i` is below the number of taps.
#[inline(always)]
unsafe fn tap<L: Vector, W: IndexedWeights, const R: usize, const V: usize, const MASKED: bool>(
    taps: Taps<'_, W>,
    i: usize,
    x: *const f32,
    lie: Lie<L>,
    acc: &mut [[L; V]; R],
) {
    // SAFETY: promised by the caller.
    unsafe {
        let at = taps.first + i;
        let weight = L::splat(taps.weights.get(at));
        let x = x.add(usize::from(*taps.idx.get_unchecked(at)) * taps.scale);
        for r in 0..R {
            for v in 0..V {
                let at = x.add(r * lie.x_stride + v * lie.step);
                let value = if MASKED && v + 1 == V { L::load_masked(at, lie.last) } else { L::load(at) };
                acc[r][v] = match const { W::ARE_RUNS } {
                    true => value.mul_add_short(weight, acc[r][v]),
                    false => value.mul_add(weight, acc[r][v]),
                };
            }
        }
    }
}
