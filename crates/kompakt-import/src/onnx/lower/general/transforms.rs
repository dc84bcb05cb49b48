//! Fourier transforms, grids of positions, and crops around the centre.

use super::super::{Act, Call, Lowering};
use crate::onnx::{fold, rules, rules::Run};
use kompakt_graph::Op;
use std::f64::consts::TAU;

impl Lowering<'_> {
    /// The discrete Fourier transform along one dimension: products with matrices of cosines and sines.
    pub(super) fn fourier(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let axis = match call.constant(2)? {
            Some(axis) => axis.as_ints().and_then(|v| v.first().copied()).ok_or("its axis is no number")?,
            None => call.node.int("axis", if self.opset < 20 { 1 } else { -2 }),
        };
        let axis = rules::axis(axis, rank)?;
        let here = self.here(axis)?;
        let &[.., parts @ (1 | 2)] = &x.dims[..] else { return Err(format!("numbers of {:?}", x.dims)) };
        if axis + 1 == rank {
            return Err("it goes along real and imaginary parts".into());
        }
        let is_inverse = call.node.int("inverse", 0) != 0;
        let is_half = call.node.int("onesided", 0) != 0;
        let wanted = call.constant(1)?.map(fold::sizes).transpose()?.and_then(|v| v.first().copied());
        // Of the inverse of a half spectrum all elements are real, and their number is not stored in it.
        let is_real_again = is_inverse && is_half;
        let n_in = x.dims[axis];
        let n = wanted.unwrap_or(if is_real_again { 2 * n_in.saturating_sub(1) } else { n_in });
        if n == 0 || n > 1 << 12 || n_in > 1 << 12 || (is_half && !is_inverse && parts == 2) {
            return Err(format!("a transform of {n} elements of {parts} parts"));
        }
        let n_out = if is_half && !is_inverse { n / 2 + 1 } else { n };
        // Elements beyond the transform's length do not count.
        let least = if is_real_again { n / 2 + 1 } else { n };
        let factor = |k: usize| match k {
            k if k >= least => 0.0,
            k if is_real_again && k > 0 && 2 * k != n => 2.0 / n as f64,
            _ if is_inverse => 1.0 / n as f64,
            _ => 1.0,
        };
        let matrix = |f: fn(f64) -> f64, sign: f64| -> Vec<f32> {
            let angle = |i: usize, k: usize| TAU * ((i * k) % n) as f64 / n as f64;
            let element = |j: usize| {
                let (i, k) = (j / n_in, j % n_in);
                (sign * factor(k) * f(angle(i, k))) as f32
            };
            (0..n_out * n_in).map(element).collect()
        };
        // What a sine adds to the real parts.
        let sign = if is_inverse { -1.0 } else { 1.0 };
        let part = |lowering: &mut Self, first| lowering.cut(&x, rank - 1, Run { first, n: 1, step: 1 });
        let real = part(self, 0)?.value;
        let mut a = self.mapped(real, here, matrix(f64::cos, 1.0), n_out)?;
        let mut b = self.mapped(real, here, matrix(f64::sin, -sign), n_out)?;
        if parts == 2 {
            let imaginary = part(self, 1)?.value;
            let of_sine = self.mapped(imaginary, here, matrix(f64::sin, sign), n_out)?;
            a = self.of_two(Op::Add, a, of_sine)?;
            let of_cosine = self.mapped(imaginary, here, matrix(f64::cos, 1.0), n_out)?;
            b = self.of_two(Op::Add, b, of_cosine)?;
        }
        let mut dims = x.dims.clone();
        (dims[axis], dims[rank - 1]) = (n_out, 1);
        let a = Act { value: a, dims: dims.clone() };
        if is_real_again {
            return Ok(a);
        }
        self.joined(&[&a, &Act { value: b, dims }], rank - 1)
    }

    /// The positions of an output's pixels in an input, from -1 to 1, by matrices `[n, 2, 3]` or `[n, 3, 4]`.
    pub(super) fn affine_grid(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let theta = call.act(0)?.clone();
        let size = fold::sizes(call.needed(1)?)?;
        let sides = size.get(2..).unwrap_or_default().to_vec();
        let d = sides.len();
        let n = sides.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|&n| n > 0 && n <= 1 << 22);
        let (Some(n), 2..=3) = (n, d) else { return Err(format!("a grid of {size:?}")) };
        if theta.dims != [size[0], d, d + 1] {
            return Err(format!("matrices of {:?} for a grid of {size:?}", theta.dims));
        }
        let is_aligned = call.node.int("align_corners", 0) != 0;
        let place = |i: usize, side: usize| match (is_aligned, side) {
            (true, 1) => -1.0,
            (true, _) => 2.0 * i as f32 / (side - 1) as f32 - 1.0,
            (false, _) => (2 * i + 1) as f32 / side as f32 - 1.0,
        };
        let strides = &rules::strides(&sides);
        let sides = &sides;
        // The last dimension's position comes first, then 1 for the shift.
        let point = |p: usize| {
            let along = (0..d).rev().map(move |a| (p / strides[a] % sides[a], sides[a]));
            along.map(|(i, side)| place(i, side)).chain([1.0]).collect::<Vec<f32>>()
        };
        let base: Vec<f32> = (0..n).flat_map(point).collect();
        let rank = self.builder.shape(theta.value).len();
        let mut shape = vec![1; rank];
        (shape[rank - 2], shape[rank - 1]) = (n, d + 1);
        let base = self.computed(base, shape)?;
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        let turned = self.builder.transpose(theta.value, order)?;
        let dims = [&size[..1], &size[2..], &[d]].concat();
        self.make(call, Op::MatMul, vec![base, turned], dims)
    }

    /// Cut to a size around the centre, or surrounded by zeros.
    pub(super) fn center_crop_pad(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        let sizes = fold::sizes(call.needed(1)?)?;
        let rank = x.dims.len();
        let axes = match call.node.ints("axes") {
            None => (0..rank).collect(),
            Some(list) => list.iter().map(|&a| rules::axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        };
        if axes.len() != sizes.len() {
            return Err(format!("{} sizes for {} dimensions", sizes.len(), axes.len()));
        }
        for (axis, to) in axes.into_iter().zip(sizes) {
            let n = x.dims[axis];
            if to < n {
                x = self.cut(&x, axis, Run { first: (n - to) / 2, n: to, step: 1 })?;
            } else if to > n {
                let here = self.here(axis)?;
                let shape = self.builder.shape(x.value).len();
                let (mut before, mut after) = (vec![0; shape], vec![0; shape]);
                before[here] = (to - n) / 2;
                after[here] = to - n - before[here];
                x.value = self.builder.op(None, Op::Pad { before, after }, vec![x.value])?;
                x.dims[axis] = to;
            }
        }
        Ok(x)
    }
}
