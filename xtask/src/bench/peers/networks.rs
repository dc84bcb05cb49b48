//! The networks that are measured: graphs, densities and levels of each layer.
//!
//! Densities and bits of the LeNets, AlexNet and VGG-16 are Han 2015's, tables 2 to 5. AlexNet is Caffe's, with its
//! groups and without local response normalisation, which every engine would spend the same time on. ResNet-18 and
//! MobileNetV2 have their batch norms folded into biases, as every engine folds them at load; MobileNetV2 has ReLU for
//! ReLU6 in all engines.

use super::vision_transformer;
use anyhow::{Result, bail};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair, networks};

/// How much of a layer is kept, and with how many levels.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) density: f64,
    pub(crate) n_levels: usize,
}

/// A network to be measured.
pub(crate) struct Network {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) graph: Graph,
    /// One per weight, in the graph's order.
    pub(crate) layers: Vec<Kept>,
    pub(crate) batches: &'static [usize],
    pub(crate) input: InputKind,
}

/// The network's inputs.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum InputKind {
    /// The first test images of MNIST.
    Digits,
    /// Seeded normal numbers.
    Normal,
    /// The same with half of them zero.
    HalfZero,
}

pub(crate) const NAMES: [&str; 8] =
    ["lenet-300-100", "lenet5", "fc4096", "fc4096-half-zero", "alexnet", "vgg16", "resnet18", "mobilenet-v2"];

/// The network of that name.
pub(crate) fn network(name: &str) -> Result<Network> {
    let lenet = |name| Ok::<_, anyhow::Error>(networks::by_name(name, &[1, 28, 28], 10).transpose()?);
    let paper = |layers: &[(f64, u32)]| {
        layers.iter().map(|&(percent, bits)| Kept { density: percent / 100.0, n_levels: 1 << bits }).collect()
    };
    let layer = || Graph::chain(&[4096], vec![Op::Linear { out_features: 4096, bias: false }]);
    let of = |name, title, graph: Graph, layers, batches, input| Network {
        name,
        title,
        graph,
        layers,
        batches,
        input,
    };
    Ok(match name {
        "lenet-300-100" => {
            let Some(graph) = lenet("lenet-300-100")? else { bail!("no graph {name}") };
            let layers = paper(&[(8.0, 6), (9.0, 6), (26.0, 6)]);
            of("lenet-300-100", "LeNet-300-100", graph, layers, &[1, 64], InputKind::Digits)
        }
        "lenet5" => {
            let Some(graph) = lenet("lenet5")? else { bail!("no graph {name}") };
            let layers = paper(&[(66.0, 8), (12.0, 8), (8.0, 5), (19.0, 5)]);
            of("lenet5", "LeNet-5", graph, layers, &[1, 64], InputKind::Digits)
        }
        "fc4096" => {
            of("fc4096", "4096x4096 at 9 %", layer()?, paper(&[(9.0, 5)]), &[1, 64], InputKind::Normal)
        }
        "fc4096-half-zero" => {
            let layers = paper(&[(9.0, 5)]);
            of(
                "fc4096-half-zero",
                "4096x4096, half of x zero",
                layer()?,
                layers,
                &[1, 64],
                InputKind::HalfZero,
            )
        }
        "alexnet" => of("alexnet", "AlexNet", alexnet()?, paper(&ALEXNET), &[1, 16], InputKind::Normal),
        "vgg16" => of("vgg16", "VGG-16", vgg16()?, paper(&VGG16), &[1, 16], InputKind::Normal),
        "resnet18" => {
            let graph = resnet18()?;
            let layers = vec![Kept { density: 0.15, n_levels: 32 }; n_weights(&graph)];
            of("resnet18", "ResNet-18 at 15 %", graph, layers, &[1, 16], InputKind::Normal)
        }
        "mobilenet-v2" => {
            let graph = mobilenet_v2()?;
            let layers = pointwise_layers(&graph, 0.15);
            of("mobilenet-v2", "MobileNetV2, 1x1 at 15 %", graph, layers, &[1, 16], InputKind::Normal)
        }
        "efficientnet-lite0" => {
            let graph = efficientnet_lite0()?;
            let layers = pointwise_layers(&graph, 0.15);
            let title = "EfficientNet-Lite0, 1x1 at 15 %";
            of("efficientnet-lite0", title, graph, layers, &[1], InputKind::Normal)
        }
        "deit-s" => {
            let graph = vision_transformer::deit_s()?;
            let layers = pointwise_layers(&graph, 0.15);
            of("deit-s", "DeiT-S, linear at 15 %", graph, layers, &[1], InputKind::Normal)
        }
        _ => bail!("no network {name}; there are {}", NAMES.join(", ")),
    })
}

const ALEXNET: [(f64, u32); 8] =
    [(84.0, 8), (38.0, 8), (35.0, 8), (37.0, 8), (37.0, 8), (9.0, 5), (9.0, 5), (25.0, 5)];
const VGG16: [(f64, u32); 16] = [
    (58.0, 8),
    (22.0, 8),
    (34.0, 8),
    (36.0, 8),
    (53.0, 8),
    (24.0, 8),
    (42.0, 8),
    (32.0, 8),
    (27.0, 8),
    (34.0, 8),
    (35.0, 8),
    (29.0, 8),
    (36.0, 8),
    (4.0, 5),
    (4.0, 5),
    (23.0, 5),
];

fn n_weights(graph: &Graph) -> usize {
    graph.nodes().iter().filter(|n| matches!(n.op, Op::Conv2d { .. } | Op::Linear { .. })).count()
}

