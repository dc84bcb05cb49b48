//! Backward pass: from gradients of a node's output to gradients of its inputs and weights.
//!
//! ```text
//! dL/dy  ──►  dL/dx  for each input x of a node, and for a layer dL/dW
//! ```
//!
//! Every operator of a graph has its gradient here; the forward pass is the loader's.

mod recurrent;
mod slopes;
mod values;

use crate::{
    product::{Matrix, add_product},
    window::Window,
};
use kompakt_graph::{Op, Pair};

/// A node with its inputs and outputs from a forward pass of one image. Shapes leave out the batch.
pub(crate) struct Step<'s> {
    pub(crate) op: &'s Op,
    /// One per input.
    pub(crate) inputs: Vec<&'s [f32]>,
    pub(crate) shapes: Vec<&'s [usize]>,
    pub(crate) output: &'s [f32],
    pub(crate) shape: &'s [usize],
    /// The node's parameters, in the graph's order.
    pub(crate) params: &'s [Vec<f32>],
}

impl Step<'_> {
    /// One gradient per input, row-major; `dy` is that of the output.
    pub(crate) fn back(&self, dy: &[f32]) -> Vec<Vec<f32>> {
        let y = self.output;
        let x = self.inputs[0];
        // `slope` of the input's element `i`.
        let local = |slope: &dyn Fn(usize) -> f32| vec![(0..dy.len()).map(|i| dy[i] * slope(i)).collect()];
        let within = |is_inside: bool, slope: f32| if is_inside { slope } else { 0.0 };
        match self.op {
            Op::Linear { out_features, .. } => {
                let mut dx = vec![0.0; x.len()];
                let w = Matrix::rows(&self.params[0], x.len());
                add_product(Matrix::rows(dy, *out_features), w, [1, *out_features, x.len()], &mut dx);
                vec![dx]
            }
            Op::Conv2d { .. } => self.window().map_or_else(Vec::new, |w| vec![w.back(&self.params[0], dy)]),
            Op::BatchNorm { eps } => {
                let scale = |c: usize| self.params[0][c] / (self.params[3][c] + eps).sqrt();
                local(&|i| scale(self.channel(i)))
            }
            Op::ScaleBias => local(&|i| self.params[0][self.channel(i)]),
            Op::Prelu => local(&|i| if x[i] < 0.0 { self.params[0][self.channel(i)] } else { 1.0 }),
            Op::MaxPool { kernel, stride, padding, .. } => {
                self.pooled(*kernel, *stride, [padding.top, padding.left], |cells, _, at, dx| {
                    // The first cell that holds the largest value.
                    if let Some(&cell) = cells.iter().find(|&&c| x[c] == y[at]) {
                        dx[cell] += dy[at];
                    }
                })
            }
            Op::AvgPool { kernel, stride, padding, count_include_pad, .. } => {
                let end = [padding.bottom, padding.right];
                self.pooled(*kernel, *stride, [padding.top, padding.left], |cells, start, at, dx| {
                    let [_, h, w] = self.planes();
                    let padded = |d: usize, n: usize, before: usize, k: usize| {
                        (start[d] + k).min(n + before + end[d]) - start[d]
                    };
                    let n = if *count_include_pad {
                        padded(0, h, padding.top, kernel.h) * padded(1, w, padding.left, kernel.w)
                    } else {
                        cells.len()
                    };
                    cells.iter().for_each(|&c| dx[c] += dy[at] / n.max(1) as f32);
                })
            }
            Op::GlobalAvgPool => {
                let area = x.len() / self.shapes[0][0];
                vec![(0..x.len()).map(|i| dy[i / area] / area as f32).collect()]
            }
            Op::Relu => local(&|i| within(x[i] > 0.0, 1.0)),
            Op::Clip { low, high } => local(&|i| within(x[i] > *low && x[i] < *high, 1.0)),
            Op::LeakyRelu { slope } => local(&|i| if x[i] < 0.0 { *slope } else { 1.0 }),
            Op::Sigmoid => local(&|i| y[i] * (1.0 - y[i])),
            Op::Tanh => local(&|i| 1.0 - y[i] * y[i]),
            Op::HardSigmoid { slope, .. } => local(&|i| within(y[i] > 0.0 && y[i] < 1.0, *slope)),
            Op::HardSwish => local(&|i| match x[i] {
                x if x <= -3.0 => 0.0,
                x if x >= 3.0 => 1.0,
                x => x / 3.0 + 0.5,
            }),
            Op::Silu => local(&|i| {
                let s = 1.0 / (1.0 + (-x[i]).exp());
                s + y[i] * (1.0 - s)
            }),
            Op::Scale { factor, .. } => local(&|_| *factor),
            Op::Softmax | Op::LogSoftmax => vec![self.softmax(dy)],
            Op::LocalResponseNorm { size, alpha, beta, bias } => {
                vec![self.response_norm(dy, *size, [*alpha, *beta, *bias])]
            }
            Op::Add => self.paired(dy, |_, _| [1.0, 1.0]),
            Op::Sub => self.paired(dy, |_, _| [1.0, -1.0]),
            Op::Mul => self.paired(dy, |a, b| [b, a]),
            Op::Div => self.paired(dy, |a, b| [1.0 / b, -a / (b * b)]),
            Op::Concat => {
                let mut rest = dy;
                let part = |x: &&[f32]| {
                    let (own, after) = rest.split_at(x.len());
                    rest = after;
                    own.to_vec()
                };
                self.inputs.iter().map(part).collect()
            }
            Op::Slice { start, step, .. } => self.moved(dy, |i, d| Some(start[d] + i[d] * step[d])),
            Op::Pad { before, .. } => self.moved(dy, |i, d| i[d].checked_sub(before[d])),
            Op::Spread { step } => {
                let step = [1, step.h, step.w];
                self.moved(dy, |i, d| i[d].is_multiple_of(step[d]).then(|| i[d] / step[d]))
            }
            Op::Transpose { axes } => {
                let place = |d: usize| axes.iter().position(|&a| a == d).unwrap_or(d);
                self.moved(dy, |i, d| Some(i[place(d)]))
            }
            Op::Gather { axis, indices } => {
                self.moved(dy, |i, d| Some(if d == *axis { indices[i[d]] } else { i[d] }))
            }
            Op::Resize { step, offset, .. } => vec![self.resized(dy, *step, *offset)],
            Op::Unary { function } => local(&|i| slopes::unary(*function, x[i], y[i])),
            Op::Binary { function } => self.paired(dy, |a, b| slopes::binary(*function, a, b)),
            Op::Select => self.selected(dy),
            Op::Reduce { function, axes } => vec![self.reduced(dy, *function, axes)],
            Op::MatMul => self.multiplied(dy),
            // Indices have no gradient, and a constant has no inputs.
            Op::Constant { .. } | Op::Embedding { .. } => vec![vec![0.0; x.len()]],
            Op::Recurrent { cell, hidden, reverse } => self.through_time(dy, *cell, *hidden, *reverse).0,
            Op::Take { axis } => self.taken(dy, *axis),
            Op::Scatter { update } => self.scattered(dy, *update),
            Op::TopK { axis, k, largest, indices } => vec![self.largest(dy, *axis, *k, *largest, *indices)],
            Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } | Op::Identity => vec![dy.to_vec()],
        }
    }

    /// The gradient of a layer's weights for one image, `[out, in]` row-major; empty for other nodes.
    pub(crate) fn weights(&self, dy: &[f32]) -> Vec<f32> {
        match self.op {
            Op::Linear { .. } => dy.iter().flat_map(|d| self.inputs[0].iter().map(move |x| d * x)).collect(),
            Op::Embedding { rows, features } => self.rows_taken(dy, *rows, *features),
            Op::Recurrent { cell, hidden, reverse } => self.through_time(dy, *cell, *hidden, *reverse).1,
            Op::Conv2d { .. } => self.window().map_or_else(Vec::new, |w| w.weights(self.inputs[0], dy)),
            Op::BatchNorm { .. }
            | Op::ScaleBias
            | Op::MaxPool { .. }
            | Op::AvgPool { .. }
            | Op::GlobalAvgPool
            | Op::Relu
            | Op::Sigmoid
            | Op::Tanh
            | Op::Softmax
            | Op::Add
            | Op::Concat
            | Op::Flatten
            | Op::Reshape { .. }
            | Op::Dropout { .. }
            | Op::Identity
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Mul
            | Op::Sub
            | Op::Div
            | Op::Scale { .. }
            | Op::Clip { .. }
            | Op::LeakyRelu { .. }
            | Op::Prelu
            | Op::HardSigmoid { .. }
            | Op::HardSwish
            | Op::Silu
            | Op::LogSoftmax
            | Op::Transpose { .. }
            | Op::Gather { .. }
            | Op::Resize { .. }
            | Op::LocalResponseNorm { .. }
            | Op::Spread { .. }
            | Op::Unary { .. }
            | Op::Binary { .. }
            | Op::Select
            | Op::Reduce { .. }
            | Op::MatMul
            | Op::Constant { .. }
            | Op::Take { .. }
            | Op::Scatter { .. }
            | Op::TopK { .. } => Vec::new(),
        }
    }

    /// The sum of squares of each row of [`weights`](Self::weights).
    pub(crate) fn row_squares(&self, dy: &[f32]) -> Vec<f64> {
        let square = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        if let Op::Linear { .. } = self.op {
            let x = square(self.inputs[0]);
            return dy.iter().map(|d| f64::from(*d).powi(2) * x).collect();
        }
        if let Op::Embedding { rows, features } = self.op {
            return self.squares_of_rows_taken(dy, *rows, *features);
        }
        let weights = self.weights(dy);
        let n_rows = if let Op::Recurrent { cell, hidden, .. } = self.op {
            cell.n_gates() * hidden
        } else {
            self.shape[0]
        };
        weights.chunks((weights.len() / n_rows).max(1)).map(square).collect()
    }

    fn window(&self) -> Option<Window> {
        Window::new(self.op, self.shapes[0], self.shape)
    }

    /// Channels, height and width of the input; missing dimensions are 1.
    fn planes(&self) -> [usize; 3] {
        let dim = |d: usize| self.shapes[0].get(d).copied().unwrap_or(1);
        [dim(0), dim(1), dim(2)]
    }

    fn channel(&self, i: usize) -> usize {
        i / (self.inputs[0].len() / self.shapes[0][0]).max(1)
    }

    /// Visits every window of a pool: its cells inside, where it starts in the padded image, its output
    /// index.
    fn pooled(
        &self,
        kernel: Pair,
        stride: Pair,
        before: [usize; 2],
        mut visit: impl FnMut(&[usize], [usize; 2], usize, &mut [f32]),
    ) -> Vec<Vec<f32>> {
        let [channels, h, w] = self.planes();
        let (oh, ow) = (self.shape[1], self.shape[2]);
        let mut dx = vec![0.0; self.inputs[0].len()];
        let mut cells = Vec::new();
        for at in 0..channels * oh * ow {
            let start = [at / ow % oh * stride.h, at % ow * stride.w];
            let range = |d: usize, k: usize, n: usize| {
                start[d].saturating_sub(before[d])..(start[d] + k).saturating_sub(before[d]).min(n)
            };
            cells.clear();
            for y in range(0, kernel.h, h) {
                cells.extend(range(1, kernel.w, w).map(|x| (at / (oh * ow) * h + y) * w + x));
            }
            visit(&cells, start, at, &mut dx);
        }
        vec![dx]
    }

    /// Of two broadcast inputs: `slopes` from their elements.
    fn paired(&self, dy: &[f32], slopes: impl Fn(f32, f32) -> [f32; 2]) -> Vec<Vec<f32>> {
        let (a, b) = (self.inputs[0], self.inputs[1]);
        let (mut da, mut db) = (vec![0.0; a.len()], vec![0.0; b.len()]);
        let mut add = |i: usize, j: usize, d: f32| {
            let [sa, sb] = slopes(a[i], b[j]);
            da[i] += d * sa;
            db[j] += d * sb;
        };
        if a.len() == dy.len() && b.len() == dy.len() {
            dy.iter().enumerate().for_each(|(i, &d)| add(i, i, d));
        } else {
            let place = |index: &[usize], from: &[usize]| {
                (0..from.len()).fold(0, |at, d| at * from[d] + index[d].min(from[d] - 1))
            };
            each_index(self.shape, |at, index| {
                add(place(index, self.shapes[0]), place(index, self.shapes[1]), dy[at]);
            });
        }
        vec![da, db]
    }

    /// Of operators that move elements: `source` maps an index of the output, along a dimension, to one of
    /// the input.
    fn moved(&self, dy: &[f32], source: impl Fn(&[usize], usize) -> Option<usize>) -> Vec<Vec<f32>> {
        let from = self.shapes[0];
        let mut dx = vec![0.0; self.inputs[0].len()];
        each_index(self.shape, |at, index| {
            let place = (0..from.len()).try_fold(0, |place, d| {
                source(index, d).filter(|&i| i < from[d]).map(|i| place * from[d] + i)
            });
            if let Some(place) = place {
                dx[place] += dy[at];
            }
        });
        vec![dx]
    }

    fn softmax(&self, dy: &[f32]) -> Vec<f32> {
        let y = self.output;
        let area = (y.len() / self.shape[0]).max(1);
        let is_log = matches!(self.op, Op::LogSoftmax);
        let mut dx = vec![0.0; y.len()];
        for at in 0..area {
            let column = || (at..y.len()).step_by(area);
            let sum: f32 = column().map(|i| if is_log { dy[i] } else { dy[i] * y[i] }).sum();
            column()
                .for_each(|i| dx[i] = if is_log { dy[i] - y[i].exp() * sum } else { y[i] * (dy[i] - sum) });
        }
        dx
    }

    fn response_norm(&self, dy: &[f32], size: usize, [alpha, beta, bias]: [f32; 3]) -> Vec<f32> {
        let (x, y) = (self.inputs[0], self.output);
        let channels = self.shapes[0][0];
        let area = x.len() / channels;
        let factor = alpha / size as f32;
        let norm = |c: usize, at: usize| {
            let window = c.saturating_sub((size - 1) / 2)..(c + size / 2 + 1).min(channels);
            bias + factor * window.map(|k| x[k * area + at].powi(2)).sum::<f32>()
        };
        let norms: Vec<f32> = (0..x.len()).map(|i| norm(i / area, i % area)).collect();
        let own = |i: usize| {
            let (c, at) = (i / area, i % area);
            // The channels in whose windows this one is.
            let window = c.saturating_sub(size / 2)..(c + (size - 1) / 2 + 1).min(channels);
            let through: f32 = window.map(|k| k * area + at).map(|j| dy[j] * y[j] / norms[j]).sum();
            dy[i] * norms[i].powf(-beta) - 2.0 * factor * beta * x[i] * through
        };
        (0..x.len()).map(own).collect()
    }

    fn resized(&self, dy: &[f32], step: [f32; 2], offset: [f32; 2]) -> Vec<f32> {
        let [channels, h, w] = self.planes();
        let (oh, ow) = (self.shape[1], self.shape[2]);
        let mut dx = vec![0.0; channels * h * w];
        let place = |i: usize, d: usize, n: usize| {
            let p = (i as f32 * step[d] + offset[d]).clamp(0.0, (n - 1) as f32);
            let low = p.floor() as usize;
            [(low, 1.0 - p.fract()), ((low + 1).min(n - 1), p.fract())]
        };
        for (at, dy) in dy.iter().enumerate() {
            for (y, fy) in place(at / ow % oh, 0, h) {
                for (x, fx) in place(at % ow, 1, w) {
                    dx[(at / (oh * ow) * h + y) * w + x] += dy * fy * fx;
                }
            }
        }
        dx
    }
}

