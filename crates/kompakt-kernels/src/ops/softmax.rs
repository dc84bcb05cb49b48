//! Softmax and its logarithm.
//!
//! ```text
//! x [.., n, inner]    inner is 1    lanes of sixteen along n, combined at the end; eight vectors together
//!                     else          sixteen columns at a time, row by row
//! ```

use super::{
    activations::{exp, exp_parts, power_of_two},
    lanes::joined,
};
use crate::isa::per_isa;

/// Vectors that are handled together: the maximum and the sum of one wait for its last lanes, and others fill that time.
const VECTORS: usize = 8;

/// Elements that are handled together.
const LANES: usize = 16;

/// The logarithm of a part of the largest number below which a number counts as 0: 2^-100. Masked scores would else become
/// subnormal, which makes the product after them a hundred times slower.
const NOTHING: f32 = -69.3;

per_isa! {
    /// `exp(x) / sum exp(x)` over the dimension of `n`, in place; 0 below 2^-100 of the largest. Shapes: `x` `[.., n, inner]`; each
    /// of the `inner` columns separately. Panics: if `n inner` does not divide the length.
    pub fn softmax(n: usize, inner: usize, x: &mut [f32]) = fused softmax_body;
}
per_isa! {
    /// `x - log sum exp(x)` over the first dimension, in place. Shapes: `x` `[n, inner]`; each of the `inner`
    /// columns separately. Panics: if `inner` does not divide the length.
    pub fn log_softmax(inner: usize, x: &mut [f32]) = fused log_softmax_body;
}

#[inline(always)]
fn softmax_body(fused: bool, n: usize, inner: usize, x: &mut [f32]) {
    assert!(n * inner > 0 && x.len().is_multiple_of(n * inner), "{n} x {inner} do not divide {}", x.len());
    // Loops, not closures: those may be compiled apart, without the instruction set, and a fused product is a call there.
    if inner == 1 {
        for vectors in x.chunks_mut(VECTORS * n) {
            softmax_of_vectors(fused, n, vectors);
        }
    } else {
        for x in x.chunks_exact_mut(n * inner) {
            softmax_of_columns(fused, inner, x);
        }
    }
}

/// Up to [`VECTORS`] vectors of `n` elements.
#[inline(always)]
fn softmax_of_vectors(fused: bool, n: usize, x: &mut [f32]) {
    let mut largest = [0.0; VECTORS];
    for (largest, x) in largest.iter_mut().zip(x.chunks_exact(n)) {
        *largest = folded(in_lanes(x, f32::NEG_INFINITY, larger), larger);
    }
    let mut factors = [0.0; VECTORS];
    for ((factor, largest), x) in factors.iter_mut().zip(largest).zip(x.chunks_exact_mut(n)) {
        let mut sums = [0.0; LANES];
        let (blocks, rest) = x.as_chunks_mut::<LANES>();
        for block in blocks {
            exponentials(fused, block, &[largest; LANES], &mut sums);
        }
        exponentials(fused, rest, &[largest; LANES], &mut sums);
        *factor = 1.0 / folded(sums, |a, b| a + b);
    }
    for (factor, x) in factors.iter().zip(x.chunks_exact_mut(n)) {
        x.iter_mut().for_each(|x| *x *= factor);
    }
}

/// One matrix of rows of `inner` elements.
#[inline(always)]
fn softmax_of_columns(fused: bool, inner: usize, x: &mut [f32]) {
    for first in (0..inner).step_by(LANES) {
        let n = LANES.min(inner - first);
        let largest = maxima(inner, first, n, x);
        let mut sums = [0.0; LANES];
        for row in x.chunks_exact_mut(inner) {
            exponentials(fused, &mut row[first..first + n], &largest, &mut sums);
        }
        let factors = sums.map(|sum| 1.0 / sum);
        for row in x.chunks_exact_mut(inner) {
            row[first..first + n].iter_mut().zip(&factors).for_each(|(x, factor)| *x *= factor);
        }
    }
}

#[inline(always)]
fn log_softmax_body(fused: bool, inner: usize, x: &mut [f32]) {
    assert!(inner > 0 && x.len().is_multiple_of(inner), "{inner} does not divide {}", x.len());
    for first in (0..inner).step_by(LANES) {
        let n = LANES.min(inner - first);
        let mut largest = [0.0; LANES];
        let mut sums = [0.0; LANES];
        if inner == 1 {
            largest[0] = maximum(x);
            let (blocks, rest) = x.as_chunks::<LANES>();
            for block in blocks.iter().map(|block| &block[..]).chain([rest]) {
                for (sum, x) in sums.iter_mut().zip(block) {
                    *sum += exp(fused, x - largest[0]);
                }
            }
            sums[0] = joined(sums, |a, b| a + b);
        } else {
            largest = maxima(inner, first, n, x);
            for row in x.chunks_exact(inner) {
                for ((x, largest), sum) in row[first..first + n].iter().zip(&largest).zip(&mut sums) {
                    *sum += exp(fused, *x - largest);
                }
            }
        }
        largest.iter_mut().zip(sums).take(n).for_each(|(largest, sum)| *largest += libm::logf(sum));
        for row in x.chunks_exact_mut(inner) {
            row[first..first + n].iter_mut().zip(&largest).for_each(|(x, log)| *x -= log);
        }
    }
}

