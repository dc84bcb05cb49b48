//! Windows of full vectors of sixteen positions, unmasked, with all accumulators in registers.
//!
//! The window is cut into tiles, and all rows are applied to one tile before the next: its part of `x` stays
//! in cache, and dispatch on the tile's shape happens once. Vectors of eight are two for a full one, side by side in a
//! tile, so that all of a cache line is read at once; where vectors are shorter, each quarter of the full ones is a separate
//! window.
#![expect(
    unsafe_code,
    reason = "loads and stores without bounds checks: `apply` checked the reach of the window"
)]

use super::{FOUND, Lie, Products, Row, find, tile};
use crate::{
    arch::Arch,
    isa::{SubJob, Vector, out_of_line},
    matrix::{
        taps::{IndexedWeights, Part},
        window::Window,
    },
};

/// Floats of a full vector.
const WHOLE: usize = 16;
/// The maximum number of vectors of a tile that is one or two vectors wide.
const MAX_DOWN: usize = 14;
/// The maximum number of accumulator vectors of any instruction set.
const MAX_SUMS: usize = 28;

/// The maximum number of vectors of a tile across: with up to seven rows of four, wider ones would load no fewer weights.
const MAX_ACROSS: usize = 4;

/// Tiles that a window of so many vectors is cut into where there are most registers.
pub(crate) const fn n_tiles([down, across]: [usize; 2]) -> usize {
    let n = across.div_ceil(MAX_ACROSS);
    let fit = MAX_SUMS / across.div_ceil(n);
    n * down.div_ceil(if fit > MAX_DOWN { MAX_DOWN } else { fit })
}

/// Which tiles kernels are compiled for.
#[derive(Clone, Copy)]
struct Shapes {
    /// Vectors of a tile.
    sums: usize,
    /// Rows of a tile that is one vector wide, and vectors of a tile that is one row.
    single: usize,
    /// Vectors across.
    across: usize,
}

impl Shapes {
    /// All whose sums stay in registers; fewer for products of bytes in short vectors, which take several instructions each. Where
    /// kernels are compact, few for weights without a codebook, which are rare.
    const fn of<A: Arch, W: IndexedWeights>() -> Self {
        let sums = A::Wide::SUMS;
        match (A::IS_COMPACT, W::ARE_CODED) {
            (false, _) if A::Wide::INTEGERS && sums < MAX_DOWN => Self { sums, single: 6, across: 2 },
            (false, _) => {
                Self { sums, single: if sums < MAX_DOWN { sums } else { MAX_DOWN }, across: MAX_ACROSS }
            }
            (true, true) => Self { sums, single: 6, across: 3 },
            (true, false) => Self { sums, single: 3, across: 2 },
        }
    }

    /// Rows of a tile that is so many vectors wide.
    const fn down(self, across: usize) -> usize {
        let fit = if across == 1 { self.single } else { self.sums / across };
        if fit == 0 {
            1
        } else if fit > MAX_DOWN {
            MAX_DOWN
        } else {
            fit
        }
    }

    const fn has<L: Vector>(self, down: usize, across: usize) -> bool {
        if is_halved::<L>() && (down == 1 || across == 1) {
            // One row is a line, whose vectors need no register for a stride. Tiles of several rows are cut from an even number of
            // vectors, so that none is one wide.
            return down == 1 && across <= self.single;
        }
        across <= self.across && down <= self.down(across)
    }
}

/// Whether a full vector is two vectors of a tile.
const fn is_halved<L: Vector>() -> bool {
    2 * L::N == WHOLE
}

/// Floats from one vector of a tile to the next.
const fn step<L: Vector>() -> usize {
    if is_halved::<L>() { L::N } else { WHOLE }
}

/// Whether the window consists of full vectors of sixteen.
pub(super) fn is_whole(window: &Window) -> bool {
    let rows_are = [window.x_stride, window.y_stride].iter().all(|s| s.is_multiple_of(WHOLE));
    window.cols.is_multiple_of(WHOLE) && (window.rows == 1 || rows_are)
}

/// Rows of a matrix against the positions of a window.
#[derive(Clone, Copy)]
struct Window16<'a, W> {
    idx: &'a [u16],
    weights: W,
    first: usize,
    end: usize,
    part: &'a Part<'a>,
    y: *mut f32,
}

/// # Safety
/// The features; the windows of the part's taps inside `part.x`, and one window a row inside `y`.
#[inline(always)]
pub(super) unsafe fn run<A: Arch, W: IndexedWeights>(job: Products<'_, W>) {
    let Products { idx, weights, rows, part, y } = job;
    let job = Window16 { idx, weights, first: rows.start, end: rows.end, part, y: y.as_mut_ptr() };
    let mut found = [Row::NOTHING; FOUND];
    for lane in (0..const { step::<A::Wide>() }).step_by(A::Wide::N) {
        // SAFETY: passed on; so many floats are from one vector of a tile to the next.
        unsafe { window::<A, W>(job, lane, &mut found) }
    }
}

