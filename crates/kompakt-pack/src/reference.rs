//! Runs a network slowly and plainly, in double precision: what self-tests expect, and what tests compare with.

use kompakt_graph::{Graph, Op, Padding, Pair};

/// A value: its shape, batch left out, and its elements, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: Vec<f64>,
}

/// The outputs of `graph` on `inputs`, each as the graph wants it.
///
/// `parameter` gives the parameter of that number, row-major, zeros included.
/// Panics: if inputs or parameters have other lengths than the graph says.
pub fn evaluate<'p>(
    graph: &Graph,
    inputs: Vec<Vec<f64>>,
    parameter: &dyn Fn(usize) -> &'p [f64],
) -> Vec<Value> {
    let mut values: Vec<Value> = inputs
        .into_iter()
        .enumerate()
        .map(|(i, data)| Value { shape: graph.shape(i).to_vec(), data })
        .collect();
    for (index, node) in graph.nodes().iter().enumerate() {
        let operands: Vec<&Value> = node.inputs.iter().map(|&v| &values[v]).collect();
        let params: Vec<&[f64]> = graph
            .params()
            .iter()
            .enumerate()
            .filter(|(_, p)| p.node == index)
            .map(|(i, _)| parameter(i))
            .collect();
        let shape = graph.shape(graph.value_of(index)).to_vec();
        let data = run(&node.op, &operands, &params, &shape);
        values.push(Value { shape, data });
    }
    graph.outputs().iter().map(|&v| values[v].clone()).collect()
}

fn run(op: &Op, operands: &[&Value], params: &[&[f64]], shape: &[usize]) -> Vec<f64> {
    let x = operands[0];
    let map = |f: &dyn Fn(f64) -> f64| x.data.iter().map(|&v| f(v)).collect();
    match op {
        Op::Linear { out_features, .. } => linear(&x.data, params, *out_features),
        Op::Conv2d { kernel, stride, padding, dilation, groups, .. } => {
            convolution(x, params, shape, [*kernel, *stride, *dilation], *padding, *groups)
        }
        Op::BatchNorm { eps } => {
            let eps = f64::from(*eps);
            per_channel(x, |c, v| {
                (v - params[2][c]) / (params[3][c] + eps).sqrt() * params[0][c] + params[1][c]
            })
        }
        Op::ScaleBias => per_channel(x, |c, v| v * params[0][c] + params[1][c]),
        Op::MaxPool { kernel, stride, padding, .. } => {
            pool(x, shape, *kernel, *stride, *padding, |window, _| {
                window.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            })
        }
        Op::AvgPool { kernel, stride, padding, count_include_pad, .. } => {
            pool(x, shape, *kernel, *stride, *padding, |window, padded| {
                let n = if *count_include_pad { padded } else { window.len() };
                window.iter().sum::<f64>() / n as f64
            })
        }
        Op::GlobalAvgPool => {
            let area = x.data.len() / x.shape[0];
            x.data.chunks_exact(area).map(|c| c.iter().sum::<f64>() / area as f64).collect()
        }
        Op::Relu => map(&|v| v.max(0.0)),
        Op::Sigmoid => map(&|v| 1.0 / (1.0 + (-v).exp())),
        Op::Tanh => map(&f64::tanh),
        Op::Softmax => softmax(x),
        Op::Add => pairwise(x, operands[1], shape, |a, b| a + b),
        Op::Mul => pairwise(x, operands[1], shape, |a, b| a * b),
        Op::Sub => pairwise(x, operands[1], shape, |a, b| a - b),
        Op::Div => pairwise(x, operands[1], shape, |a, b| a / b),
        Op::Scale { factor, offset } => map(&|v| v * f64::from(*factor) + f64::from(*offset)),
        Op::Clip { low, high } => map(&|v| v.max(f64::from(*low)).min(f64::from(*high))),
        Op::LeakyRelu { slope } => map(&|v| if v < 0.0 { v * f64::from(*slope) } else { v }),
        Op::Prelu => per_channel(x, |c, v| if v < 0.0 { v * params[0][c] } else { v }),
        Op::HardSigmoid { slope, offset } => {
            map(&|v| (v * f64::from(*slope) + f64::from(*offset)).clamp(0.0, 1.0))
        }
        Op::HardSwish => map(&|v| v * (v / 6.0 + 0.5).clamp(0.0, 1.0)),
        Op::Silu => map(&|v| v / (1.0 + (-v).exp())),
        Op::LogSoftmax => softmax(x).into_iter().map(f64::ln).collect(),
        Op::Transpose { axes } => {
            let mut place = vec![0; axes.len()];
            axes.iter().enumerate().for_each(|(to, &from)| place[from] = to);
            elements(shape, &x.shape, |index, from| index[place[from]], &x.data)
        }
        Op::Gather { axis, indices } => elements(
            shape,
            &x.shape,
            |index, d| if d == *axis { indices[index[d]] } else { index[d] },
            &x.data,
        ),
        Op::Resize { size, step, offset } => resize(x, [size.h, size.w], *step, *offset),
        Op::LocalResponseNorm { size, alpha, beta, bias } => {
            let area = x.data.len() / x.shape[0];
            let norm = |i: usize| {
                let (c, at) = (i / area, i % area);
                let window = c.saturating_sub((size - 1) / 2)..(c + size / 2 + 1).min(x.shape[0]);
                let sum: f64 = window.map(|c| x.data[c * area + at].powi(2)).sum();
                f64::from(*bias) + f64::from(*alpha) / *size as f64 * sum
            };
            x.data.iter().enumerate().map(|(i, v)| v / norm(i).powf(f64::from(*beta))).collect()
        }
        Op::Spread { step } => {
            let step = [1, step.h, step.w];
            let from = |i: usize, d: usize| i.is_multiple_of(step[d]).then(|| i / step[d]);
            gather(shape, from, &x.shape, &x.data)
        }
        Op::Concat => operands.iter().flat_map(|o| &o.data).copied().collect(),
        Op::Slice { start, step, .. } => {
            gather(shape, |i, d| Some(start[d] + i * step[d]), &x.shape, &x.data)
        }
        Op::Pad { before, .. } => gather(shape, |i, d| i.checked_sub(before[d]), &x.shape, &x.data),
        // Flatten, reshape, dropout, identity: the same elements.
        _ => x.data.clone(),
    }
}

