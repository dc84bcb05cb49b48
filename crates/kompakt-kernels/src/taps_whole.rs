//! Windows of whole vectors: of sixteen positions each, nothing masked, all sums in registers.
//!
//! ```text
//! tile of R rows by V vectors      for each tap: w = weight in all lanes, then R * V times  acc += w * x[...]
//! ```
//!
//! Sums that wait in `y` are where a tile starts from, so that the order of additions is that of the taps, whatever the
//! blocks.
#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(
    unsafe_code,
    reason = "loads and stores without bounds checks: `apply` checked the reach of the window"
)]

use super::{Part, Positions, Step, Taps, Weights, Window, each_row};
use crate::lanes::{Avx2x8, Avx512x16, Lanes};
use crate::taps::MAX_SUMS;
use core::ops::Range;

/// Floats of a whole vector.
pub(super) const WHOLE: usize = 16;

struct Avx512Whole;
struct Avx2Whole;

impl Positions for Avx512Whole {
    #[inline(always)]
    unsafe fn run<W: Weights>(taps: Taps<'_, W>, x: *const f32, window: &Window, step: Step, y: *mut f32) {
        // SAFETY: passed on.
        unsafe { positions::<Avx512x16, W, MAX_SUMS>(taps, x, window, step, y) }
    }
}

/// Each vector as two halves.
impl Positions for Avx2Whole {
    #[inline(always)]
    unsafe fn run<W: Weights>(taps: Taps<'_, W>, x: *const f32, window: &Window, step: Step, y: *mut f32) {
        // SAFETY: passed on; a vector has sixteen floats.
        unsafe {
            positions::<Avx2x8, W, 12>(taps, x, window, step, y);
            positions::<Avx2x8, W, 12>(taps, x.add(8), window, step, y.add(8));
        }
    }
}

/// # Safety
/// As [`each_row`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn avx512_whole<W: Weights>(
    idx: &[u16],
    weights: W,
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    // SAFETY: passed on.
    unsafe { each_row::<Avx512Whole, W>(idx, weights, rows, part, y) }
}

/// # Safety
/// As [`each_row`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2_whole<W: Weights>(
    idx: &[u16],
    weights: W,
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    // SAFETY: passed on.
    unsafe { each_row::<Avx2Whole, W>(idx, weights, rows, part, y) }
}

/// Cuts the window into tiles of at most `MAX` vectors.
///
/// # Safety
/// The features of `L`; every tap's window inside `x`, the window inside `y`.
#[inline(always)]
unsafe fn positions<L: Lanes, W: Weights, const MAX: usize>(
    taps: Taps<'_, W>,
    x: *const f32,
    window: &Window,
    step: Step,
    y: *mut f32,
) {
    let mut col = 0;
    if window.rows == 1 && window.cols >= 2 * LINE {
        // A line is as good as rows that follow each other.
        let rows = window.cols / LINE;
        let folded = Window { rows, cols: LINE, x_stride: LINE, y_stride: LINE };
        // SAFETY: the first `rows * LINE` positions.
        unsafe { rectangle::<L, W, MAX>(taps, x, &folded, 0, step, y) };
        col = rows * LINE;
    }
    // SAFETY: the rest.
    unsafe { rectangle::<L, W, MAX>(taps, x, window, col, step, y) }
}

/// Floats of a row that a line is folded into.
const LINE: usize = 8 * WHOLE;

/// The columns of a window from `col` on.
///
/// # Safety
/// As [`positions`].
#[inline(always)]
unsafe fn rectangle<L: Lanes, W: Weights, const MAX: usize>(
    taps: Taps<'_, W>,
    x: *const f32,
    window: &Window,
    mut col: usize,
    step: Step,
    y: *mut f32,
) {
    while col < window.cols {
        let across = ((window.cols - col) / WHOLE).min(8);
        let fit = (MAX / across).clamp(1, 14);
        let (rows, strides) = (window.rows, [window.x_stride, window.y_stride]);
        let mut row = 0;
        while row < rows {
            // As even as possible.
            let left = rows - row;
            let down = left.div_ceil(left.div_ceil(fit));
            // SAFETY: `row + down` rows and `across` vectors from `col` on lie in the window.
            unsafe {
                let (x, y) = (x.add(row * strides[0] + col), y.add(row * strides[1] + col));
                shape::<L, W, MAX>([down, across], taps, x, strides, step, y);
            }
            row += down;
        }
        col += across * WHOLE;
    }
}