/// Folds every sixteenth element.
#[inline(always)]
fn in_lanes(x: &[f32], start: f32, fold: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane = fold(*lane, x));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane = fold(*lane, x));
    lanes
}

/// All lanes as one number, within the loop that fills them: as [`joined`], whose call would cost as much as a block of sixteen.
#[inline(always)]
fn folded(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        (0..half).for_each(|i| lanes[i] = join(lanes[i], lanes[i + half]));
        half /= 2;
    }
    lanes[0]
}

/// `x = exp(x - largest)`, added to the sums.
#[inline(always)]
fn exponentials(fused: bool, x: &mut [f32], largest: &[f32; LANES], sums: &mut [f32; LANES]) {
    for ((x, largest), sum) in x.iter_mut().zip(largest).zip(sums) {
        let below = *x - largest;
        let (p, n) = exp_parts(fused, if below < NOTHING { NOTHING } else { below });
        *x = if below < NOTHING { 0.0 } else { p * power_of_two(n) };
        *sum += *x;
    }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[inline(always)]
fn maximum(x: &[f32]) -> f32 {
    joined(in_lanes(x, f32::NEG_INFINITY, larger), larger)
}

/// The maxima of `n` columns from `first` on.
#[inline(always)]
fn maxima(inner: usize, first: usize, n: usize, x: &[f32]) -> [f32; LANES] {
    let mut largest = [f32::NEG_INFINITY; LANES];
    for row in x.chunks_exact(inner) {
        largest.iter_mut().zip(&row[first..first + n]).for_each(|(a, &b)| *a = larger(*a, b));
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use alloc::vec::Vec;

    #[test]
    fn every_width_by_the_formula() {
        for (n, inner) in [(1, 1), (5, 1), (16, 1), (100, 1), (3, 2), (7, 16), (9, 35), (2, 48)] {
            let x: Vec<f32> = (0..n * inner).map(|i| (i * 37 % 101) as f32 / 7.0 + 1000.0).collect();
            for isa in Isa::available() {
                let (mut p, mut log) = (x.clone(), x.clone());
                softmax(isa, n, inner, &mut p);
                log_softmax(isa, inner, &mut log);
                for i in 0..x.len() {
                    let column = || x[i % inner..].iter().step_by(inner);
                    let sum: f64 = column().map(|v| libm::exp(f64::from(*v - x[i]))).sum();
                    assert!((f64::from(p[i]) * sum - 1.0).abs() < 1e-5, "{n} {inner} {isa}: {}", p[i]);
                    assert!(
                        (f64::from(log[i]) + libm::log(sum)).abs() < 1e-4,
                        "{n} {inner} {isa}: {}",
                        log[i]
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_masked_is_zero_and_nothing_is_subnormal() {
        for isa in Isa::available() {
            for inner in [1, 3] {
                let mut x: Vec<f32> = (0..120).map(|i| if i % 2 == 0 { -1e4 } else { -(i as f32) }).collect();
                softmax(isa, 120 / inner, inner, &mut x);
                assert!(x.iter().all(|x| *x == 0.0 || x.is_normal()), "{isa}: {x:?}");
                assert!(x.contains(&0.0) && (x.iter().sum::<f32>() - inner as f32).abs() < 1e-5, "{isa}");
            }
        }
    }

    #[test]
    fn many_are_as_each_alone() {
        for (parts, n, inner) in [(1, 20, 1), (7, 33, 1), (8, 1, 1), (21, 16, 1), (3, 5, 2), (0, 4, 1)] {
            let x: Vec<f32> = (0..parts * n * inner).map(|i| (i * 53 % 89) as f32 / 5.0).collect();
            for isa in Isa::available() {
                let (mut together, mut alone) = (x.clone(), x.clone());
                softmax(isa, n, inner, &mut together);
                alone.chunks_exact_mut(n * inner).for_each(|x| softmax(isa, n, inner, x));
                assert!(together == alone, "{isa}: {parts} of {n} x {inner}");
            }
        }
    }

    #[test]
    fn log_softmax_sums_to_one() {
        for isa in Isa::available() {
            let mut x = [1000.0, 3.0, 1001.0, 4.0];
            log_softmax(isa, 2, &mut x);
            let p = 1.0 / (1.0 + libm::expf(1.0));
            assert!(
                (x[0] - libm::logf(p)).abs() < 1e-4 && (x[3] - libm::logf(1.0 - p)).abs() < 1e-6,
                "{x:?}"
            );
        }
    }
}
