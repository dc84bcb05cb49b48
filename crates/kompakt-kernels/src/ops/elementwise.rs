//! Elementwise operations, and the softmax.

use crate::isa::per_isa;

per_isa! {
    /// `max(x, 0)` in place; NaN stays.
    pub fn relu(x: &mut [f32]) = relu_body;
}
per_isa! {
    /// `1 / (1 + exp(-x))` in place.
    pub fn sigmoid(x: &mut [f32]) = sigmoid_body;
}
per_isa! {
    /// `tanh(x)` in place.
    pub fn tanh(x: &mut [f32]) = tanh_body;
}
per_isa! {
    /// `y += x`, then `max(y, 0)` if `relu`. Panics: if the lengths differ.
    pub fn add(x: &[f32], relu: bool, y: &mut [f32]) = add_body;
}
per_isa! {
    /// `y = x * scale + bias`, then `max(y, 0)` if `relu`, in place over one channel.
    pub fn affine(scale: f32, bias: f32, relu: bool, x: &mut [f32]) = affine_body;
}
per_isa! {
    /// `exp(x) / sum exp(x)` over the first dimension, in place. Shapes: `x` `[n, inner]`; each of the
    /// `inner` columns separately. Panics: if `inner` does not divide the length.
    pub fn softmax(inner: usize, x: &mut [f32]) = softmax_body;
}

#[inline(always)]
fn relu_body(x: &mut [f32]) {
    for x in x {
        *x = if *x < 0.0 { 0.0 } else { *x };
    }
}

#[inline(always)]
fn sigmoid_body(x: &mut [f32]) {
    for x in x {
        *x = 1.0 / (1.0 + libm::expf(-*x));
    }
}

#[inline(always)]
fn tanh_body(x: &mut [f32]) {
    for x in x {
        *x = libm::tanhf(*x);
    }
}

#[inline(always)]
fn add_body(x: &[f32], relu: bool, y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "lengths of x and y");
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    for (y, x) in y.iter_mut().zip(x) {
        let sum = *y + x;
        *y = if sum < floor { floor } else { sum };
    }
}

#[inline(always)]
fn affine_body(scale: f32, bias: f32, relu: bool, x: &mut [f32]) {
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    for x in x {
        let y = *x * scale + bias;
        *x = if y < floor { floor } else { y };
    }
}

#[inline(always)]
fn softmax_body(inner: usize, x: &mut [f32]) {
    assert!(inner > 0 && x.len().is_multiple_of(inner), "{inner} does not divide {}", x.len());
    for i in 0..inner {
        let largest = x[i..].iter().step_by(inner).fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
        let mut sum = 0.0;
        for x in x[i..].iter_mut().step_by(inner) {
            *x = libm::expf(*x - largest);
            sum += *x;
        }
        for x in x[i..].iter_mut().step_by(inner) {
            *x /= sum;
        }
    }
}