/// `f` of the elements of two values, each repeated where it has 1 and the other has not.
fn pairwise(a: &Value, b: &Value, shape: &[usize], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let spread = |x: &Value| elements(shape, &x.shape, |index, d| index[d].min(x.shape[d] - 1), &x.data);
    spread(a).into_iter().zip(spread(b)).map(|(a, b)| f(a, b)).collect()
}

/// The elements of an output of shape `to` whose index in dimension `d` of the input is `source(index, d)`.
fn elements(to: &[usize], from: &[usize], source: impl Fn(&[usize], usize) -> usize, x: &[f64]) -> Vec<f64> {
    let mut index = vec![0; to.len()];
    let mut y = Vec::with_capacity(to.iter().product());
    loop {
        y.push(x[(0..from.len()).fold(0, |at, d| at * from[d] + source(&index, d))]);
        let Some(d) = (0..to.len()).rev().find(|&d| index[d] + 1 < to[d]) else { return y };
        index[d] += 1;
        index[d + 1..].fill(0);
    }
}

fn resize(x: &Value, size: [usize; 2], step: [f32; 2], offset: [f32; 2]) -> Vec<f64> {
    let &[_, h, w] = &x.shape[..] else { return Vec::new() };
    // Two neighbours and the share of the second.
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

fn linear(x: &[f64], params: &[&[f64]], n: usize) -> Vec<f64> {
    let row =
        |r: usize| -> f64 { params[0][r * x.len()..][..x.len()].iter().zip(x).map(|(w, x)| w * x).sum() };
    (0..n).map(|r| row(r) + params.get(1).map_or(0.0, |bias| bias[r])).collect()
}

fn per_channel(x: &Value, f: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let area = x.data.len() / x.shape[0];
    x.data.iter().enumerate().map(|(i, &v)| f(i / area, v)).collect()
}

fn softmax(x: &Value) -> Vec<f64> {
    let area = x.data.len() / x.shape[0];
    let column = |i: usize| x.data.iter().skip(i % area).step_by(area);
    let sums = |i: usize| {
        let max = column(i).copied().fold(f64::NEG_INFINITY, f64::max);
        (max, column(i).map(|v| (v - max).exp()).sum::<f64>())
    };
    x.data
        .iter()
        .enumerate()
        .map(|(i, v)| {
            let (max, sum) = sums(i);
            (v - max).exp() / sum
        })
        .collect()
}

/// Index of the input that window cell `k` of output `o` reads, along one dimension of `n`.
fn tap(o: usize, stride: usize, k: usize, dilation: usize, before: usize, n: usize) -> Option<usize> {
    (o * stride + k * dilation).checked_sub(before).filter(|&i| i < n)
}

fn convolution(
    x: &Value,
    params: &[&[f64]],
    shape: &[usize],
    [kernel, stride, dilation]: [Pair; 3],
    padding: Padding,
    groups: usize,
) -> Vec<f64> {
    let (&[channels, h, w], &[out, oh, ow]) = (&x.shape[..], shape) else { return Vec::new() };
    let per_group = channels / groups;
    let mut y = Vec::with_capacity(out * oh * ow);
    for o in 0..out {
        let first = o / (out / groups) * per_group;
        for (oy, ox) in (0..oh).flat_map(|oy| (0..ow).map(move |ox| (oy, ox))) {
            let mut sum = params.get(1).map_or(0.0, |bias| bias[o]);
            for c in 0..per_group {
                for ky in 0..kernel.h {
                    let Some(iy) = tap(oy, stride.h, ky, dilation.h, padding.top, h) else { continue };
                    for kx in 0..kernel.w {
                        let Some(ix) = tap(ox, stride.w, kx, dilation.w, padding.left, w) else { continue };
                        let weight = params[0][((o * per_group + c) * kernel.h + ky) * kernel.w + kx];
                        sum += weight * x.data[((first + c) * h + iy) * w + ix];
                    }
                }
            }
            y.push(sum);
        }
    }
    y
}

/// `f` gets the cells of a window that lie in the image, and how many lie in the padded image.
fn pool(
    x: &Value,
    shape: &[usize],
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    f: impl Fn(&[f64], usize) -> f64,
) -> Vec<f64> {
    let (&[channels, h, w], &[_, oh, ow]) = (&x.shape[..], shape) else { return Vec::new() };
    let mut y = Vec::with_capacity(channels * oh * ow);
    let mut window = Vec::new();
    for c in 0..channels {
        for (oy, ox) in (0..oh).flat_map(|oy| (0..ow).map(move |ox| (oy, ox))) {
            window.clear();
            let mut padded = 0;
            for (ky, kx) in (0..kernel.h).flat_map(|ky| (0..kernel.w).map(move |kx| (ky, kx))) {
                let inside = oy * stride.h + ky < h + padding.top + padding.bottom
                    && ox * stride.w + kx < w + padding.left + padding.right;
                padded += usize::from(inside);
                let iy = tap(oy, stride.h, ky, 1, padding.top, h);
                let ix = tap(ox, stride.w, kx, 1, padding.left, w);
                if let (Some(iy), Some(ix)) = (iy, ix) {
                    window.push(x.data[(c * h + iy) * w + ix]);
                }
            }
            y.push(f(&window, padded));
        }
    }
    y
}

/// The elements of an output of `shape` whose index along dimension `d` is `source(i, d)` in `x`; 0 outside.
fn gather(
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

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch's own figures for the corners of a padded, strided, grouped convolution and an odd pool.
    #[test]
    fn windows_as_in_pytorch() {
        let conv = Op::Conv2d {
            out_channels: 2,
            kernel: Pair::square(3),
            stride: Pair::square(2),
            padding: Padding::all(1),
            dilation: Pair::square(1),
            groups: 2,
            bias: true,
        };
        let pool = Op::AvgPool {
            kernel: Pair::square(2),
            stride: Pair::square(2),
            padding: Padding::default(),
            ceil_mode: true,
            count_include_pad: true,
        };
        let graph = Graph::chain(&[2, 5, 5], vec![conv, pool]).unwrap();
        let x: Vec<f64> = (0..50).map(f64::from).collect();
        let weight = [1.0; 18];
        let bias = [0.5, -0.5];
        let params: [&[f64]; 2] = [&weight, &bias];
        let y = evaluate(&graph, vec![x], &|i| params[i]);
        // conv 0: [[12, 27, 24], [63, 108, 81], [72, 117, 84]] + 0.5; windows beyond the edge average what is there
        assert_eq!(y[0].shape, [2, 2, 2]);
        assert_eq!(y[0].data[..4], [53.0, 53.0, 95.0, 84.5]);
    }

    #[test]
    fn slices_and_pads() {
        let slice = Op::Slice { start: vec![0, 1], end: vec![2, 4], step: vec![1, 2] };
        let pad = Op::Pad { before: vec![0, 1], after: vec![1, 0] };
        let graph = Graph::chain(&[2, 4], vec![slice, pad, Op::Softmax]).unwrap();
        let y = evaluate(&graph, vec![(0..8).map(f64::from).collect()], &|_| &[]);
        let e = |v: f64| v.exp();
        let total = e(1.0) + e(5.0) + 1.0;
        assert!((y[0].data[1] - e(1.0) / total).abs() < 1e-12);
        assert!((y[0].data[0] - 1.0 / 3.0).abs() < 1e-12);
    }
}
