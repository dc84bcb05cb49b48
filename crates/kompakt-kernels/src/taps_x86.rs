//! One block of one row with vectors: a tile of positions stays in registers while all taps go by.
//!
//! ```text
//! tile of R rows by V vectors      for each tap: w = weight in all lanes, then R * V times  acc += w * x[...]
//! ```
//!
//! A multiply-add takes 4 cycles and two can start in each, so eight sums must be under way: where a tile has fewer
//! than eight vectors, `U` taps are summed apart and added up at the end.
#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(
    unsafe_code,
    reason = "loads and stores without bounds checks: `apply` checked the reach of the window"
)]

use super::{Part, Window};
use crate::{
    Codebook,
    epilogue::RowEpilogue,
    isa::Level,
    lanes::{Avx2x8, Avx512x8, Lanes},
};
use core::ops::Range;

#[path = "taps_whole.rs"]
mod whole;
use whole::{WHOLE, avx2_whole, avx512_whole};

/// Weights by number.
trait Weights: Copy {
    /// # Safety
    /// `i` is below the number of entries.
    unsafe fn get(self, i: usize) -> f32;
}

#[derive(Clone, Copy)]
struct Coded<'a>(&'a [u8], &'a [f32; 256]);
#[derive(Clone, Copy)]
struct Plain<'a>(&'a [f32]);

impl Weights for Coded<'_> {
    #[inline(always)]
    unsafe fn get(self, i: usize) -> f32 {
        // SAFETY: promised by the caller; a byte is an index of 256 entries.
        unsafe { *self.1.get_unchecked(usize::from(*self.0.get_unchecked(i))) }
    }
}

impl Weights for Plain<'_> {
    #[inline(always)]
    unsafe fn get(self, i: usize) -> f32 {
        // SAFETY: promised by the caller.
        unsafe { *self.0.get_unchecked(i) }
    }
}

/// As the scalar definition.
pub(super) fn run_codes(
    level: Level,
    idx: &[u16],
    codes: &[u8],
    book: &Codebook,
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    assert_eq!(idx.len(), codes.len());
    run(level, idx, Coded(codes, book.table()), rows, part, y);
}

/// As the scalar definition.
pub(super) fn run_values(
    level: Level,
    idx: &[u16],
    values: &[f32],
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    assert_eq!(idx.len(), values.len());
    run(level, idx, Plain(values), rows, part, y);
}

