//! Every operator against a plain evaluation in f64: outputs, and gradients by central differences.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

#[path = "operators/reference.rs"]
mod reference;

use kompakt_engine::{
    Batch, Engine, ExampleTable, Gradients, Hooks, Loss, Network, Optimizer, Random, Step, TrainOptions,
    Trainer,
};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};

/// `sum c_i y_i` over the outputs of each example: its gradient by the outputs is `c`, whatever they are.
struct Weighted(Vec<f32>);

impl Loss for Weighted {
    fn evaluate(&self, batch: &Batch<'_>, outputs: &[f32], gradient: &mut [f32]) -> f64 {
        let len = outputs.len() / batch.labels.len();
        let mut sum = 0.0;
        for (i, (g, &y)) in gradient.iter_mut().zip(outputs).enumerate() {
            *g = self.0[i % len];
            sum += f64::from(self.0[i % len]) * f64::from(y);
        }
        sum
    }
}

#[derive(Default)]
struct Keep(Vec<Option<Vec<f32>>>);

impl Hooks for Keep {
    fn weight_gradients(&mut self, _: &Step, _: &Network, gradients: &Gradients) {
        self.0 = gradients.to_vec();
    }
}

/// `input ─► scale ─► [nodes] ─► flatten`: the scale's gradients show the gradients by the operator's input.
fn graph(shape: &[usize], nodes: Vec<(Op, Vec<usize>)>) -> Graph {
    let mut all = vec![Node { name: "scale".into(), op: Op::ScaleBias, inputs: vec![0] }];
    for (i, (op, inputs)) in nodes.into_iter().enumerate() {
        all.push(Node { name: format!("n{i}"), op, inputs });
    }
    let last = all.len();
    all.push(Node { name: "flatten".into(), op: Op::Flatten, inputs: vec![last] });
    let input = Input { name: "input".into(), shape: shape.to_vec() };
    Graph::new(vec![input], all, vec![last + 1]).unwrap()
}

fn check(shape: &[usize], nodes: Vec<(Op, Vec<usize>)>) {
    let graph = graph(shape, nodes);
    let name = format!("{:?}", graph.nodes()[1].op);
    let mut random = Random::at(&[11]);
    let mut network = Network::random(&graph, 5).unwrap();
    for p in network.parameters_mut() {
        let positive = p.name.ends_with("running_var");
        for w in p.weights.latent_mut() {
            *w = if positive { random.between(0.5, 2.0) } else { random.between(-1.0, 1.0) };
        }
    }
    let n = 5;
    let len: usize = shape.iter().product();
    let values: Vec<f32> = (0..n * len).map(|_| random.between(-2.0, 2.0)).collect();
    let data = ExampleTable { shape: shape.to_vec(), values, labels: vec![0; n] };
    let out_len = graph.shape(graph.outputs()[0])[0];
    let loss = Weighted((0..out_len).map(|_| random.between(-1.0, 1.0)).collect());

    // Outputs, as in use.
    let input: Vec<f64> = data.values.iter().map(|&x| f64::from(x)).collect();
    let mut parameters: Vec<Vec<f64>> =
        network.effective().iter().map(|v| v.iter().map(|&x| f64::from(x)).collect()).collect();
    let wanted = reference::run(&graph, &parameters, &input, n, false);
    let found = Engine::new(&network, 2).unwrap().outputs(&data.values).unwrap();
    for (i, (w, f)) in wanted.iter().zip(&found).enumerate() {
        assert!((w - f64::from(*f)).abs() < 2e-5 * (1.0 + w.abs()), "{name}: output {i}: {f}, in f64 {w}");
    }

    // Gradients, as in training. The order of the examples does not matter to a sum over them.
    let options = TrainOptions { batch: n, optimizer: Optimizer::SGD, ..TrainOptions::default() };
    let mut keep = Keep::default();
    let mut trainer = Trainer::new(network, options, 2).unwrap();
    trainer.epoch(&data, &loss, &mut keep).unwrap();
    let value = |parameters: &[Vec<f64>]| {
        let y = reference::run(&graph, parameters, &input, n, true);
        y.iter().enumerate().map(|(i, y)| f64::from(loss.0[i % out_len]) * y).sum::<f64>() / n as f64
    };
    let mut compared = 0;
    for (p, gradient) in keep.0.iter().enumerate() {
        let Some(gradient) = gradient else { continue };
        for i in 0..gradient.len() {
            let at = parameters[p][i];
            let step = 1e-6;
            parameters[p][i] = at + step;
            let above = value(&parameters);
            parameters[p][i] = at - step;
            let below = value(&parameters);
            parameters[p][i] = at;
            let wanted = (above - below) / (2.0 * step);
            let found = f64::from(gradient[i]);
            assert!(
                (wanted - found).abs() < 1e-4 * (1.0 + wanted.abs()),
                "{name}: gradient of {} at {i}: {found}, by differences {wanted}",
                graph.params()[p].name
            );
            compared += 1;
        }
    }
    assert!(compared >= 2, "{name}: nothing was compared");
}

fn check_one(shape: &[usize], op: Op) {
    check(shape, vec![(op, vec![1])]);
}