/// Cuts the window into tiles that fit the registers, of which the lanes from `lane` on are computed.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn window<A: Arch, W: IndexedWeights>(job: Window16<'_, W>, lane: usize, found: &mut [Row; FOUND]) {
    let (window, shapes) = (&job.part.window, const { Shapes::of::<A, W>() });
    let step = const { step::<A::Wide>() };
    if window.rows == 1 {
        // Contiguous rows are treated as a single line.
        let mut col = 0;
        while col < window.cols {
            let left = (window.cols - col) / step;
            let [down, across] = match const { is_halved::<A::Wide>() } {
                true => [1, left.div_ceil(left.div_ceil(shapes.single))],
                false => piece(shapes, left),
            };
            let strides = [across * step; 2];
            // SAFETY: `down * across` vectors from `col` on lie in the window.
            unsafe { shape::<A, W>([down, across], job, [col + lane; 2], strides, found) };
            col += down * across * step;
        }
        return;
    }
    let strides = [window.x_stride, window.y_stride];
    let mut col = 0;
    while col < window.cols {
        // As even as possible.
        let left = (window.cols - col) / step;
        let across = left.div_ceil(left.div_ceil(shapes.across));
        let fit = shapes.down(across);
        let mut row = 0;
        while row < window.rows {
            let left = window.rows - row;
            let down = left.div_ceil(left.div_ceil(fit));
            let at = strides.map(|stride| row * stride + col + lane);
            // SAFETY: `row + down` rows and `across` vectors from `col` on lie in the window.
            unsafe { shape::<A, W>([down, across], job, at, strides, found) };
            row += down;
        }
        col += across * step;
    }
}

/// The first tile of a line of that many vectors: as large as registers allow, without leaving a small
/// remainder.
fn piece(shapes: Shapes, n: usize) -> [usize; 2] {
    let Shapes { sums: max, single, across } = shapes;
    if n <= single {
        return [n, 1];
    }
    if n >= max + 4 {
        return [max / 2, 2];
    }
    if n > max {
        return piece(shapes, n.div_ceil(2));
    }
    let fits = |&across: &usize| n.is_multiple_of(across) && n / across <= shapes.down(across);
    match (2..=across).find(fits) {
        Some(across) => [n / across, across],
        None => [n.div_ceil(n.div_ceil(single)), 1],
    }
}

/// Runs [`Rows`] for tiles of that many rows and vectors, of which at most `SUMS` together.
///
/// # Safety
/// As [`run`], for the tile at `at` of `x` and `y`.
// Not inlined: there are two calls, for each quarter of a vector.
#[inline(never)]
unsafe fn shape<A: Arch, W: IndexedWeights>(
    shape: [usize; 2],
    job: Window16<'_, W>,
    at: [usize; 2],
    strides: [usize; 2],
    found: &mut [Row; FOUND],
) {
    macro_rules! shapes {
        ($tile:expr, $(($($r:literal)*) x $v:literal)*) => {
            match shape {
                $($(
                    // The condition is `const`, so that no code is generated for tiles that these vectors do
                    // not have. SAFETY: passed on.
                    [$r, $v] if const { Shapes::of::<A, W>().has::<A::Wide>($r, $v) } => unsafe {
                        match const { $r * $v } {
                            1 => out_of_line::<A, _>(Rows::<W, $r, $v, 4>(&$tile)),
                            2 | 3 => out_of_line::<A, _>(Rows::<W, $r, $v, 2>(&$tile)),
                            _ => out_of_line::<A, _>(Rows::<W, $r, $v, 1>(&$tile)),
                        }
                    },
                )*)*
                [r, v] => unreachable!("a tile of {r} by {v} vectors"),
            }
        };
    }
    let Window16 { idx, weights, part, .. } = job;
    let mut y = job.y.wrapping_add(at[1]);
    for first in (job.first..job.end).step_by(FOUND) {
        let rows = find(idx, part, first..job.end, found);
        let tile = Tile {
            idx,
            weights,
            scale: part.scale,
            rows,
            x: part.x.as_ptr().wrapping_add(at[0]),
            y,
            strides,
        };
        shapes!(
            tile,
            (1 2 3 4 5 6 7 8 9 10 11 12 13 14) x 1
            (1 2 3 4 5 6 7 8 9 10 11 12 13 14) x 2
            (1 2 3 4 5 6 7 8 9) x 3
            (1 2 3 4 5 6 7) x 4
            (1) x 5 (1) x 6 (1) x 7 (1) x 8 (1) x 9 (1) x 10 (1) x 11 (1) x 12
        );
        y = y.wrapping_add(FOUND * part.y_plane);
    }
}

/// One tile, for some rows of the matrix.
#[derive(Clone, Copy)]
struct Tile<'a, W> {
    idx: &'a [u16],
    weights: W,
    scale: usize,
    rows: &'a [Row],
    /// Where the tile is in `x`.
    x: *const f32,
    /// Where it is in the plane of the first of the rows that were looked at.
    y: *mut f32,
    strides: [usize; 2],
}

/// It has `R` rows of `V` vectors; `U` taps at a time.
// By reference: each shape's call would copy it otherwise.
struct Rows<'a, 't, W, const R: usize, const V: usize, const U: usize>(&'t Tile<'a, W>);

impl<W: IndexedWeights, const R: usize, const V: usize, const U: usize> SubJob for Rows<'_, '_, W, R, V, U> {
    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        let Self(&Tile { idx, weights, scale, rows, x, y, strides: [x_stride, y_stride] }) = self;
        // SAFETY: the features are there.
        let last = unsafe { A::Wide::first(A::Wide::N) };
        let lie = Lie { x_stride, y_stride, step: const { step::<A::Wide>() }, last };
        for row in rows {
            let taps = row.taps(idx, weights, scale);
            // SAFETY: the tile lies in the window, which lies in `x` for every tap and in the plane of every row of `y`.
            unsafe { tile::<A::Wide, W, R, V, U, false>(taps, x, lie, row.step, y.wrapping_add(row.y)) };
        }
    }
}
