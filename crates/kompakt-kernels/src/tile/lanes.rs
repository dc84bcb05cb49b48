//! Dense rows side by side in vectors, against vectors of numbers: the multiplication of a
//! [`LaneMatrix`](crate::LaneMatrix).
//!
//! ```text
//! tile of V vectors of rows by B vectors of x      for each column: V loads of weights, and for each of B
//!                                                  one number of x in all lanes, times each of the V
//! ```
//!
//! A multiply-add has a latency of 4 cycles and two issue per cycle, so that eight sums are needed: where there are few
//! vectors of x, more rows are run together. Each sum is in the order of the columns, whatever the tile.
#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(unsafe_code, reason = "loads and stores without bounds checks: `apply` checked the lengths")]

use crate::{
    Epilogue,
    arch::Arch,
    epilogue::VectorEpilogue,
    isa::{Job, Vector},
};
use core::ops::Range;

/// Rows of a group, which are side by side for each column.
pub(crate) const GROUP: usize = 32;

/// The most vectors of x in a tile.
const MOST: usize = 8;

/// Some groups of rows, times vectors. Made by [`LaneMatrix::apply`](crate::LaneMatrix::apply), which has checked that the
/// groups have all rows, `x` and `y` all vectors, and the epilogue all rows.
pub(crate) struct Lanes<'a> {
    /// `[groups][columns][GROUP]`.
    pub(crate) panels: &'a [f32],
    pub(crate) n_cols: usize,
    /// The rows of these groups; the last group may be partial.
    pub(crate) rows: Range<usize>,
    /// `[n][x_step]`, of which the first are the columns.
    pub(crate) x: &'a [f32],
    pub(crate) x_step: usize,
    pub(crate) n: usize,
    /// Of all rows.
    pub(crate) epilogue: Epilogue<'a>,
    /// `[n][y_step]`, of which the first are the rows.
    pub(crate) y: &'a mut [f32],
    pub(crate) y_step: usize,
}

impl Job for Lanes<'_> {
    type Output = ();

    /// Vector by vector, row by row, column by column.
    fn define(self) {
        let Self { panels, n_cols, rows, x, x_step, n, epilogue, y, y_step } = self;
        for v in 0..n {
            let x = &x[v * x_step..][..n_cols];
            for (i, y) in y[v * y_step..][..rows.len()].iter_mut().enumerate() {
                let weights = panels[i / GROUP * GROUP * n_cols..].iter().skip(i % GROUP).step_by(GROUP);
                let sum = weights.zip(x).fold(0.0, |sum, (w, x)| sum + w * x);
                *y = epilogue.apply(rows.start + i, sum);
            }
        }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(mut self) {
        // SAFETY: passed on.
        unsafe {
            match self.n {
                1 => all_rows::<A::Wide, 8, 1>(&mut self),
                2 if const { !A::IS_COMPACT } => all_rows::<A::Wide, 4, 2>(&mut self),
                // Where code is downloaded, fewer tiles.
                _ if const { A::IS_COMPACT } => all_rows::<A::Wide, 2, 4>(&mut self),
                _ => all_rows::<A::Wide, 2, MOST>(&mut self),
            }
        }
    }
}

/// The vectors of x that fit the registers with `v` vectors of rows.
const fn fitting(v: usize, sums: usize, most: usize) -> usize {
    let n = sums / v;
    if n < most { n } else { most }
}

/// All rows, `V` vectors of them at a time, and at most `B` vectors of x.
///
/// # Safety
/// The features of `L`; all that [`Lanes`] says.
#[inline(always)]
unsafe fn all_rows<L: Vector, const V: usize, const B: usize>(job: &mut Lanes<'_>) {
    let n_vectors = job.rows.len().div_ceil(L::N);
    let mut at = 0;
    // SAFETY: so many vectors of rows are left.
    unsafe {
        while at + V <= n_vectors {
            all_vectors::<L, V, B>(job, at);
            at += V;
        }
        while at < n_vectors {
            all_vectors::<L, 1, B>(job, at);
            at += 1;
        }
    }
}

/// `V` vectors of rows from the one numbered `at` on, times all vectors of x.
///
/// # Safety
/// As [`all_rows`]; there are so many rows.
#[inline(always)]
unsafe fn all_vectors<L: Vector, const V: usize, const B: usize>(job: &mut Lanes<'_>, at: usize) {
    let most = const { fitting(V, L::SUMS, B) };
    let mut first = 0;
    // As even as possible.
    for left in (1..=job.n.div_ceil(most)).rev() {
        let n = (job.n - first).div_ceil(left);
        // Conditions are `const`, so that no code is generated for tiles that this vector does not have.
        macro_rules! tiles {
            ($($b:literal)*) => {
                match n {
                    $($b if const { $b <= fitting(V, L::SUMS, B) } => {
                        // SAFETY: so many vectors are left.
                        unsafe { tile::<L, V, $b>(job, at, first) }
                    })*
                    _ => {}
                }
            };
        }
        tiles!(1 2 3 4 5 6 7 8);
        first += n;
    }
}

/// `V` vectors of rows times `B` vectors of x.
///
/// # Safety
/// As [`all_vectors`]; from `first` on there are `B` vectors of x.
#[inline(always)]
unsafe fn tile<L: Vector, const V: usize, const B: usize>(job: &mut Lanes<'_>, at: usize, first: usize) {
    let (n_cols, n_rows) = (job.n_cols, job.rows.len());
    // SAFETY: rows, columns and vectors are in the slices, as promised.
    unsafe {
        let mut weights = [job.panels.as_ptr(); V];
        for v in 0..V {
            let row = (at + v) * L::N;
            weights[v] = weights[v].add(row / GROUP * GROUP * n_cols + row % GROUP);
        }
        let mut x = [job.x.as_ptr(); B];
        for b in 0..B {
            x[b] = x[b].add((first + b) * job.x_step);
        }
        let mut sums = [[L::splat(0.0); V]; B];
        for column in 0..n_cols {
            let mut w = [L::splat(0.0); V];
            for v in 0..V {
                w[v] = L::load(weights[v].add(column * GROUP));
            }
            for b in 0..B {
                let x = L::splat(*x[b].add(column));
                for v in 0..V {
                    sums[b][v] = w[v].mul_add(x, sums[b][v]);
                }
            }
        }
        for v in 0..V {
            let row = (at + v) * L::N;
            let (n, y) = ((n_rows - row).min(L::N), job.y.as_mut_ptr().add(row));
            let epilogue = VectorEpilogue::<L>::of_rows(&job.epilogue, job.rows.start + row, n);
            for b in 0..B {
                let out = epilogue.apply(sums[b][v]);
                let y = y.add((first + b) * job.y_step);
                if n == L::N { out.store(y) } else { out.store_masked(y, L::first(n)) }
            }
        }
    }
}
