//! Common unary functions, in place.

use super::activations::{exp_parts, power_of_two};
use crate::{isa::per_isa, matrix::rows::add_product};

per_isa! {
    /// `e^x`, 0 or infinite outside the range of f32; NaN stays.
    pub fn exponential(x: &mut [f32]) = fused exponential_body;
}
per_isa! {
    /// The square root; NaN below 0.
    pub fn square_root(x: &mut [f32]) = square_root_body;
}
per_isa! {
    /// `1 / x`.
    pub fn reciprocal(x: &mut [f32]) = reciprocal_body;
}
per_isa! {
    /// The error function. Accuracy: 5e-7.
    pub fn erf(x: &mut [f32]) = fused erf_body;
}
per_isa! {
    /// `x (1 + erf(x / sqrt 2)) / 2`, with an error of at most 5e-7 of `x`.
    pub fn gelu(x: &mut [f32]) = fused gelu_body;
}

#[inline(always)]
fn exponential_body(fused: bool, x: &mut [f32]) {
    for x in x {
        let within = if *x < -110.0 { -110.0 } else { *x };
        let within = if within > 110.0 { 110.0 } else { within };
        // Two factors: one would not reach the ends of the range.
        let (p, n) = exp_parts(fused, within);
        *x = p * power_of_two(n >> 1) * power_of_two(n - (n >> 1));
    }
}

#[inline(always)]
fn square_root_body(x: &mut [f32]) {
    for x in x {
        *x = libm::sqrtf(*x);
    }
}

#[inline(always)]
fn reciprocal_body(x: &mut [f32]) {
    for x in x {
        *x = 1.0 / *x;
    }
}

#[inline(always)]
fn erf_body(fused: bool, x: &mut [f32]) {
    for x in x {
        *x = error_function(fused, *x);
    }
}

#[inline(always)]
fn gelu_body(fused: bool, x: &mut [f32]) {
    for x in x {
        let half = 0.5 * *x;
        *x = half + half * error_function(fused, *x * core::f32::consts::FRAC_1_SQRT_2);
    }
}

/// Branchless: Abramowitz and Stegun, 7.1.26, with an error of at most 1.5e-7 besides rounding; from 4 on it is 1 in single
/// precision. NaN stays.
#[inline(always)]
fn error_function(fused: bool, x: f32) -> f32 {
    let size = x.abs();
    let size = if size > 4.0 { 4.0 } else { size };
    let t = 1.0 / add_product(fused, 0.327_591_1, size, 1.0);
    let mut p = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = add_product(fused, p, t, coefficient);
    }
    let (e, n) = exp_parts(fused, -size * size);
    (1.0 - p * t * (e * power_of_two(n))).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use alloc::vec::Vec;

    #[test]
    fn every_instruction_set_agrees_with_the_library() {
        // The allowed error, relative to the value and to the argument, or to 1.
        type Case = (fn(Isa, &mut [f32]), fn(f64) -> f64, [f32; 2]);
        let cases: [Case; 5] = [
            (exponential, libm::exp, [1e-5, 0.0]),
            (square_root, libm::sqrt, [1e-6, 0.0]),
            (reciprocal, |v| 1.0 / v, [1e-6, 0.0]),
            (erf, libm::erf, [0.0, 5e-7]),
            (gelu, |v| 0.5 * v * libm::erfc(-v * core::f64::consts::FRAC_1_SQRT_2), [1e-6, 5e-7]),
        ];
        let x: Vec<f32> = (-1000..1000).map(|i| i as f32 / 11.3).chain([f32::NAN, 1e30, -1e30]).collect();
        for isa in Isa::available() {
            for (kernel, formula, [part, of_argument]) in cases {
                let mut y = x.clone();
                kernel(isa, &mut y);
                for (y, x) in y.iter().zip(&x) {
                    let exact = formula(f64::from(*x)) as f32;
                    let is_equal = *y == exact || (y.is_nan() && exact.is_nan());
                    let allowed = part * exact.abs() + of_argument * x.abs().clamp(1.0, 1e3) + 1e-37;
                    assert!(is_equal || (y - exact).abs() <= allowed, "{x}: {y} {exact}");
                }
            }
        }
    }
}