/// The 1x1 convolutions at that density with 32 levels; all else kept, with 256.
fn pointwise_layers(graph: &Graph, density: f64) -> Vec<Kept> {
    let layer = |node: &Node| match &node.op {
        Op::Conv2d { kernel, .. } if *kernel == Pair::square(1) => Some(Kept { density, n_levels: 32 }),
        Op::Conv2d { .. } | Op::Linear { .. } => Some(Kept { density: 1.0, n_levels: 256 }),
        _ => None,
    };
    graph.nodes().iter().filter_map(layer).collect()
}

fn conv(out_channels: usize, kernel: usize, stride: usize, padding: usize, groups: usize) -> Op {
    Op::Conv2d {
        out_channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: Padding::all(padding),
        dilation: Pair::square(1),
        groups,
        bias: true,
    }
}

fn pool(kernel: usize, stride: usize, padding: usize) -> Op {
    Op::MaxPool {
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: Padding::all(padding),
        ceil_mode: false,
    }
}

fn linear(out_features: usize) -> Op {
    Op::Linear { out_features, bias: true }
}

fn alexnet() -> Result<Graph> {
    let relu = || Op::Relu;
    let ops = vec![
        conv(96, 11, 4, 0, 1),
        relu(),
        pool(3, 2, 0),
        conv(256, 5, 1, 2, 2),
        relu(),
        pool(3, 2, 0),
        conv(384, 3, 1, 1, 1),
        relu(),
        conv(384, 3, 1, 1, 2),
        relu(),
        conv(256, 3, 1, 1, 2),
        relu(),
        pool(3, 2, 0),
        Op::Flatten,
        linear(4096),
        relu(),
        linear(4096),
        relu(),
        linear(1000),
    ];
    Ok(Graph::chain(&[3, 227, 227], ops)?)
}

fn vgg16() -> Result<Graph> {
    let mut ops = Vec::new();
    for (channels, n) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..n {
            ops.extend([conv(channels, 3, 1, 1, 1), Op::Relu]);
        }
        ops.push(pool(2, 2, 0));
    }
    ops.extend([Op::Flatten, linear(4096), Op::Relu, linear(4096), Op::Relu, linear(1000)]);
    Ok(Graph::chain(&[3, 224, 224], ops)?)
}

/// Nodes under construction; value 0 is the input.
struct Growing {
    nodes: Vec<Node>,
}

impl Growing {
    fn push(&mut self, op: Op, inputs: Vec<usize>) -> usize {
        let name = format!("{}{}", op.name(), self.nodes.len());
        self.nodes.push(Node { name, op, inputs });
        self.nodes.len()
    }

    fn conv(&mut self, op: Op, x: usize, relu: bool) -> usize {
        let y = self.push(op, vec![x]);
        if relu { self.push(Op::Relu, vec![y]) } else { y }
    }

    fn finish(mut self, x: usize) -> Result<Graph> {
        let x = self.push(Op::GlobalAvgPool, vec![x]);
        let x = self.push(Op::Flatten, vec![x]);
        let x = self.push(linear(1000), vec![x]);
        let input = Input { name: "input".into(), shape: vec![3, 224, 224] };
        Ok(Graph::new(vec![input], self.nodes, vec![x])?)
    }
}

fn resnet18() -> Result<Graph> {
    let mut net = Growing { nodes: vec![] };
    let x = net.conv(conv(64, 7, 2, 3, 1), 0, true);
    let mut x = net.push(pool(3, 2, 1), vec![x]);
    let mut channels = 64;
    for width in [64, 128, 256, 512] {
        for block in 0..2 {
            let stride = if width > 64 && block == 0 { 2 } else { 1 };
            let y = net.conv(conv(width, 3, stride, 1, 1), x, true);
            let y = net.conv(conv(width, 3, 1, 1, 1), y, false);
            let short = if width == channels { x } else { net.conv(conv(width, 1, stride, 0, 1), x, false) };
            let sum = net.push(Op::Add, vec![y, short]);
            x = net.push(Op::Relu, vec![sum]);
            channels = width;
        }
    }
    net.finish(x)
}

fn mobilenet_v2() -> Result<Graph> {
    inverted_residuals(&[
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 32, 3, 2, 3),
        (6, 64, 4, 2, 3),
        (6, 96, 3, 1, 3),
        (6, 160, 3, 2, 3),
        (6, 320, 1, 1, 3),
    ])
}

fn efficientnet_lite0() -> Result<Graph> {
    inverted_residuals(&[
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ])
}

/// Stages of blocks: expansion, width, blocks, stride of the first, kernel.
fn inverted_residuals(stages: &[(usize, usize, usize, usize, usize)]) -> Result<Graph> {
    let mut net = Growing { nodes: vec![] };
    let mut x = net.conv(conv(32, 3, 2, 1, 1), 0, true);
    let mut channels = 32;
    for &(expand, width, n, stride, kernel) in stages {
        for block in 0..n {
            let stride = if block == 0 { stride } else { 1 };
            let inner = channels * expand;
            let wide = if expand == 1 { x } else { net.conv(conv(inner, 1, 1, 0, 1), x, true) };
            let deep = net.conv(conv(inner, kernel, stride, kernel / 2, inner), wide, true);
            let y = net.conv(conv(width, 1, 1, 0, 1), deep, false);
            x = if stride == 1 && width == channels { net.push(Op::Add, vec![x, y]) } else { y };
            channels = width;
        }
    }
    let x = net.conv(conv(1280, 1, 1, 0, 1), x, true);
    net.finish(x)
}
