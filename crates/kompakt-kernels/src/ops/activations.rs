//! Further activations, elementwise and in place.

use crate::{isa::per_isa, matrix::rows::add_product};

per_isa! {
    /// `min(max(x, low), high)`; NaN stays.
    pub fn clip(low: f32, high: f32, x: &mut [f32]) = clip_body;
}
per_isa! {
    /// `slope x` where `x` is below 0.
    pub fn leaky_relu(slope: f32, x: &mut [f32]) = leaky_relu_body;
}
per_isa! {
    /// `min(max(slope x + offset, 0), 1)`.
    pub fn hard_sigmoid(slope: f32, offset: f32, x: &mut [f32]) = hard_sigmoid_body;
}
per_isa! {
    /// `x min(max(x / 6 + 0.5, 0), 1)`.
    pub fn hard_swish(x: &mut [f32]) = hard_swish_body;
}
per_isa! {
    /// `x / (1 + exp(-x))`.
    pub fn silu(x: &mut [f32]) = fused silu_body;
}

#[inline(always)]
fn clip_body(low: f32, high: f32, x: &mut [f32]) {
    for x in x {
        let y = if *x < low { low } else { *x };
        *x = if y > high { high } else { y };
    }
}

#[inline(always)]
fn leaky_relu_body(slope: f32, x: &mut [f32]) {
    for x in x {
        *x = if *x < 0.0 { *x * slope } else { *x };
    }
}

#[inline(always)]
fn hard_sigmoid_body(slope: f32, offset: f32, x: &mut [f32]) {
    for x in x {
        let y = *x * slope + offset;
        let y = if y < 0.0 { 0.0 } else { y };
        *x = if y > 1.0 { 1.0 } else { y };
    }
}

#[inline(always)]
fn hard_swish_body(x: &mut [f32]) {
    for x in x {
        let y = *x * (1.0 / 6.0) + 0.5;
        let y = if y < 0.0 { 0.0 } else { y };
        *x *= if y > 1.0 { 1.0 } else { y };
    }
}

#[inline(always)]
fn silu_body(fused: bool, x: &mut [f32]) {
    for x in x {
        *x *= logistic(fused, *x);
    }
}

/// Branchless `exp(x)`, so that loops over it vectorize; arguments are clamped to ±87, NaN stays.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, `exp(x) = 2^n (1 + r + r^2 / 2 + ...)`. Products and sums are rounded once if `fused`.
/// Accuracy: 3 ulp.
#[inline(always)]
pub(super) fn exp(fused: bool, x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 87.0 { 87.0 } else { x };
    let (p, n) = exp_parts(fused, x);
    p * power_of_two(n)
}

/// `exp(x) = p 2^n` for `|x| < 1000`, with `p` from 0.7 to 1.5; NaN stays in `p`.
#[inline(always)]
pub(super) fn exp_parts(fused: bool, x: f32) -> (f32, i32) {
    /// `1.5 * 2^23`: added and subtracted, it rounds to the nearest integer, which is in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    /// The polynomial of degree 5 whose largest error is the least (9e-8 of the value) among those that are 1 at 0.
    const TERMS: [f32; 5] = [0.041_898_16, 0.166_676_39, 0.499_991_48, 0.999_999_7, 1.0];
    let rounded = add_product(fused, x, core::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    // ln 2 in two parts, the first with so few digits that the product is exact.
    let r = add_product(fused, n, -0.693_359_4, x);
    let r = add_product(fused, n, 2.121_944_4e-4, r);
    let mut p = 0.008_290_272;
    for term in TERMS {
        p = add_product(fused, p, r, term);
    }
    (p, (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32))
}

/// `2^n` for `n` from -126 to 127; else any number.
#[inline(always)]
pub(super) fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// Branchless `1 / (1 + exp(-x))`; NaN stays.
#[inline(always)]
pub(super) fn logistic(fused: bool, x: f32) -> f32 {
    1.0 / (1.0 + exp(fused, -x))
}

/// Branchless `tanh(x)`: the series where the difference of `1 - 2 / (exp(2 x) + 1)` would cancel. Accuracy: 4e-7 of the
/// value; NaN stays.
#[inline(always)]
pub(super) fn hyperbolic_tangent(fused: bool, x: f32) -> f32 {
    let square = x * x;
    let mut series = 21_844.0 / 6_081_075.0;
    for coefficient in [-1_382.0 / 155_925.0, 62.0 / 2_835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0] {
        series = add_product(fused, series, square, coefficient);
    }
    let far = 1.0 - 2.0 / (exp(fused, 2.0 * x) + 1.0);
    if square < 0.16 { series * x } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use alloc::vec::Vec;

    #[test]
    fn exp_is_that_of_the_library() {
        for i in -8700..8700 {
            let x = i as f32 / 100.0;
            let exact = libm::exp(f64::from(x));
            for y in [false, true].map(|fused| f64::from(exp(fused, x))) {
                assert!((y - exact).abs() <= 4e-7 * exact, "{x}: {y} {exact}");
            }
        }
        for fused in [false, true] {
            assert!(exp(fused, f32::INFINITY) > 1e37 && exp(fused, f32::NEG_INFINITY) < 1e-37);
            assert!(exp(fused, 0.0) == 1.0 && exp(fused, f32::NAN).is_nan());
        }
    }

    #[test]
    fn every_instruction_set_agrees_with_the_formula() {
        let x: Vec<f32> = (-50..51).map(|i| i as f32 / 7.0).collect();
        type Case = (fn(Isa, &mut [f32]), fn(f64) -> f64);
        let cases: [Case; 5] = [
            (|isa, x| clip(isa, -1.5, 3.0, x), |v| v.clamp(-1.5, 3.0)),
            (|isa, x| leaky_relu(isa, 0.125, x), |v| if v < 0.0 { v * 0.125 } else { v }),
            (|isa, x| hard_sigmoid(isa, 0.25, 0.5, x), |v| (v * 0.25 + 0.5).clamp(0.0, 1.0)),
            (hard_swish, |v| v * (v / 6.0 + 0.5).clamp(0.0, 1.0)),
            (silu, |v| v / (1.0 + libm::exp(-v))),
        ];
        for isa in Isa::available() {
            for (kernel, formula) in cases {
                let mut y = x.clone();
                kernel(isa, &mut y);
                for (y, x) in y.iter().zip(&x) {
                    let exact = formula(f64::from(*x));
                    assert!((f64::from(*y) - exact).abs() <= 1e-6 * exact.abs().max(1.0), "{x}: {y} {exact}");
                }
            }
        }
    }
}