/// Calls [`tile`] for that many rows and vectors, of which at most `MAX` together.
///
/// # Safety
/// As [`positions`].
#[inline(always)]
unsafe fn shape<L: Lanes, W: Weights, const MAX: usize>(
    shape: [usize; 2],
    taps: Taps<'_, W>,
    x: *const f32,
    strides: [usize; 2],
    step: Step,
    y: *mut f32,
) {
    macro_rules! shapes {
        ($(($($r:literal)*) x $v:literal)*) => {
            match shape {
                $($(
                    // SAFETY: passed on.
                    [$r, $v] if $r * $v <= MAX || $r == 1 => unsafe {
                        match const { $r * $v } {
                            1 => tile::<L, W, $r, $v, 4>(taps, x, strides, step, y),
                            2 | 3 => tile::<L, W, $r, $v, 2>(taps, x, strides, step, y),
                            _ => tile::<L, W, $r, $v, 1>(taps, x, strides, step, y),
                        }
                    },
                )*)*
                [r, v] => unreachable!("a tile of {r} by {v} vectors"),
            }
        };
    }
    shapes!(
        (1 2 3 4 5 6 7 8 9 10 11 12 13 14) x 1
        (1 2 3 4 5 6 7 8 9 10 11 12 13 14) x 2
        (1 2 3 4 5 6 7 8 9) x 3
        (1 2 3 4 5 6 7) x 4
        (1 2 3 4 5) x 5
        (1 2 3 4) x 6
        (1 2 3 4) x 7
        (1 2 3) x 8
    );
}

/// One tile, `U` taps at a time where it has too few sums to keep the multipliers busy.
///
/// # Safety
/// As [`positions`], for the tile that starts at `x` and `y`.
#[inline(always)]
unsafe fn tile<L: Lanes, W: Weights, const R: usize, const V: usize, const U: usize>(
    taps: Taps<'_, W>,
    x: *const f32,
    strides: [usize; 2],
    step: Step,
    y: *mut f32,
) {
    let n = taps.n;
    // SAFETY: `i` stays below `n`; loads and stores stay within the tile, as the caller vouches.
    unsafe {
        let mut acc = [[[L::splat(0.0); V]; R]; U];
        if step.carry {
            for r in 0..R {
                for v in 0..V {
                    acc[0][r][v] = L::load(y.add(r * strides[1] + v * WHOLE));
                }
            }
        }
        let mut i = 0;
        while i + U <= n {
            for u in 0..U {
                tap(taps, i + u, x, strides[0], &mut acc[u]);
            }
            i += U;
        }
        while i < n {
            tap(taps, i, x, strides[0], &mut acc[0]);
            i += 1;
        }
        let (scale, bias) = (L::splat(step.epilogue.scale), L::splat(step.epilogue.bias));
        let floor = L::splat(step.epilogue.floor);
        for r in 0..R {
            for v in 0..V {
                let mut sum = acc[0][r][v];
                for u in 1..U {
                    sum = sum.add(acc[u][r][v]);
                }
                let out = if step.is_last { sum.mul_add(scale, bias).max_or_self(floor) } else { sum };
                out.store(y.add(r * strides[1] + v * WHOLE));
            }
        }
    }
}

/// One tap on one tile.
///
/// # Safety
/// As [`tile`]; `i` is below the number of taps.
#[inline(always)]
unsafe fn tap<L: Lanes, W: Weights, const R: usize, const V: usize>(
    taps: Taps<'_, W>,
    i: usize,
    x: *const f32,
    stride: usize,
    acc: &mut [[L; V]; R],
) {
    // SAFETY: promised by the caller.
    unsafe {
        let at = taps.first + i;
        let weight = L::splat(taps.weights.get(at));
        let x = x.add(usize::from(*taps.idx.get_unchecked(at)) * taps.scale);
        for r in 0..R {
            for v in 0..V {
                acc[r][v] = L::load(x.add(r * stride + v * WHOLE)).mul_add(weight, acc[r][v]);
            }
        }
    }
}
