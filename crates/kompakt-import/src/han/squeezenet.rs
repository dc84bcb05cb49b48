//! The network of the published SqueezeNet: version 1.0 for ImageNet, with the layer names of its
//! description.

use crate::han::error::HanError;
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use serde_json::{Value, json};

/// Channels that a fire module squeezes to; each of its two expanding layers has four times as many.
const SQUEEZED: [usize; 8] = [16, 16, 32, 32, 48, 48, 64, 64];
/// Mean of ImageNet's blue, green and red, out of 255.
const MEAN: [f64; 3] = [104.0, 117.0, 123.0];

/// The graph, and the preprocessing of an RGB image of 227 by 227: channels reversed, values 0 to 255, mean
/// subtracted.
///
/// Source: Iandola et al. 2016, "SqueezeNet", table 1.
pub fn squeezenet() -> Result<(Graph, Value), HanError> {
    let mut net = Builder { nodes: Vec::new() };
    let mut x = net.conv("conv1", 0, 96, 7, 2, 0);
    x = net.pool("pool1", x);
    for (i, &squeezed) in SQUEEZED.iter().enumerate() {
        let fire = format!("fire{}", i + 2);
        let few = net.conv(&format!("{fire}/conv1x1_1"), x, squeezed, 1, 1, 0);
        let one = net.conv(&format!("{fire}/conv1x1_2"), few, 4 * squeezed, 1, 1, 0);
        let three = net.conv(&format!("{fire}/conv3x3_2"), few, 4 * squeezed, 3, 1, 1);
        x = net.push(&format!("{fire}/concat"), Op::Concat, vec![one, three]);
        if i == 2 || i == 6 {
            x = net.pool(&format!("pool{}", i + 2), x);
        }
    }
    x = net.push("drop9", Op::Dropout { p: 0.5 }, vec![x]);
    x = net.conv("conv_final", x, 1000, 1, 1, 1);
    x = net.push("pool_final", Op::GlobalAvgPool, vec![x]);
    x = net.push("flatten", Op::Flatten, vec![x]);
    let input = Input { name: "data".into(), shape: vec![3, 227, 227] };
    let graph = Graph::new(vec![input], net.nodes, vec![x])?;
    let (mean, deviation) = (MEAN.map(|m| (m / 255.0) as f32), [(1.0 / 255.0) as f32; 3]);
    let steps = json!({ "input": [3, 227, 227], "steps": [
        { "step": "channels", "order": [2, 1, 0] },
        { "step": "normalize", "mean": mean, "std": deviation },
    ]});
    Ok((graph, steps))
}

struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    /// Appends a node and returns its value (value 0 is the input).
    fn push(&mut self, name: &str, op: Op, inputs: Vec<usize>) -> usize {
        self.nodes.push(Node { name: name.to_string(), op, inputs });
        self.nodes.len()
    }

    /// A convolution with its ReLU.
    fn conv(
        &mut self,
        name: &str,
        x: usize,
        out_channels: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> usize {
        let conv = Op::Conv2d {
            out_channels,
            kernel: Pair::square(kernel),
            stride: Pair::square(stride),
            padding: Padding::all(padding),
            dilation: Pair::square(1),
            groups: 1,
            bias: true,
        };
        let y = self.push(name, conv, vec![x]);
        let relu =
            name.rsplit_once('/').map_or(format!("relu_{name}"), |(fire, own)| format!("{fire}/relu_{own}"));
        self.push(&relu, Op::Relu, vec![y])
    }

    fn pool(&mut self, name: &str, x: usize) -> usize {
        let op = Op::MaxPool {
            kernel: Pair::square(3),
            stride: Pair::square(2),
            padding: Padding::default(),
            ceil_mode: true,
        };
        self.push(name, op, vec![x])
    }
}