fn run<W: Weights>(
    level: Level,
    idx: &[u16],
    weights: W,
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    let window = &part.window;
    // SAFETY: the level proves the features. `TapMatrix::apply` has checked that the window of every offset that the
    // layout knows lies in x, and that the window lies in the plane of y of each row.
    unsafe {
        match level {
            Level::Avx512 if is_whole(window) => avx512_whole(idx, weights, rows, part, y),
            Level::Avx512 => avx512(idx, weights, rows, part, y),
            _ if is_whole(window) => avx2_whole(idx, weights, rows, part, y),
            _ => avx2(idx, weights, rows, part, y),
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
    /// How many.
    n: usize,
    scale: usize,
}

#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<W: Weights>(idx: &[u16], weights: W, rows: Range<usize>, part: &Part<'_>, y: &mut [f32]) {
    // SAFETY: passed on.
    unsafe { each_row::<Masked<Avx2x8, 12>, W>(idx, weights, rows, part, y) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn avx512<W: Weights>(idx: &[u16], weights: W, rows: Range<usize>, part: &Part<'_>, y: &mut [f32]) {
    // SAFETY: passed on.
    unsafe { each_row::<Masked<Avx512x8, 24>, W>(idx, weights, rows, part, y) }
}

/// Whether the window consists of whole vectors of sixteen.
fn is_whole(window: &Window) -> bool {
    let rows_are = [window.x_stride, window.y_stride].iter().all(|s| s.is_multiple_of(WHOLE));
    window.cols.is_multiple_of(WHOLE) && (window.rows == 1 || rows_are)
}

/// The positions of one row.
trait Positions {
    /// # Safety
    /// The features that it needs; every tap's window inside `x`, the window inside `y`.
    unsafe fn run<W: Weights>(taps: Taps<'_, W>, x: *const f32, window: &Window, step: Step, y: *mut f32);
}

/// Any window, the last vector of a row under a mask.
struct Masked<L, const ACC: usize>(core::marker::PhantomData<L>);

impl<L: Lanes, const ACC: usize> Positions for Masked<L, ACC> {
    #[inline(always)]
    unsafe fn run<W: Weights>(taps: Taps<'_, W>, x: *const f32, window: &Window, step: Step, y: *mut f32) {
        // SAFETY: passed on.
        unsafe { positions::<L, W, ACC>(taps, x, window, step, y) }
    }
}

/// Row after row, so that what is the same for all stays in registers.
///
/// # Safety
/// The features of `L`; the windows of the part's taps inside `part.x`, and one window a row inside `y`.
#[inline(always)]
unsafe fn each_row<P: Positions, W: Weights>(
    idx: &[u16],
    weights: W,
    rows: Range<usize>,
    part: &Part<'_>,
    y: &mut [f32],
) {
    let first = rows.start;
    for row in rows {
        let taps = part.taps(row);
        if taps.is_empty() && part.carry && part.epilogue.is_none() {
            continue;
        }
        assert!(taps.end <= idx.len());
        debug_assert!(idx[taps.clone()].iter().all(|&i| {
            usize::from(i) * part.scale + part.window.reach(part.window.x_stride) <= part.x.len()
        }));
        let is_last = part.epilogue.is_some();
        let step = Step { carry: part.carry, is_last, epilogue: part.epilogue(row) };
        let taps = Taps { idx, weights, first: taps.start, n: taps.len(), scale: part.scale };
        // SAFETY: the row's window lies in y, those of its taps in x, as the caller vouches.
        unsafe {
            let y = y.as_mut_ptr().add((row - first) * part.y_plane);
            P::run(taps, part.x.as_ptr(), &part.window, step, y);
        }
    }
}

/// What happens before and after the taps of a row.
#[derive(Debug, Clone, Copy)]
struct Step {
    carry: bool,
    /// Whether the epilogue does something.
    is_last: bool,
    epilogue: RowEpilogue,
}

/// Cuts the window into tiles of at most `ACC` vectors.
///
/// # Safety
/// The features of `L`; every tap's window inside `x`, the window inside `y`.
#[inline(always)]
unsafe fn positions<L: Lanes, W: Weights, const ACC: usize>(
    taps: Taps<'_, W>,
    x: *const f32,
    window: &Window,
    step: Step,
    y: *mut f32,
) {
    let mut col = 0;
    while col < window.cols {
        let left = (window.cols - col).div_ceil(L::N);
        // SAFETY: columns from `col` on, at most as many as are left.
        unsafe {
            let (x, y) = (x.add(col), y.add(col));
            let n = match left {
                5.. if window.rows == 1 && left >= 8 => {
                    column::<L, W, 8, 1, ACC>(taps, x, window, window.cols - col, step, y)
                }
                4.. if ACC >= 16 => column::<L, W, 4, 4, ACC>(taps, x, window, window.cols - col, step, y),
                4.. => column::<L, W, 4, 2, ACC>(taps, x, window, window.cols - col, step, y),
                3 if ACC >= 24 => column::<L, W, 3, 8, ACC>(taps, x, window, window.cols - col, step, y),
                3 => column::<L, W, 3, 4, ACC>(taps, x, window, window.cols - col, step, y),
                2 if ACC >= 16 => column::<L, W, 2, 8, ACC>(taps, x, window, window.cols - col, step, y),
                2 => column::<L, W, 2, 4, ACC>(taps, x, window, window.cols - col, step, y),
                _ => column::<L, W, 1, 8, ACC>(taps, x, window, window.cols - col, step, y),
            };
            col += n;
        }
    }
}

/// All rows of a column of tiles `V` vectors wide and at most `MAX` rows high, with registers for `ACC` sums. Returns its positions across.
///
/// # Safety
/// As [`positions`]; `cols` of them across are left, more than `V - 1` vectors.
#[inline(always)]
unsafe fn column<L: Lanes, W: Weights, const V: usize, const MAX: usize, const ACC: usize>(
    taps: Taps<'_, W>,
    x: *const f32,
    window: &Window,
    cols: usize,
    step: Step,
    y: *mut f32,
) -> usize {
    let cols = cols.min(V * L::N);
    let mut row = 0;
    // SAFETY: tiles stay within the window: `row + R <= rows`, `cols` across.
    unsafe {
        let last = L::first(cols - (V - 1) * L::N);
        macro_rules! tiles {
            ($r:literal) => {
                if $r <= MAX {
                    while window.rows - row >= $r {
                        let (x, y) = (x.add(row * window.x_stride), y.add(row * window.y_stride));
                        match const { $r * V } {
                            8.. if 2 * $r * V > ACC => tile::<L, W, $r, V, 1>(taps, x, window, last, step, y),
                            8.. => tile::<L, W, $r, V, 2>(taps, x, window, last, step, y),
                            4.. => tile::<L, W, $r, V, 2>(taps, x, window, last, step, y),
                            2.. => tile::<L, W, $r, V, 4>(taps, x, window, last, step, y),
                            _ => tile::<L, W, $r, V, 8>(taps, x, window, last, step, y),
                        }
                        row += $r;
                    }
                }
            };
        }
        tiles!(8);
        tiles!(4);
        tiles!(2);
        tiles!(1);
    }
    cols
}

/// One tile: `R` rows of `V` vectors, the last of each row under a mask, `U` taps at a time.
///
/// # Safety
/// As [`positions`], for the tile that starts at `x` and `y`.
#[inline(always)]
unsafe fn tile<L: Lanes, W: Weights, const R: usize, const V: usize, const U: usize>(
    taps: Taps<'_, W>,
    x: *const f32,
    window: &Window,
    last: L::Mask,
    step: Step,
    y: *mut f32,
) {
    let n = taps.n;
    // SAFETY: `i` stays below `n`; loads and stores stay within the tile, as the caller vouches.
    unsafe {
        let mut acc = [[[L::splat(0.0); V]; R]; U];
        let mut i = 0;
        while i + U <= n {
            for u in 0..U {
                tap::<L, W, R, V>(taps, i + u, x, window.x_stride, last, &mut acc[u]);
            }
            i += U;
        }
        while i < n {
            tap::<L, W, R, V>(taps, i, x, window.x_stride, last, &mut acc[0]);
            i += 1;
        }
        let (scale, bias) = (L::splat(step.epilogue.scale), L::splat(step.epilogue.bias));
        let floor = L::splat(step.epilogue.floor);
        for r in 0..R {
            for v in 0..V {
                let at = y.add(r * window.y_stride + v * L::N);
                let mut sum = acc[0][r][v];
                for u in 1..U {
                    sum = sum.add(acc[u][r][v]);
                }
                if step.carry {
                    sum = sum.add(if v + 1 == V { L::load_masked(at, last) } else { L::load(at) });
                }
                let out = sum.mul_add(scale, bias).max_or_self(floor);
                if v + 1 == V { out.store_masked(at, last) } else { out.store(at) }
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
    last: L::Mask,
    acc: &mut [[L; V]; R],
) {
    // SAFETY: promised by the caller.
    unsafe {
        let at = taps.first + i;
        let weight = L::splat(taps.weights.get(at));
        let x = x.add(usize::from(*taps.idx.get_unchecked(at)) * taps.scale);
        for r in 0..R {
            for v in 0..V {
                let at = x.add(r * stride + v * L::N);
                let value = if v + 1 == V { L::load_masked(at, last) } else { L::load(at) };
                acc[r][v] = value.mul_add(weight, acc[r][v]);
            }
        }
    }
}
