//! Elementwise operations.

use super::activations::{hyperbolic_tangent, logistic};
use crate::isa::per_isa;

per_isa! {
    /// `max(x, 0)` in place; NaN stays.
    pub fn relu(x: &mut [f32]) = relu_body;
}
per_isa! {
    /// `1 / (1 + exp(-x))` in place.
    pub fn sigmoid(x: &mut [f32]) = fused sigmoid_body;
}
per_isa! {
    /// `tanh(x)` in place.
    pub fn tanh(x: &mut [f32]) = fused tanh_body;
}
per_isa! {
    /// `y += x`, then `max(y, 0)` if `relu`. Panics: if the lengths differ.
    pub fn add(x: &[f32], relu: bool, y: &mut [f32]) = add_body;
}
per_isa! {
    /// `y = a + x`, then `max(y, 0)` if `relu`. Panics: if the lengths differ.
    pub fn add_to(a: &[f32], x: &[f32], relu: bool, y: &mut [f32]) = add_to_body;
}
per_isa! {
    /// `y = x * scale + bias`, then `max(y, 0)` if `relu`, in place over one channel.
    pub fn affine(scale: f32, bias: f32, relu: bool, x: &mut [f32]) = affine_body;
}
#[inline(always)]
fn relu_body(x: &mut [f32]) {
    for x in x {
        *x = if *x < 0.0 { 0.0 } else { *x };
    }
}

#[inline(always)]
fn sigmoid_body(fused: bool, x: &mut [f32]) {
    for x in x {
        *x = logistic(fused, *x);
    }
}

#[inline(always)]
fn tanh_body(fused: bool, x: &mut [f32]) {
    for x in x {
        *x = hyperbolic_tangent(fused, *x);
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
fn add_to_body(a: &[f32], x: &[f32], relu: bool, y: &mut [f32]) {
    assert!(x.len() == y.len() && a.len() == y.len(), "lengths of a, x and y");
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    for ((y, a), x) in y.iter_mut().zip(a).zip(x) {
        let sum = a + x;
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
