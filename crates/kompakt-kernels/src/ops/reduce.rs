//! Reductions over one dimension of three.
//!
//! ```text
//! x [outer, n, inner]  ->  y [outer, inner]
//! ```
//!
//! Sums are accumulated in double precision and rounded once, so that their order does not matter.

use super::lanes::joined;
use crate::isa::per_isa;

/// Elements that are handled together.
const LANES: usize = if cfg!(target_arch = "wasm32") { 4 } else { 16 };

per_isa! {
    /// Sums. Shapes: `x` `[outer, n, inner]`, `y` `[outer, inner]`. Panics: if they disagree.
    pub fn sum(x: &[f32], n: usize, inner: usize, y: &mut [f32]) = sum_body;
}
per_isa! {
    /// Means. Shapes, panics: as [`sum`].
    pub fn mean(x: &[f32], n: usize, inner: usize, y: &mut [f32]) = mean_body;
}
per_isa! {
    /// Maxima; NaN where there is one. Shapes, panics: as [`sum`].
    pub fn maximum(x: &[f32], n: usize, inner: usize, y: &mut [f32]) = maximum_body;
}
per_isa! {
    /// Minima; NaN where there is one. Shapes, panics: as [`sum`].
    pub fn minimum(x: &[f32], n: usize, inner: usize, y: &mut [f32]) = minimum_body;
}

#[inline(always)]
fn sum_body(x: &[f32], n: usize, inner: usize, y: &mut [f32]) {
    folded(x, n, inner, y, 0.0, |a: f64, x| a + f64::from(x), |a, b| a + b, |a| a as f32);
}

#[inline(always)]
fn mean_body(x: &[f32], n: usize, inner: usize, y: &mut [f32]) {
    let count = n as f64;
    folded(x, n, inner, y, 0.0, |a: f64, x| a + f64::from(x), |a, b| a + b, |a| (a / count) as f32);
}

#[inline(always)]
fn maximum_body(x: &[f32], n: usize, inner: usize, y: &mut [f32]) {
    let larger = |a: f32, b: f32| if b > a || b.is_nan() { b } else { a };
    folded(x, n, inner, y, f32::NEG_INFINITY, larger, larger, |a| a);
}

#[inline(always)]
fn minimum_body(x: &[f32], n: usize, inner: usize, y: &mut [f32]) {
    let smaller = |a: f32, b: f32| if b < a || b.is_nan() { b } else { a };
    folded(x, n, inner, y, f32::INFINITY, smaller, smaller, |a| a);
}

#[expect(clippy::too_many_arguments, reason = "a fold and its shapes")]
#[inline(always)]
fn folded<T: Copy>(
    x: &[f32],
    n: usize,
    inner: usize,
    y: &mut [f32],
    start: T,
    fold: impl Fn(T, f32) -> T,
    join: impl Fn(T, T) -> T,
    finish: impl Fn(T) -> f32,
) {
    assert!(
        n > 0 && inner > 0 && x.len() / n == y.len() && y.len().is_multiple_of(inner),
        "lengths of x and y"
    );
    assert!(x.len().is_multiple_of(n), "lengths of x and n");
    if inner == 1 {
        for (x, y) in x.chunks_exact(n).zip(y) {
            let mut lanes = [start; LANES];
            let (blocks, rest) = x.as_chunks::<LANES>();
            for block in blocks {
                lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane = fold(*lane, x));
            }
            lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane = fold(*lane, x));
            *y = finish(joined(lanes, &join));
        }
        return;
    }
    for (x, y) in x.chunks_exact(n * inner).zip(y.chunks_exact_mut(inner)) {
        for (first, y) in (0..inner).step_by(LANES).zip(y.chunks_mut(LANES)) {
            let mut lanes = [start; LANES];
            for row in x.chunks_exact(inner) {
                let row = &row[first..first + y.len()];
                lanes.iter_mut().zip(row).for_each(|(lane, &x)| *lane = fold(*lane, x));
            }
            y.iter_mut().zip(lanes).for_each(|(y, lane)| *y = finish(lane));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use alloc::{vec, vec::Vec};

    #[test]
    fn every_shape_by_the_definition() {
        for [outer, n, inner] in
            [[1, 1, 1], [3, 5, 1], [2, 40, 1], [1, 16, 1], [2, 3, 4], [1, 7, 16], [2, 2, 35]]
        {
            let x: Vec<f32> = (0..outer * n * inner).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
            for isa in Isa::available() {
                let mut y = vec![vec![0.0; outer * inner]; 4];
                sum(isa, &x, n, inner, &mut y[0]);
                mean(isa, &x, n, inner, &mut y[1]);
                maximum(isa, &x, n, inner, &mut y[2]);
                minimum(isa, &x, n, inner, &mut y[3]);
                for i in 0..outer * inner {
                    let all = || (0..n).map(|j| x[(i / inner * n + j) * inner + i % inner]);
                    assert_eq!(y[0][i], all().sum::<f32>(), "{isa}");
                    assert_eq!(y[1][i], (all().sum::<f32>() / n as f32), "{isa}");
                    assert_eq!(y[2][i], all().fold(f32::MIN, f32::max), "{isa}");
                    assert_eq!(y[3][i], all().fold(f32::MAX, f32::min), "{isa}");
                }
            }
        }
    }

    #[test]
    fn nan_stays() {
        for isa in Isa::available() {
            for at in [0, 17, 39] {
                let mut x = vec![1.0; 40];
                x[at] = f32::NAN;
                for kernel in [sum, mean, maximum, minimum] {
                    let mut y = [0.0];
                    kernel(isa, &x, 40, 1, &mut y);
                    assert!(y[0].is_nan(), "{isa}");
                }
            }
        }
    }
}