/// All indices of a shape, with their offset.
fn each_index(shape: &[usize], mut visit: impl FnMut(usize, &[usize])) {
    let mut index = vec![0; shape.len()];
    for at in 0..shape.iter().product() {
        visit(at, &index);
        for d in (0..shape.len()).rev() {
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Graph, Input, Node};
    use kompakt_pack::reference::evaluate;

    fn numbers(n: usize, from: usize) -> Vec<f32> {
        (0..n).map(|i| ((((i + from) * 7919 + 13) % 997) as f32 / 498.5 - 1.0) * 1.3).collect()
    }

    /// Gradients of `Σ v y` for inputs and weights against finite differences of an evaluation in double
    /// precision.
    fn check(op: Op, shapes: &[&[usize]]) {
        let inputs =
            shapes.iter().enumerate().map(|(i, s)| Input { name: format!("x{i}"), shape: s.to_vec() });
        let node = Node { name: "node".into(), op: op.clone(), inputs: (0..shapes.len()).collect() };
        let graph = Graph::new(inputs.collect(), vec![node], vec![shapes.len()]).unwrap();
        let data: Vec<Vec<f32>> =
            shapes.iter().enumerate().map(|(i, s)| numbers(s.iter().product(), 17 * i)).collect();
        let params: Vec<Vec<f32>> = graph
            .params()
            .iter()
            .enumerate()
            .map(|(i, p)| numbers(p.len(), 101 * i).iter().map(|v| v.abs() + 0.2).collect())
            .collect();
        let run = |data: &[Vec<f32>], params: &[Vec<f32>]| -> Vec<f64> {
            let wide = |v: &Vec<f32>| v.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
            let params: Vec<Vec<f64>> = params.iter().map(wide).collect();
            evaluate(&graph, data.iter().map(wide).collect(), &|i| &params[i]).remove(0).data
        };
        let output: Vec<f32> = run(&data, &params).iter().map(|&v| v as f32).collect();
        let v = numbers(output.len(), 5);
        let step = Step {
            op: &op,
            inputs: data.iter().map(Vec::as_slice).collect(),
            shapes: shapes.to_vec(),
            output: &output,
            shape: graph.shape(shapes.len()),
            params: &params,
        };
        let value = |y: Vec<f64>| -> f64 { y.iter().zip(&v).map(|(y, v)| y * f64::from(*v)).sum() };
        let compare = |what: &str, found: &[f32], changed: &dyn Fn(usize, f32) -> f64| {
            for (i, found) in found.iter().enumerate() {
                let h = 1.0 / 4096.0;
                let slope = (changed(i, h) - changed(i, -h)) / (2.0 * f64::from(h));
                let near = (f64::from(*found) - slope).abs() < 2e-3 * (1.0 + slope.abs());
                assert!(near, "{}: {what} {i}: {found}, {slope} by differences", op.name());
            }
        };
        for (k, dx) in step.back(&v).iter().enumerate() {
            assert_eq!(dx.len(), data[k].len());
            compare("input", dx, &|i, h| {
                let mut data = data.clone();
                data[k][i] += h;
                value(run(&data, &params))
            });
        }
        compare("weight", &step.weights(&v), &|i, h| {
            let mut params = params.clone();
            params[0][i] += h;
            value(run(&data, &params))
        });
    }

    #[test]
    fn gradients_of_every_operator_as_differences_say() {
        let ops = |json: &str| serde_json::from_str::<Op>(json).unwrap();
        let image: &[usize] = &[4, 5, 6];
        for json in [
            r#"{"op":"conv2d","out_channels":6,"kernel":3,"padding":1}"#,
            r#"{"op":"conv2d","out_channels":4,"kernel":[3,2],"stride":[2,1],"padding":[1,0,2,1],"dilation":[1,2]}"#,
            r#"{"op":"conv2d","out_channels":8,"kernel":3,"stride":2,"padding":1,"groups":4}"#,
            r#"{"op":"conv2d","out_channels":3,"kernel":1}"#,
            r#"{"op":"conv2d","out_channels":2,"kernel":1,"stride":2,"groups":2,"bias":false}"#,
            r#"{"op":"batch_norm"}"#,
            r#"{"op":"scale_bias"}"#,
            r#"{"op":"max_pool","kernel":3,"stride":2,"padding":1}"#,
            r#"{"op":"avg_pool","kernel":3,"stride":2,"padding":1}"#,
            r#"{"op":"avg_pool","kernel":2,"stride":2,"padding":1,"count_include_pad":false,"ceil_mode":true}"#,
            r#"{"op":"avg_pool","kernel":3,"stride":2,"ceil_mode":true}"#,
            r#"{"op":"global_avg_pool"}"#,
            r#"{"op":"relu"}"#,
            r#"{"op":"sigmoid"}"#,
            r#"{"op":"tanh"}"#,
            r#"{"op":"softmax"}"#,
            r#"{"op":"log_softmax"}"#,
            r#"{"op":"flatten"}"#,
            r#"{"op":"slice","start":[1,0,2],"end":[4,5,6],"step":[2,1,3]}"#,
            r#"{"op":"pad","before":[0,1,2],"after":[1,0,1]}"#,
            r#"{"op":"scale","factor":0.7,"offset":0.1}"#,
            r#"{"op":"clip","low":-0.5,"high":0.9}"#,
            r#"{"op":"leaky_relu","slope":0.1}"#,
            r#"{"op":"prelu"}"#,
            r#"{"op":"hard_sigmoid","slope":0.9,"offset":0.5}"#,
            r#"{"op":"hard_swish"}"#,
            r#"{"op":"silu"}"#,
            r#"{"op":"transpose","axes":[2,0,1]}"#,
            r#"{"op":"gather","axis":1,"indices":[4,0,0,2]}"#,
            r#"{"op":"resize","size":[9,4],"step":[0.5,1.5],"offset":[-0.25,0.3]}"#,
            r#"{"op":"local_response_norm","size":3,"alpha":0.6,"beta":0.75,"bias":1.0}"#,
            r#"{"op":"local_response_norm","size":2,"alpha":0.6,"beta":0.5,"bias":2.0}"#,
            r#"{"op":"spread","step":[2,3]}"#,
        ] {
            check(ops(json), &[image]);
        }
        check(ops(r#"{"op":"linear","out_features":5}"#), &[&[7]]);
        for name in ["add", "sub", "mul"] {
            check(ops(&format!(r#"{{"op":"{name}"}}"#)), &[image, image]);
            check(ops(&format!(r#"{{"op":"{name}"}}"#)), &[image, &[4, 1, 1]]);
        }
        check(ops(r#"{"op":"concat"}"#), &[image, &[2, 5, 6]]);
        for function in
            ["abs", "exp", "sin", "cos", "atan", "sinh", "cosh", "asinh", "erf", "gelu", "softplus"]
        {
            check(ops(&format!(r#"{{"op":"unary","function":"{function}"}}"#)), &[image]);
        }
        for function in ["max", "min"] {
            check(ops(&format!(r#"{{"op":"binary","function":"{function}"}}"#)), &[image, &[4, 1, 6]]);
        }
        for function in ["sum", "mean", "max", "min", "product"] {
            check(ops(&format!(r#"{{"op":"reduce","function":"{function}","axes":[0,2]}}"#)), &[&[2, 3, 2]]);
        }
        check(ops(r#"{"op":"select"}"#), &[&[4, 1, 1], image, &[1, 5, 6]]);
        check(ops(r#"{"op":"mat_mul"}"#), &[&[2, 1, 3, 4], &[1, 3, 4, 5]]);
        check(ops(r#"{"op":"mat_mul"}"#), &[&[3, 4], &[4, 2]]);
        check(ops(r#"{"op":"top_k","axis":1,"k":2}"#), &[image]);
        for (cell, gates) in [("lstm", 4), ("gru", 3), ("gru_reset_first", 3), ("tanh", 1)] {
            for reverse in [false, true] {
                let op =
                    ops(&format!(r#"{{"op":"recurrent","cell":"{cell}","hidden":3,"reverse":{reverse}}}"#));
                check(op, &[&[4, 2, gates * 3], &[2, 3], &[2, 3]]);
            }
        }
        check(ops(r#"{"op":"embedding","rows":3,"features":4}"#), &[&[5]]);
        check(ops(r#"{"op":"take","axis":1}"#), &[image, &[2, 3]]);
        check(ops(r#"{"op":"scatter","update":"add"}"#), &[&[4, 3], &[5], &[5, 3]]);
        check(ops(r#"{"op":"scatter","update":"set"}"#), &[&[4, 3], &[5], &[5, 3]]);
    }

    /// A quotient's slopes, where no divisor is near 0.
    #[test]
    fn gradients_of_a_quotient() {
        let (a, b, dy) = ([3.0, -2.0], [2.0, 4.0], [1.0, 10.0]);
        let step = Step {
            op: &Op::Div,
            inputs: vec![&a, &b],
            shapes: vec![&[2], &[2]],
            output: &[1.5, -0.5],
            shape: &[2],
            params: &[],
        };
        assert_eq!(step.back(&dy), [vec![0.5, 2.5], vec![-0.75, 1.25]]);
    }
}
