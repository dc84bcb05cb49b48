//! Unaligned windows: row by row, the last vector of each line masked.
#![expect(
    unsafe_code,
    reason = "loads and stores without bounds checks: `apply` checked the reach of the window"
)]

use super::{Lie, Products, Row, Step, Taps, find, tile};
use crate::{
    arch::Arch,
    isa::Vector,
    matrix::{taps::IndexedWeights, window::Window},
};

/// Row after row, so that common values stay in registers.
///
/// # Safety
/// The features of `A`; the windows of the part's taps inside `part.x`, and one window a row inside `y`.
#[inline(always)]
pub(super) unsafe fn run<A: Arch, W: IndexedWeights>(job: Products<'_, W>) {
    let Products { idx, weights, rows, part, y } = job;
    let mut y = y.as_mut_ptr();
    for row in rows {
        for row in find(idx, part, row..row + 1, &mut [Row::NOTHING]) {
            let taps = row.taps(idx, weights, part.scale);
            // SAFETY: the row's window lies in y, those of its taps in x, as the caller vouches.
            unsafe {
                positions::<A, A::Narrow, W>(taps, part.x.as_ptr(), &part.window, row.step, y);
            }
        }
        y = y.wrapping_add(part.y_plane);
    }
}

/// Divides the window into tiles that fit the registers.
///
/// # Safety
/// The features of `L`; every tap's window inside `x`, the window inside `y`.
#[inline(always)]
unsafe fn positions<A: Arch, L: Vector, W: IndexedWeights>(
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
            let rest = window.cols - col;
            let n = match left {
                2.. if const { A::IS_COMPACT && !W::ARE_CODED } => {
                    column::<L, W, 2, 4>(taps, x, window, rest, step, y)
                }
                5.. if const { !A::IS_COMPACT } && window.rows == 1 && left >= 8 => {
                    column::<L, W, 8, 1>(taps, x, window, rest, step, y)
                }
                4.. if const { L::SUMS >= 16 } => column::<L, W, 4, 4>(taps, x, window, rest, step, y),
                4.. => column::<L, W, 4, 2>(taps, x, window, rest, step, y),
                3 if const { L::SUMS >= 24 } => column::<L, W, 3, 8>(taps, x, window, rest, step, y),
                3 if const { !A::IS_COMPACT } => column::<L, W, 3, 4>(taps, x, window, rest, step, y),
                2 if const { L::SUMS >= 16 } => column::<L, W, 2, 8>(taps, x, window, rest, step, y),
                2 | 3 => column::<L, W, 2, 4>(taps, x, window, rest, step, y),
                _ => column::<L, W, 1, 8>(taps, x, window, rest, step, y),
            };
            col += n;
        }
    }
}

/// All rows of a column of tiles `V` vectors wide and at most `MAX` rows high. Returns its positions across.
///
/// # Safety
/// As [`positions`]; `cols` of them across are left, more than `V - 1` vectors.
#[inline(always)]
unsafe fn column<L: Vector, W: IndexedWeights, const V: usize, const MAX: usize>(
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
        let lie = Lie { x_stride: window.x_stride, y_stride: window.y_stride, step: L::N, last };
        // Conditions are `const`, so that no code is generated for tiles that this vector does not have.
        macro_rules! tiles {
            ($r:literal) => {
                if const { $r <= MAX } {
                    while window.rows - row >= $r {
                        let (x, y) = (x.add(row * window.x_stride), y.add(row * window.y_stride));
                        if const { taps_at_once($r * V, L::SUMS) == 1 } {
                            tile::<L, W, $r, V, 1, true>(taps, x, lie, step, y);
                        } else if const { taps_at_once($r * V, L::SUMS) == 2 } {
                            tile::<L, W, $r, V, 2, true>(taps, x, lie, step, y);
                        } else if const { taps_at_once($r * V, L::SUMS) == 4 } {
                            tile::<L, W, $r, V, 4, true>(taps, x, lie, step, y);
                        } else {
                            tile::<L, W, $r, V, 8, true>(taps, x, lie, step, y);
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

/// How many taps a tile of `n` vectors accumulates separately where `sums` vectors fit in registers: 1, 2, 4
/// or 8.
const fn taps_at_once(n: usize, sums: usize) -> usize {
    match n {
        0 | 1 => 8,
        2 | 3 => 4,
        8.. if 2 * n > sums => 1,
        _ => 2,
    }
}
