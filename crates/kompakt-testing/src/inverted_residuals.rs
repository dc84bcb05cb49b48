//! A network of inverted residuals that covers all ways in which convolutions are run.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};

/// Nodes, each reading values by number; value 0 is the input.
struct Nodes(Vec<Node>);

impl Nodes {
    fn push(&mut self, op: Op, inputs: Vec<usize>) -> usize {
        self.0.push(Node { name: format!("n{}", self.0.len()), op, inputs });
        self.0.len()
    }

    fn conv(&mut self, x: usize, channels: usize, kernel: usize, stride: usize, groups: usize) -> usize {
        let op = Op::Conv2d {
            out_channels: channels,
            kernel: Pair::square(kernel),
            stride: Pair::square(stride),
            padding: Padding::all(kernel / 2),
            dilation: Pair::square(1),
            groups,
            bias: true,
        };
        self.push(op, vec![x])
    }

    fn clip(&mut self, x: usize) -> usize {
        self.push(Op::Clip { low: 0.0, high: 1.0 }, vec![x])
    }

    /// Expansion, depthwise convolution, projection.
    fn block(&mut self, x: usize, hidden: usize, out: usize, kernel: usize, stride: usize) -> usize {
        let x = self.conv(x, hidden, 1, 1, 1);
        let x = self.clip(x);
        let x = self.conv(x, hidden, kernel, stride, hidden);
        let x = self.clip(x);
        self.conv(x, out, 1, 1, 1)
    }
}

/// `[3, size, size]` in; planes before the last block out, and five classes.
pub fn inverted_residuals(size: usize) -> Graph {
    let mut nodes = Nodes(Vec::new());
    let x = nodes.conv(0, 8, 3, 2, 1);
    let first = nodes.clip(x);
    let x = nodes.block(first, 24, 8, 3, 1);
    let sum = nodes.push(Op::Add, vec![x, first]);
    let x = nodes.block(sum, 40, 16, 5, 2);
    // A hidden value with a second reader, and two channels out of each.
    let wide = nodes.conv(x, 20, 1, 1, 1);
    let twice = nodes.conv(wide, 40, 3, 1, 20);
    let x = nodes.push(Op::Concat, vec![twice, wide]);
    let planes = nodes.conv(x, 12, 1, 1, 1);
    let x = nodes.block(planes, 36, 16, 3, 1);
    let x = nodes.push(Op::GlobalAvgPool, vec![x]);
    let x = nodes.push(Op::Flatten, vec![x]);
    let classes = nodes.push(Op::Linear { out_features: 5, bias: true }, vec![x]);
    let input = Input { name: "input".into(), shape: vec![3, size, size] };
    Graph::new(vec![input], nodes.0, vec![planes, classes]).unwrap()
}
