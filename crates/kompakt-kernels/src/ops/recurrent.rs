//! Gates of recurrent layers: one step of one sequence.
//!
//! `g` is the input's part of the gates, `r` the previous state's, each `[gates, hidden]`; `h`, `c` `[hidden]` are the
//! state, in place.

use super::activations::{hyperbolic_tangent, logistic};
use crate::isa::per_isa;

per_isa! {
    /// Gates: input, output, forget, cell. Panics: if lengths disagree.
    pub fn lstm(g: &[f32], r: &[f32], h: &mut [f32], c: &mut [f32]) = fused lstm_body;
}
per_isa! {
    /// Gates: update, reset, hidden; the reset scales `r`. Panics: if lengths disagree.
    pub fn gru(g: &[f32], r: &[f32], h: &mut [f32]) = fused gru_body;
}
per_isa! {
    /// `early = h * reset`, the state before it is multiplied, of a cell whose reset comes first. Panics: if lengths
    /// disagree.
    pub fn gru_reset(g: &[f32], r: &[f32], h: &[f32], early: &mut [f32]) = fused gru_reset_body;
}
per_isa! {
    /// As [`gru`], where the reset came first: `late` is the product of its result. Panics: if lengths disagree.
    pub fn gru_after_reset(g: &[f32], r: &[f32], late: &[f32], h: &mut [f32]) = fused gru_after_reset_body;
}
per_isa! {
    /// `h = tanh(g + r)`. Panics: if lengths disagree.
    pub fn tanh_cell(g: &[f32], r: &[f32], h: &mut [f32]) = fused tanh_cell_body;
}
per_isa! {
    /// `h = max(g + r, 0)`. Panics: if lengths disagree.
    pub fn relu_cell(g: &[f32], r: &[f32], h: &mut [f32]) = relu_cell_body;
}

/// The parts of `N` gates.
#[inline(always)]
fn gates<const N: usize>(all: &[f32], hidden: usize) -> [&[f32]; N] {
    assert_eq!(all.len(), N * hidden, "gates and state");
    core::array::from_fn(|gate| &all[gate * hidden..][..hidden])
}

#[inline(always)]
fn lstm_body(fused: bool, g: &[f32], r: &[f32], h: &mut [f32], c: &mut [f32]) {
    let n = h.len();
    let ([gi, go, gf, gc], [ri, ro, rf, rc]) = (gates(g, n), gates(r, n));
    let c = &mut c[..n];
    for i in 0..n {
        let input = logistic(fused, gi[i] + ri[i]);
        let forget = logistic(fused, gf[i] + rf[i]);
        c[i] = forget * c[i] + input * hyperbolic_tangent(fused, gc[i] + rc[i]);
    }
    for i in 0..n {
        h[i] = logistic(fused, go[i] + ro[i]) * hyperbolic_tangent(fused, c[i]);
    }
}

#[inline(always)]
fn gru_body(fused: bool, g: &[f32], r: &[f32], h: &mut [f32]) {
    let n = h.len();
    let ([gz, gr, gh], [rz, rr, rh]) = (gates(g, n), gates(r, n));
    for i in 0..n {
        let z = logistic(fused, gz[i] + rz[i]);
        let inner = logistic(fused, gr[i] + rr[i]) * rh[i];
        h[i] = (1.0 - z) * hyperbolic_tangent(fused, gh[i] + inner) + z * h[i];
    }
}

#[inline(always)]
fn gru_reset_body(fused: bool, g: &[f32], r: &[f32], h: &[f32], early: &mut [f32]) {
    let n = h.len();
    let ([_, g, _], [_, r, _]) = (gates(g, n), gates(r, n));
    let early = &mut early[..n];
    for i in 0..n {
        early[i] = h[i] * logistic(fused, g[i] + r[i]);
    }
}

#[inline(always)]
fn gru_after_reset_body(fused: bool, g: &[f32], r: &[f32], late: &[f32], h: &mut [f32]) {
    let n = h.len();
    let ([gz, _, gh], [rz, _, _], [_, _, late]) = (gates(g, n), gates(r, n), gates(late, n));
    for i in 0..n {
        let z = logistic(fused, gz[i] + rz[i]);
        h[i] = (1.0 - z) * hyperbolic_tangent(fused, gh[i] + late[i]) + z * h[i];
    }
}

#[inline(always)]
fn tanh_cell_body(fused: bool, g: &[f32], r: &[f32], h: &mut [f32]) {
    let n = h.len();
    let ([g], [r]) = (gates(g, n), gates(r, n));
    for i in 0..n {
        h[i] = hyperbolic_tangent(fused, g[i] + r[i]);
    }
}

#[inline(always)]
fn relu_cell_body(g: &[f32], r: &[f32], h: &mut [f32]) {
    let n = h.len();
    let ([g], [r]) = (gates(g, n), gates(r, n));
    for i in 0..n {
        let sum = g[i] + r[i];
        h[i] = if sum < 0.0 { 0.0 } else { sum };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use alloc::{vec, vec::Vec};

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + libm::exp(-x))
    }

    #[test]
    fn every_cell_by_its_formula() {
        const N: usize = 37;
        let numbers = |seed: usize, n: usize| -> Vec<f32> {
            (0..n).map(|i| ((i * 31 + seed * 17) % 89) as f32 / 20.0 - 2.2).collect()
        };
        let (g, r, h, c) = (numbers(1, 4 * N), numbers(2, 4 * N), numbers(3, N), numbers(4, N));
        let at = |x: &[f32], gate: usize, i: usize| f64::from(x[gate * N + i]);
        let both = |gate: usize, i: usize| at(&g, gate, i) + at(&r, gate, i);
        let near = |y: f32, exact: f64| assert!((f64::from(y) - exact).abs() < 2e-6, "{y} {exact}");
        for isa in Isa::available() {
            let (mut y, mut memory) = (h.clone(), c.clone());
            lstm(isa, &g, &r, &mut y, &mut memory);
            for i in 0..N {
                let cell =
                    sigmoid(both(2, i)) * f64::from(c[i]) + sigmoid(both(0, i)) * libm::tanh(both(3, i));
                near(memory[i], cell);
                near(y[i], sigmoid(both(1, i)) * libm::tanh(cell));
            }
            let (three, r3) = (&g[..3 * N], &r[..3 * N]);
            let mut y = h.clone();
            gru(isa, three, r3, &mut y);
            let mut early = vec![0.0; N];
            gru_reset(isa, three, r3, &h, &mut early);
            let mut later = h.clone();
            gru_after_reset(isa, three, r3, &c.repeat(3), &mut later);
            for i in 0..N {
                let (z, reset, old) = (sigmoid(both(0, i)), sigmoid(both(1, i)), f64::from(h[i]));
                near(y[i], (1.0 - z) * libm::tanh(at(&g, 2, i) + reset * at(&r, 2, i)) + z * old);
                near(early[i], old * reset);
                near(later[i], (1.0 - z) * libm::tanh(at(&g, 2, i) + f64::from(c[i])) + z * old);
            }
            let (mut y, mut z) = (h.clone(), h.clone());
            tanh_cell(isa, &g[..N], &r[..N], &mut y);
            relu_cell(isa, &g[..N], &r[..N], &mut z);
            for i in 0..N {
                near(y[i], libm::tanh(both(0, i)));
                near(z[i], both(0, i).max(0.0));
            }
        }
    }
}