fn convolution(
    out_channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    dilation: [usize; 2],
    groups: usize,
) -> Op {
    let pair = |[h, w]: [usize; 2]| Pair { h, w };
    Op::Conv2d {
        out_channels,
        kernel: pair(kernel),
        stride: pair(stride),
        padding,
        dilation: pair(dilation),
        groups,
        bias: groups % 2 == 1,
    }
}

#[test]
fn linear() {
    check_one(&[6], Op::Linear { out_features: 4, bias: true });
    check_one(&[6], Op::Linear { out_features: 4, bias: false });
    check_one(&[1], Op::Linear { out_features: 1, bias: true });
}

#[test]
fn convolutions() {
    let none = Padding::default();
    let uneven = Padding { top: 1, left: 2, bottom: 0, right: 3 };
    check_one(&[2, 6, 7], convolution(3, [3, 3], [1, 1], none, [1, 1], 1));
    check_one(&[2, 6, 7], convolution(3, [3, 2], [2, 1], Padding::all(1), [1, 1], 1));
    check_one(&[2, 6, 7], convolution(3, [2, 3], [1, 2], uneven, [1, 1], 1));
    check_one(&[4, 6, 7], convolution(6, [3, 3], [1, 1], Padding::all(2), [2, 2], 2));
    check_one(&[3, 5, 5], convolution(6, [3, 3], [2, 2], Padding::all(1), [1, 1], 3));
    check_one(&[2, 5, 5], convolution(3, [1, 1], [1, 1], none, [1, 1], 1));
    check_one(&[1, 4, 4], convolution(2, [4, 4], [1, 1], none, [1, 1], 1));
    // Padding wider than the image, and a kernel that reaches only padding in places.
    check_one(&[1, 2, 2], convolution(2, [3, 3], [1, 1], Padding::all(3), [1, 1], 1));
    check_one(&[1, 20, 18], convolution(2, [3, 3], [1, 1], none, [1, 1], 1));
    // Blocks of output channels, and taps, that do not come out even.
    check_one(&[1, 5, 6], convolution(9, [5, 5], [1, 1], Padding::all(2), [1, 1], 1));
    check_one(&[2, 6, 5], convolution(3, [3, 2], [1, 1], uneven, [2, 3], 1));
    check_one(&[1, 19, 21], convolution(2, [3, 3], [1, 1], Padding::all(1), [1, 1], 1));
}

#[test]
fn pools() {
    let uneven = Padding { top: 1, left: 0, bottom: 1, right: 1 };
    for (kernel, stride, padding) in [
        ([2, 2], [2, 2], Padding::default()),
        ([3, 3], [2, 2], Padding::all(1)),
        ([3, 2], [1, 2], uneven),
        ([3, 3], [3, 3], Padding::default()),
        ([2, 3], [2, 2], Padding::default()),
    ] {
        for ceil_mode in [false, true] {
            let kernel = Pair { h: kernel[0], w: kernel[1] };
            let stride = Pair { h: stride[0], w: stride[1] };
            check_one(&[2, 7, 6], Op::MaxPool { kernel, stride, padding, ceil_mode });
            for count_include_pad in [false, true] {
                let op = Op::AvgPool { kernel, stride, padding, ceil_mode, count_include_pad };
                check_one(&[2, 7, 6], op);
            }
        }
    }
    check_one(&[3, 4, 5], Op::GlobalAvgPool);
}

#[test]
fn normalisation() {
    check_one(&[3, 4, 2], Op::BatchNorm { eps: 1e-3 });
    check_one(&[3], Op::BatchNorm { eps: 1e-5 });
    check_one(&[3, 4, 2], Op::ScaleBias);
    check_one(&[3], Op::ScaleBias);
}

#[test]
fn elementwise() {
    for op in [Op::Relu, Op::Sigmoid, Op::Tanh, Op::Identity, Op::Softmax, Op::Dropout { p: 0.0 }] {
        check_one(&[4], op.clone());
        check_one(&[2, 3, 3], op);
    }
}

#[test]
fn rearrangement() {
    check_one(&[2, 3, 4], Op::Reshape { shape: vec![4, 6] });
    check_one(&[2, 3, 4], Op::Flatten);
    check_one(&[4, 5, 6], Op::Slice { start: vec![1, 0, 2], end: vec![3, 5, 6], step: vec![1, 2, 3] });
    check_one(&[7], Op::Slice { start: vec![1], end: vec![6], step: vec![2] });
    check_one(&[2, 3, 3], Op::Pad { before: vec![1, 0, 2], after: vec![0, 3, 1] });
    check_one(&[3], Op::Pad { before: vec![1], after: vec![2] });
}

#[test]
fn joins() {
    check(&[2, 3, 3], vec![(Op::Relu, vec![1]), (Op::Add, vec![1, 2])]);
    check(&[2, 3, 3], vec![(Op::Tanh, vec![1]), (Op::Sigmoid, vec![1]), (Op::Concat, vec![2, 1, 3])]);
    check(&[4], vec![(Op::Tanh, vec![1]), (Op::Concat, vec![2, 1])]);
}
