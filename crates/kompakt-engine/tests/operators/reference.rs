//! The graph's operators in f64, one element at a time, as their definitions read.

use kompakt_graph::{Graph, Op};

/// Runs `n` inputs through a graph; `training` takes batch norms' statistics from the batch.
pub(crate) fn run(
    graph: &Graph,
    parameters: &[Vec<f64>],
    input: &[f64],
    n: usize,
    training: bool,
) -> Vec<f64> {
    let mut values: Vec<Vec<f64>> = vec![input.to_vec()];
    for (index, node) in graph.nodes().iter().enumerate() {
        let own: Vec<&[f64]> = graph
            .params()
            .iter()
            .zip(parameters)
            .filter(|(p, _)| p.node == index)
            .map(|(_, v)| v.as_slice())
            .collect();
        let in_shapes: Vec<&[usize]> = node.inputs.iter().map(|&v| graph.shape(v)).collect();
        let out_shape = graph.shape(graph.value_of(index));
        let result = if let Op::BatchNorm { eps } = node.op {
            batch_norm(&values[node.inputs[0]], in_shapes[0], &own, n, f64::from(eps), training)
        } else {
            (0..n)
                .flat_map(|example| {
                    let operands: Vec<&[f64]> = node
                        .inputs
                        .iter()
                        .map(|&v| {
                            let len = values[v].len() / n;
                            &values[v][example * len..(example + 1) * len]
                        })
                        .collect();
                    one(&node.op, &operands, &in_shapes, out_shape, &own)
                })
                .collect()
        };
        values.push(result);
    }
    values.swap_remove(graph.outputs()[0])
}

fn batch_norm(x: &[f64], shape: &[usize], own: &[&[f64]], n: usize, eps: f64, training: bool) -> Vec<f64> {
    let plane: usize = shape[1..].iter().product();
    let channel = |i: usize| i / plane % shape[0];
    let mut mean = own[2].to_vec();
    let mut variance = own[3].to_vec();
    if training {
        for c in 0..shape[0] {
            let of: Vec<f64> = (0..x.len()).filter(|&i| channel(i) == c).map(|i| x[i]).collect();
            assert_eq!(of.len(), n * plane);
            mean[c] = of.iter().sum::<f64>() / of.len() as f64;
            variance[c] = of.iter().map(|x| (x - mean[c]).powi(2)).sum::<f64>() / of.len() as f64;
        }
    }
    let norm = |(i, x): (usize, &f64)| {
        let c = channel(i);
        (x - mean[c]) / (variance[c] + eps).sqrt() * own[0][c] + own[1][c]
    };
    x.iter().enumerate().map(norm).collect()
}

/// All indices below `shape`, in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &dim| {
        all.iter().flat_map(|i| (0..dim).map(move |d| [i.as_slice(), &[d]].concat())).collect()
    })
}

fn flat(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |at, (dim, i)| at * dim + i)
}

/// The element of `x` at a place that may lie outside of it.
fn at(x: &[f64], shape: &[usize], c: usize, y: isize, z: isize) -> Option<f64> {
    let inside = y >= 0 && z >= 0 && y < shape[1] as isize && z < shape[2] as isize;
    inside.then(|| x[flat(shape, &[c, y as usize, z as usize])])
}

