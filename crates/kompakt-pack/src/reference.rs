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
        Op::Add => x.data.iter().zip(&operands[1].data).map(|(a, b)| a + b).collect(),
        Op::Concat => operands.iter().flat_map(|o| &o.data).copied().collect(),
        Op::Slice { start, step, .. } => {
            gather(shape, |i, d| Some(start[d] + i * step[d]), &x.shape, &x.data)
        }
        Op::Pad { before, .. } => gather(shape, |i, d| i.checked_sub(before[d]), &x.shape, &x.data),
        // Flatten, reshape, dropout, identity: the same elements.
        _ => x.data.clone(),
    }
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
