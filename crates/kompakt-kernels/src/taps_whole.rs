//! Windows of whole vectors: of sixteen positions each, nothing masked, all sums in registers.
//!
//! ```text
//! tile of R rows by V vectors      for each row of the matrix, for each tap: w = weight in all lanes,
//!                                  then R * V times  acc += w * x[...]
//! ```
//!
//! The window is cut into tiles, and all rows go by one tile before the next: what it reads of `x` stays in cache, and
//! what the tile's shape decides is decided once. Sums that wait in `y` are where a tile starts from, so that the order
//! of additions is that of the taps, whatever the blocks.
#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(
    unsafe_code,
    reason = "loads and stores without bounds checks: `apply` checked the reach of the window"
)]

use super::{Part, Step, Taps, Weights};
use crate::lanes::{Avx2x8, Avx512x16, Lanes};
use crate::taps::MAX_SUMS;
use core::ops::Range;

/// Floats of a whole vector.
pub(super) const WHOLE: usize = 16;
/// The most vectors of a tile that has one or two across.
const MAX_DOWN: usize = 14;

/// Rows of a matrix against the positions of a window.
#[derive(Clone, Copy)]
struct Job<'a, W> {
    idx: &'a [u16],
    weights: W,
    first: usize,
    end: usize,
    part: &'a Part<'a>,
    y: *mut f32,
}

/// # Safety
/// The features; the windows of the part's taps inside `part.x`, and one window a row inside `y`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn avx512_whole<W: Weights>(
    idx: &[u16],
    weights: W,
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    let job = Job { idx, weights, first: rows.start, end: rows.end, part, y: y.as_mut_ptr() };
    // SAFETY: passed on.
    unsafe { window::<Avx512x16, W, MAX_SUMS>(job, 0) }
}

/// Each vector as two halves.
///
/// # Safety
/// As [`avx512_whole`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2_whole<W: Weights>(
    idx: &[u16],
    weights: W,
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    let job = Job { idx, weights, first: rows.start, end: rows.end, part, y: y.as_mut_ptr() };
    // SAFETY: passed on; a vector has sixteen floats.
    unsafe {
        window::<Avx2x8, W, 12>(job, 0);
        window::<Avx2x8, W, 12>(job, 8);
    }
}

/// Cuts the window into tiles of at most `MAX` vectors, of which the lanes from `lane` on are computed.
///
/// # Safety
/// As [`avx512_whole`].
#[inline(always)]
unsafe fn window<L: Lanes, W: Weights, const MAX: usize>(job: Job<'_, W>, lane: usize) {
    let window = &job.part.window;
    if window.rows == 1 {
        // A line is as good as rows that follow each other.
        let mut col = 0;
        while col < window.cols {
            let [down, across] = piece::<MAX>((window.cols - col) / WHOLE);
            let strides = [across * WHOLE; 2];
            // SAFETY: `down * across` vectors from `col` on lie in the window.
            unsafe { shape::<L, W, MAX>([down, across], job, [col + lane; 2], strides) };
            col += down * across * WHOLE;
        }
        return;
    }
    let strides = [window.x_stride, window.y_stride];
    let mut col = 0;
    while col < window.cols {
        let across = ((window.cols - col) / WHOLE).min(8);
        let fit = (MAX / across).clamp(1, MAX_DOWN);
        let mut row = 0;
        while row < window.rows {
            // As even as possible.
            let left = window.rows - row;
            let down = left.div_ceil(left.div_ceil(fit));
            let at = strides.map(|stride| row * stride + col + lane);
            // SAFETY: `row + down` rows and `across` vectors from `col` on lie in the window.
            unsafe { shape::<L, W, MAX>([down, across], job, at, strides) };
            row += down;
        }
        col += across * WHOLE;
    }
}

/// The first tile of a line of that many vectors: as large as registers allow, and no small one left over.
fn piece<const MAX: usize>(n: usize) -> [usize; 2] {
    let single = MAX.min(MAX_DOWN);
    if n <= single {
        return [n, 1];
    }
    if n >= MAX + 4 {
        return [MAX / 2, 2];
    }
    if n > MAX {
        return piece::<MAX>(n.div_ceil(2));
    }
    let fits = |&across: &usize| n.is_multiple_of(across) && n / across <= MAX_DOWN;
    match (2..=8).find(fits) {
        Some(across) => [n / across, across],
        None => [n.div_ceil(n.div_ceil(single)), 1],
    }
}

/// Calls [`rows`] for tiles of that many rows and vectors, of which at most `MAX` together.
///
/// # Safety
/// As [`avx512_whole`], for the tile at `at` of `x` and `y`.
#[inline(always)]
unsafe fn shape<L: Lanes, W: Weights, const MAX: usize>(
    shape: [usize; 2],
    job: Job<'_, W>,
    at: [usize; 2],
    strides: [usize; 2],
) {
    macro_rules! shapes {
        ($(($($r:literal)*) x $v:literal)*) => {
            match shape {
                $($(
                    // SAFETY: passed on.
                    [$r, $v] if $r * $v <= MAX || $r == 1 => unsafe {
                        match const { $r * $v } {
                            1 => rows::<L, W, $r, $v, 4>(job, at, strides),
                            2 | 3 => rows::<L, W, $r, $v, 2>(job, at, strides),
                            _ => rows::<L, W, $r, $v, 1>(job, at, strides),
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

/// One tile for every row of the matrix.
///
/// # Safety
/// As [`shape`].
#[inline(always)]
unsafe fn rows<L: Lanes, W: Weights, const R: usize, const V: usize, const U: usize>(
    job: Job<'_, W>,
    at: [usize; 2],
    strides: [usize; 2],
) {
    let part = job.part;
    let is_last = part.epilogue.is_some();
    // SAFETY: the tile lies in the window, which lies in `x` for every tap and in the plane of every row of `y`.
    let (x, mut y) = unsafe { (part.x.as_ptr().add(at[0]), job.y.add(at[1])) };
    for row in job.first..job.end {
        let taps = part.taps(row);
        if !taps.is_empty() || !part.carry || is_last {
            assert!(taps.end <= job.idx.len());
            debug_assert!(job.idx[taps.clone()].iter().all(|&i| {
                usize::from(i) * part.scale + part.window.reach(part.window.x_stride) <= part.x.len()
            }));
            let step = Step { carry: part.carry, is_last, epilogue: part.epilogue(row) };
            let taps = Taps {
                idx: job.idx,
                weights: job.weights,
                first: taps.start,
                n: taps.len(),
                scale: part.scale,
            };
            // SAFETY: as above.
            unsafe { tile::<L, W, R, V, U>(taps, x, strides, step, y) };
        }
        y = y.wrapping_add(part.y_plane);
    }
}

/// One tile, `U` taps at a time where it has too few sums to keep the multipliers busy.
///
/// # Safety
/// As [`rows`], for the tile that starts at `x` and `y`.
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