fn one(op: &Op, operands: &[&[f64]], shapes: &[&[usize]], out_shape: &[usize], own: &[&[f64]]) -> Vec<f64> {
    let (x, shape) = (operands[0], shapes[0]);
    let each = |f: &dyn Fn(f64) -> f64| x.iter().map(|&x| f(x)).collect::<Vec<f64>>();
    match op {
        Op::Linear { out_features, bias } => (0..*out_features)
            .map(|o| {
                let b = if *bias { own[1][o] } else { 0.0 };
                b + (0..x.len()).map(|i| own[0][o * x.len() + i] * x[i]).sum::<f64>()
            })
            .collect(),
        Op::Conv2d { kernel, stride, padding, dilation, groups, bias, out_channels } => indices(out_shape)
            .iter()
            .map(|i| {
                let in_group = shape[0] / groups;
                let group = i[0] / (out_channels / groups);
                let mut sum = if *bias { own[1][i[0]] } else { 0.0 };
                for tap in indices(&[in_group, kernel.h, kernel.w]) {
                    let y = (i[1] * stride.h + tap[1] * dilation.h) as isize - padding.top as isize;
                    let z = (i[2] * stride.w + tap[2] * dilation.w) as isize - padding.left as isize;
                    let w = own[0][flat(
                        &[*out_channels, in_group, kernel.h, kernel.w],
                        &[i[0], tap[0], tap[1], tap[2]],
                    )];
                    sum += w * at(x, shape, group * in_group + tap[0], y, z).unwrap_or(0.0);
                }
                sum
            })
            .collect(),
        Op::MaxPool { kernel, stride, padding, .. } => indices(out_shape)
            .iter()
            .map(|i| {
                let cells = indices(&[kernel.h, kernel.w]).into_iter().filter_map(|k| {
                    let y = (i[1] * stride.h + k[0]) as isize - padding.top as isize;
                    let z = (i[2] * stride.w + k[1]) as isize - padding.left as isize;
                    at(x, shape, i[0], y, z)
                });
                cells.fold(f64::NEG_INFINITY, f64::max)
            })
            .collect(),
        Op::AvgPool { kernel, stride, padding, count_include_pad, .. } => indices(out_shape)
            .iter()
            .map(|i| {
                let (mut sum, mut inside, mut padded) = (0.0, 0, 0);
                for k in indices(&[kernel.h, kernel.w]) {
                    let (y, z) = (i[1] * stride.h + k[0], i[2] * stride.w + k[1]);
                    let within = y < padding.top + shape[1] + padding.bottom
                        && z < padding.left + shape[2] + padding.right;
                    padded += usize::from(within);
                    let (y, z) = (y as isize - padding.top as isize, z as isize - padding.left as isize);
                    if let Some(x) = at(x, shape, i[0], y, z) {
                        sum += x;
                        inside += 1;
                    }
                }
                sum / if *count_include_pad { padded } else { inside } as f64
            })
            .collect(),
        Op::GlobalAvgPool => {
            let plane = shape[1] * shape[2];
            x.chunks(plane).map(|p| p.iter().sum::<f64>() / plane as f64).collect()
        }
        Op::ScaleBias => {
            let plane: usize = shape[1..].iter().product();
            x.iter().enumerate().map(|(i, x)| x * own[0][i / plane] + own[1][i / plane]).collect()
        }
        Op::Relu => each(&|x| x.max(0.0)),
        Op::Sigmoid => each(&|x| 1.0 / (1.0 + (-x).exp())),
        Op::Tanh => each(&f64::tanh),
        Op::Softmax => {
            let plane: usize = shape[1..].iter().product();
            let total = |p: usize| (0..shape[0]).map(|c| x[c * plane + p].exp()).sum::<f64>();
            x.iter().enumerate().map(|(i, x)| x.exp() / total(i % plane)).collect()
        }
        Op::Add => x.iter().zip(operands[1]).map(|(a, b)| a + b).collect(),
        Op::Concat => operands.concat(),
        Op::Flatten | Op::Reshape { .. } | Op::Identity | Op::Dropout { .. } => x.to_vec(),
        Op::Slice { start, step, .. } => indices(out_shape)
            .iter()
            .map(|i| {
                let from: Vec<usize> =
                    i.iter().zip(start.iter().zip(step)).map(|(i, (a, s))| a + i * s).collect();
                x[flat(shape, &from)]
            })
            .collect(),
        Op::Pad { before, .. } => indices(out_shape)
            .iter()
            .map(|i| {
                let from: Option<Vec<usize>> = i.iter().zip(before).map(|(i, b)| i.checked_sub(*b)).collect();
                let from = from.filter(|f| f.iter().zip(shape).all(|(i, dim)| i < dim));
                from.map_or(0.0, |f| x[flat(shape, &f)])
            })
            .collect(),
        other => panic!("no reference for {}", other.name()),
    }
}
