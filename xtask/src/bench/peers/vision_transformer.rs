//! DeiT-S (Touvron 2021): a vision transformer with 12 layers of width 384 and 6 heads, without a token for distillation.
//!
//! Values of a layer are `[384, 197, 1]`: channels first, as `kompakt-import` arranges them, so that a linear layer of every
//! token is a 1x1 convolution, and a scale of every channel is one operator.

use anyhow::Result;
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair, Reduction, UnaryFunction};

const WIDTH: usize = 384;
const HEADS: usize = 6;
const LAYERS: usize = 12;
const SIDE: usize = 224;
const PATCH: usize = 16;
/// Patches and the token for the class.
const TOKENS: usize = (SIDE / PATCH) * (SIDE / PATCH) + 1;

pub(super) fn deit_s() -> Result<Graph> {
    let mut net = Growing { nodes: Vec::new() };
    let patches = net.push(conv(WIDTH, PATCH), &[0]);
    let columns = net.push(Op::Reshape { shape: vec![WIDTH, TOKENS - 1] }, &[patches]);
    let rows = net.push(Op::Transpose { axes: vec![1, 0] }, &[columns]);
    let class = net.push(Op::Constant { shape: vec![1, WIDTH] }, &[0]);
    let rows = net.push(Op::Concat, &[class, rows]);
    let columns = net.push(Op::Transpose { axes: vec![1, 0] }, &[rows]);
    let tokens = net.push(Op::Reshape { shape: vec![WIDTH, TOKENS, 1] }, &[columns]);
    let places = net.push(Op::Constant { shape: vec![WIDTH, TOKENS, 1] }, &[0]);
    let mut x = net.push(Op::Add, &[tokens, places]);
    for _ in 0..LAYERS {
        let normed = net.norm(x);
        let y = net.attention(normed);
        x = net.push(Op::Add, &[x, y]);
        let normed = net.norm(x);
        let wide = net.push(conv(4 * WIDTH, 1), &[normed]);
        let wide = net.push(Op::Unary { function: UnaryFunction::Gelu }, &[wide]);
        let y = net.push(conv(WIDTH, 1), &[wide]);
        x = net.push(Op::Add, &[x, y]);
    }
    let x = net.norm(x);
    let slice = Op::Slice { start: vec![0, 0, 0], end: vec![WIDTH, 1, 1], step: vec![1, 1, 1] };
    let class = net.push(slice, &[x]);
    let flat = net.push(Op::Flatten, &[class]);
    let y = net.push(Op::Linear { out_features: 1000, bias: true }, &[flat]);
    let input = Input { name: "input".into(), shape: vec![3, SIDE, SIDE] };
    Ok(Graph::new(vec![input], net.nodes, vec![y])?)
}

/// A convolution whose stride is its kernel.
fn conv(out_channels: usize, kernel: usize) -> Op {
    Op::Conv2d {
        out_channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(kernel),
        padding: Padding::default(),
        dilation: Pair::square(1),
        groups: 1,
        bias: true,
    }
}

/// Nodes under construction; value 0 is the input.
struct Growing {
    nodes: Vec<Node>,
}

impl Growing {
    fn push(&mut self, op: Op, inputs: &[usize]) -> usize {
        let name = format!("{}{}", op.name(), self.nodes.len());
        self.nodes.push(Node { name, op, inputs: inputs.to_vec() });
        self.nodes.len()
    }

    fn mean(&mut self, x: usize) -> usize {
        self.push(Op::Reduce { function: Reduction::Mean, axes: vec![0] }, &[x])
    }

    fn norm(&mut self, x: usize) -> usize {
        let mean = self.mean(x);
        let centred = self.push(Op::Sub, &[x, mean]);
        let squares = self.push(Op::Mul, &[centred, centred]);
        let variance = self.mean(squares);
        let above_zero = self.push(Op::Scale { factor: 1.0, offset: 1e-6 }, &[variance]);
        let deviation = self.push(Op::Unary { function: UnaryFunction::Sqrt }, &[above_zero]);
        let normed = self.push(Op::Div, &[centred, deviation]);
        self.push(Op::ScaleBias, &[normed])
    }

    fn attention(&mut self, x: usize) -> usize {
        let inner = WIDTH / HEADS;
        let [query, key, value] = [0; 3].map(|_| {
            let y = self.push(conv(WIDTH, 1), &[x]);
            self.push(Op::Reshape { shape: vec![HEADS, inner, TOKENS] }, &[y])
        });
        let key = self.push(Op::Transpose { axes: vec![0, 2, 1] }, &[key]);
        let scores = self.push(Op::MatMul, &[key, query]);
        let scores = self.push(Op::Scale { factor: (inner as f32).sqrt().recip(), offset: 0.0 }, &[scores]);
        // By key, for each head and query: softmax is over the first dimension.
        let by_key = self.push(Op::Transpose { axes: vec![1, 0, 2] }, &[scores]);
        let shares = self.push(Op::Softmax, &[by_key]);
        let shares = self.push(Op::Transpose { axes: vec![1, 0, 2] }, &[shares]);
        let y = self.push(Op::MatMul, &[value, shares]);
        let y = self.push(Op::Reshape { shape: vec![WIDTH, TOKENS, 1] }, &[y]);
        self.push(conv(WIDTH, 1), &[y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of parameters that its authors state, 22 million.
    #[test]
    fn it_has_as_many_parameters_as_published() {
        let graph = deit_s().unwrap();
        let n: usize = graph.params().iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(n, 22_050_664);
    }
}
