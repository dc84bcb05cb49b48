//! The networks that come with kompakt, as graphs without weights.

use crate::{
    error::GraphError,
    graph::{Graph, Input, Node},
    op::{Op, Padding, Pair},
};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// The names that [`by_name`] knows.
pub const NAMES: [&str; 4] = ["lenet-300-100", "lenet5", "resnet20", "mlp"];

/// The network of that name for an input of shape `input` and `classes` classes, or `None` for an unknown name.
pub fn by_name(name: &str, input: &[usize], classes: usize) -> Option<Result<Graph, GraphError>> {
    Some(match name {
        "lenet-300-100" => mlp(input, &[300, 100], classes),
        "lenet5" => lenet5(input, classes),
        "resnet20" => cifar_resnet(input, 3, classes),
        "mlp" => mlp(input, &[64], classes),
        _ => return None,
    })
}

/// Linear layers with ReLU between them; LeNet-300-100 with `hidden = [300, 100]`. Source: LeCun 1998.
pub fn mlp(input: &[usize], hidden: &[usize], classes: usize) -> Result<Graph, GraphError> {
    let mut ops = vec![];
    if input.len() > 1 {
        ops.push(Op::Flatten);
    }
    for &out_features in hidden {
        ops.push(Op::Linear { out_features, bias: true });
        ops.push(Op::Relu);
    }
    ops.push(Op::Linear { out_features: classes, bias: true });
    Graph::chain(input, ops)
}

/// LeNet-5 as Caffe's example and Han 2015 have it: convolutions of 20 and 50 channels, each followed by a pool
/// and no activation, 500 hidden units with ReLU. 431,080 parameters on `[1, 28, 28]` and ten classes.
pub fn lenet5(input: &[usize], classes: usize) -> Result<Graph, GraphError> {
    let conv = |out_channels| Op::Conv2d {
        out_channels,
        kernel: Pair::square(5),
        stride: Pair::square(1),
        padding: Padding::default(),
        dilation: Pair::square(1),
        groups: 1,
        bias: true,
    };
    let pool = Op::MaxPool {
        kernel: Pair::square(2),
        stride: Pair::square(2),
        padding: Padding::default(),
        ceil_mode: false,
    };
    Graph::chain(
        input,
        vec![
            conv(20),
            pool.clone(),
            conv(50),
            pool,
            Op::Flatten,
            Op::Linear { out_features: 500, bias: true },
            Op::Relu,
            Op::Linear { out_features: classes, bias: true },
        ],
    )
}

/// The residual network for 32x32 images of He 2015, section 4.2: `6 n + 2` layers (`n = 3`: ResNet-20), with
/// 1x1 convolutions where the shape changes.
pub fn cifar_resnet(input: &[usize], n: usize, classes: usize) -> Result<Graph, GraphError> {
    let mut net = Builder { nodes: vec![] };
    let mut x = net.conv_bn("stem", 0, 16, 3, 1);
    x = net.push("stem.relu", Op::Relu, vec![x]);
    let mut channels = 16;
    for (stage, width) in [16usize, 32, 64].into_iter().enumerate() {
        for block in 0..n {
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let mut y = net.conv_bn(&format!("{name}.a"), x, width, 3, stride);
            y = net.push(&format!("{name}.a.relu"), Op::Relu, vec![y]);
            y = net.conv_bn(&format!("{name}.b"), y, width, 3, 1);
            let shortcut = if width == channels {
                x
            } else {
                net.conv_bn(&format!("{name}.short"), x, width, 1, stride)
            };
            y = net.push(&format!("{name}.add"), Op::Add, vec![y, shortcut]);
            x = net.push(&format!("{name}.relu"), Op::Relu, vec![y]);
            channels = width;
        }
    }
    x = net.push("pool", Op::GlobalAvgPool, vec![x]);
    x = net.push("flatten", Op::Flatten, vec![x]);
    x = net.push("fc", Op::Linear { out_features: classes, bias: true }, vec![x]);
    Graph::new(vec![Input { name: "input".to_string(), shape: input.to_vec() }], net.nodes, vec![x])
}

struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    /// Appends a node and returns its value (value 0 is the input).
    fn push(&mut self, name: &str, op: Op, inputs: Vec<usize>) -> usize {
        self.nodes.push(Node { name: String::from(name), op, inputs });
        self.nodes.len()
    }

    fn conv_bn(&mut self, name: &str, x: usize, out_channels: usize, kernel: usize, stride: usize) -> usize {
        let conv = Op::Conv2d {
            out_channels,
            kernel: Pair::square(kernel),
            stride: Pair::square(stride),
            padding: Padding::all(kernel / 2),
            dilation: Pair::square(1),
            groups: 1,
            bias: false,
        };
        let y = self.push(&format!("{name}.conv"), conv, vec![x]);
        self.push(&format!("{name}.bn"), Op::BatchNorm { eps: 1e-5 }, vec![y])
    }
}
