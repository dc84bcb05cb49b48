//! Matrix products of two activations.

use crate::isa::per_isa;

/// Columns of `y` whose accumulators are kept in registers together.
const COLUMNS: usize = 16;
/// Rows of `y`, likewise.
const ROWS: usize = 4;

per_isa! {
    /// `y = a b`. Shapes: `a` `[m, k]`, `b` `[k, n]`, `y` `[m, n]`, where `m` and `n` follow from the lengths.
    ///
    /// Sums are in the order of `k`. Panics: if lengths and shapes disagree.
    pub fn matmul(a: &[f32], b: &[f32], k: usize, y: &mut [f32]) = matmul_body;
}

#[inline(always)]
fn matmul_body(a: &[f32], b: &[f32], k: usize, y: &mut [f32]) {
    assert!(k > 0 && a.len().is_multiple_of(k) && b.len().is_multiple_of(k), "lengths of a and b");
    let (m, n) = (a.len() / k, b.len() / k);
    assert_eq!(y.len(), m * n, "length of y");
    if n == 0 {
        return;
    }
    let mut rows = a.chunks_exact(k * ROWS);
    let mut sums = y.chunks_exact_mut(n * ROWS);
    for (a, y) in rows.by_ref().zip(sums.by_ref()) {
        for column in (0..n).step_by(COLUMNS) {
            block::<ROWS>(a, b, k, n, column, y);
        }
    }
    for (a, y) in rows.remainder().chunks_exact(k).zip(sums.into_remainder().chunks_exact_mut(n)) {
        for column in (0..n).step_by(COLUMNS) {
            block::<1>(a, b, k, n, column, y);
        }
    }
}

/// The sums of `R` rows from a column on.
#[inline(always)]
fn block<const R: usize>(a: &[f32], b: &[f32], k: usize, n: usize, column: usize, y: &mut [f32]) {
    let width = COLUMNS.min(n - column);
    let mut sums = [[0.0f32; COLUMNS]; R];
    if width == COLUMNS {
        for (l, b) in b.chunks_exact(n).enumerate() {
            let Some(b) = b[column..].first_chunk::<COLUMNS>() else { return };
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = a[r * k + l];
                sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += x * b);
            }
        }
    } else {
        for (l, b) in b.chunks_exact(n).enumerate() {
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = a[r * k + l];
                sums.iter_mut().zip(&b[column..]).for_each(|(sum, b)| *sum += x * b);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        y[r * n + column..][..width].copy_from_slice(&sums[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use alloc::{vec, vec::Vec};

    #[test]
    fn every_small_shape_by_the_definition() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (4, 3, 16), (9, 8, 33), (5, 1, 20), (2, 40, 15)] {
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
