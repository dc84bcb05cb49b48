//! Runs a network slowly and plainly, in double precision: the expected results of self-tests and tests.
//!
//! ```text
//! graph, inputs, parameters ──► value by value, each operator as the text of the interchange defines it ──► outputs
//! ```
//!
//! It shares no code with the loader, so that it is an independent check. What is not here: speed.

mod channels;
mod elements;
mod functions;
mod indices;
mod recurrent;
mod windows;

use channels::{linear, per_channel, softmax};
use elements::{elements, gather, pairwise, resize};
use kompakt_graph::{Graph, Op};
use windows::{convolution, pool};

/// A value: its shape, batch left out, and its elements, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: Vec<f64>,
}

/// The outputs of `graph` on `inputs`, which have the graph's input shapes.
///
/// `parameter` returns the parameter of that index, row-major, zeros included.
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
        Op::Unary { function } => map(&|v| functions::unary(*function, v)),
        Op::Binary { function } => pairwise(x, operands[1], shape, |a, b| functions::binary(*function, a, b)),
        Op::Select => {
            let repeated = |v: &Value| elements(shape, &v.shape, |i, d| i[d].min(v.shape[d] - 1), &v.data);
            let (c, a, b) = (repeated(x), repeated(operands[1]), repeated(operands[2]));
            (0..c.len()).map(|i| if c[i] == 0.0 { b[i] } else { a[i] }).collect()
        }
        Op::Reduce { function, axes } => functions::reduce(*function, axes, x),
        Op::MatMul => indices::mat_mul(x, operands[1], shape),
        Op::Constant { .. } => params[0].to_vec(),
        Op::Embedding { rows, features } => indices::take(params[0], &[*rows, *features], 0, &x.data),
        Op::Take { axis } => indices::take(&x.data, &x.shape, *axis, &operands[1].data),
        Op::Scatter { update } => indices::scatter(*update, x, operands[1], operands[2]),
        Op::TopK { axis, k, largest, indices } => indices::top_k(x, *axis, *k, *largest, *indices),
        Op::Recurrent { cell, hidden, reverse } => {
            recurrent::states(*cell, *hidden, *reverse, [x, operands[1], operands[2]], params)
        }
        Op::Concat => operands.iter().flat_map(|o| &o.data).copied().collect(),
        Op::Slice { start, step, .. } => {
            gather(shape, |i, d| Some(start[d] + i * step[d]), &x.shape, &x.data)
        }
        Op::Pad { before, .. } => gather(shape, |i, d| i.checked_sub(before[d]), &x.shape, &x.data),
        Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } | Op::Identity => x.data.clone(),
    }
}
