//! Matrix products of two activations.
//!
//! ```text
//! y[4 rows, V vectors]      for each l: V vectors of b, each loaded once, times four elements of a
//! ```
//!
//! A block of columns of `b` stays in cache for all rows.
#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(unsafe_code, reason = "loads and stores without bounds checks: `matmul` checked the lengths")]

use crate::{
    Isa,
    arch::Arch,
    isa::{Job, Vector, run},
};

/// Rows of `y` whose accumulators are kept in registers together, where they fit.
const MANY_ROWS: usize = 8;
/// The same elsewhere, and for the rest.
const ROWS: usize = 4;

/// `y = a b`. Shapes: `a` `[m, k]`, `b` `[k, n]`, `y` `[m, n]`, where `m` and `n` follow from the lengths.
///
/// Sums are in the order of `k`. Panics: if lengths and shapes disagree.
pub fn matmul(isa: Isa, a: &[f32], b: &[f32], k: usize, y: &mut [f32]) {
    assert!(k > 0 && a.len().is_multiple_of(k) && b.len().is_multiple_of(k), "lengths of a and b");
    let (m, n) = (a.len() / k, b.len() / k);
    assert_eq!(y.len(), m * n, "length of y");
    if n > 0 {
        run(isa, Product { a, b, k, n, y });
    }
}

/// Made by [`matmul`], which has checked the lengths.
struct Product<'a> {
    a: &'a [f32],
    b: &'a [f32],
    k: usize,
    n: usize,
    y: &'a mut [f32],
}

impl Job for Product<'_> {
    type Output = ();

    fn define(self) {
        let Self { a, b, k, n, y } = self;
        for (a, y) in a.chunks_exact(k).zip(y.chunks_exact_mut(n)) {
            y.fill(0.0);
            for (a, b) in a.iter().zip(b.chunks_exact(n)) {
                y.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
            }
        }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: promised by the caller; the lengths were checked.
        unsafe { columns::<A::Wide>(self) }
    }
}

/// # Safety
/// The features of `L`; the lengths agree.
#[inline(always)]
unsafe fn columns<L: Vector>(mut job: Product<'_>) {
    let most = const { if L::SUMS < 3 * ROWS { 2 } else { 3 } };
    let mut column = 0;
    while column < job.n {
        let left = job.n - column;
        let v = left.div_ceil(L::N).min(most);
        // SAFETY: `v` vectors from this column on, the last perhaps partial.
        unsafe {
            match (v, left < v * L::N) {
                (3, false) => rows::<L, 3, false>(&mut job, column),
                (3, true) => rows::<L, 3, true>(&mut job, column),
                (2, false) => rows::<L, 2, false>(&mut job, column),
                (2, true) => rows::<L, 2, true>(&mut job, column),
                (_, false) => rows::<L, 1, false>(&mut job, column),
                (_, true) => rows::<L, 1, true>(&mut job, column),
            }
        }
        column += v * L::N;
    }
}

/// All rows of `V` vectors of columns; the last is masked if `MASKED`.
///
/// # Safety
/// As [`columns`]; the vectors are in the matrix.
#[inline(always)]
unsafe fn rows<L: Vector, const V: usize, const MASKED: bool>(job: &mut Product<'_>, column: usize) {
    let m = job.a.len() / job.k;
    let mut row = 0;
    // SAFETY: so many rows are left.
    unsafe {
        if const { MANY_ROWS * V <= L::SUMS } {
            while row + MANY_ROWS <= m {
                tile::<L, MANY_ROWS, V, MASKED>(job, row, column);
                row += MANY_ROWS;
            }
        }
        while row + ROWS <= m {
            tile::<L, ROWS, V, MASKED>(job, row, column);
            row += ROWS;
        }
        while row < m {
            tile::<L, 1, V, MASKED>(job, row, column);
            row += 1;
        }
    }
}

/// `R` rows of `V` vectors.
///
/// # Safety
/// As [`rows`].
#[inline(always)]
unsafe fn tile<L: Vector, const R: usize, const V: usize, const MASKED: bool>(
    job: &mut Product<'_>,
    row: usize,
    column: usize,
) {
    let (k, n) = (job.k, job.n);
    // SAFETY: rows and columns are in the matrices.
    unsafe {
        let mask = L::first((n - column - (V - 1) * L::N).min(L::N));
        let (a, b) = (job.a.as_ptr().add(row * k), job.b.as_ptr().add(column));
        let y = job.y.as_mut_ptr();
        let mut sums = [[L::splat(0.0); V]; R];
        for l in 0..k {
            let b = b.add(l * n);
            let mut x = [L::splat(0.0); V];
            for v in 0..V {
                let at = b.add(v * L::N);
                x[v] = if MASKED && v + 1 == V { L::load_masked(at, mask) } else { L::load(at) };
            }
            for r in 0..R {
                let weight = L::splat(*a.add(r * k + l));
                for v in 0..V {
                    sums[r][v] = x[v].mul_add(weight, sums[r][v]);
                }
            }
        }
        for r in 0..R {
            for v in 0..V {
                let at = y.add((row + r) * n + column + v * L::N);
                if MASKED && v + 1 == V { sums[r][v].store_masked(at, mask) } else { sums[r][v].store(at) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    #[test]
    fn every_small_shape_by_the_definition() {
        for (m, k, n) in
            [(1, 1, 1), (3, 5, 7), (4, 3, 16), (9, 8, 33), (5, 1, 20), (2, 40, 15), (6, 9, 64), (4, 2, 49)]
        {
            let a: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32 - 3.0).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32 - 2.0).collect();
            for isa in Isa::available() {
                let mut y = vec![9.0; m * n];
                matmul(isa, &a, &b, k, &mut y);
                for (i, y) in y.iter().enumerate() {
                    let exact: f32 = (0..k).map(|l| a[i / n * k + l] * b[l * n + i % n]).sum();
                    assert_eq!(*y, exact, "{m} {k} {n} {isa}");
                }
            }
        }
    }
}
