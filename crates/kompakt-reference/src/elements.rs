//! Operators that move elements: broadcasting, slices, pads, transposes, interpolation.

use crate::Value;

/// `f` of the elements of two values, broadcast.
pub(crate) fn pairwise(a: &Value, b: &Value, shape: &[usize], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let spread = |x: &Value| elements(shape, &x.shape, |index, d| index[d].min(x.shape[d] - 1), &x.data);
    spread(a).into_iter().zip(spread(b)).map(|(a, b)| f(a, b)).collect()
}

/// The elements of an output of shape `to` whose index in dimension `d` of the input is `source(index, d)`.
pub(crate) fn elements(
    to: &[usize],
    from: &[usize],
    source: impl Fn(&[usize], usize) -> usize,
    x: &[f64],
) -> Vec<f64> {
    let mut index = vec![0; to.len()];
    let mut y = Vec::with_capacity(to.iter().product());
    loop {
        y.push(x[(0..from.len()).fold(0, |at, d| at * from[d] + source(&index, d))]);
        let Some(d) = (0..to.len()).rev().find(|&d| index[d] + 1 < to[d]) else { return y };
        index[d] += 1;
        index[d + 1..].fill(0);
    }
}

pub(crate) fn resize(x: &Value, size: [usize; 2], step: [f32; 2], offset: [f32; 2]) -> Vec<f64> {
    let &[_, h, w] = &x.shape[..] else { return Vec::new() };
    // Two neighbours and the weight of the second.
    let place = |i: usize, d: usize, n: usize| {
        let p = (i as f64 * f64::from(step[d]) + f64::from(offset[d])).clamp(0.0, (n - 1) as f64);
        let low = p.floor() as usize;
        (low, (low + 1).min(n - 1), p - p.floor())
    };
    let mut y = Vec::new();
    for plane in x.data.chunks_exact(h * w) {
        for (i, j) in (0..size[0]).flat_map(|i| (0..size[1]).map(move |j| (i, j))) {
            let ((y0, y1, fy), (x0, x1, fx)) = (place(i, 0, h), place(j, 1, w));
            let row = |r: usize| plane[r * w + x0] * (1.0 - fx) + plane[r * w + x1] * fx;
            y.push(row(y0) * (1.0 - fy) + row(y1) * fy);
        }
    }
    y
}

/// The elements of an output of `shape` whose index along dimension `d` is `source(i, d)` in `x`; 0 outside.
pub(crate) fn gather(
    shape: &[usize],
    source: impl Fn(usize, usize) -> Option<usize>,
    x: &[usize],
    data: &[f64],
) -> Vec<f64> {
    let n: usize = shape.iter().product();
    let element = |flat: usize| -> Option<f64> {
        let (mut rest, mut index, mut stride) = (flat, 0, 1);
        for d in (0..shape.len()).rev() {
            let i = source(rest % shape[d], d).filter(|&i| i < x[d])?;
            rest /= shape[d];
            index += i * stride;
            stride *= x[d];
        }
        Some(data[index])
    };
    (0..n).map(|flat| element(flat).unwrap_or(0.0)).collect()
}
