//! Runs a graph's nodes in order on any backend that has the [`Layers`].

use super::{
    convolution::Convolution,
    normalisation::{Moments, Normalisation},
    pooling::{Pooling, Reduction},
    record::Layers,
};
use crate::random::Random;
use burn::{
    backend::{Shape, Slice, TensorData, TensorMetadata, tensor::FloatTensor},
    tensor::ops::PadMode,
};
use kompakt_graph::{Convolution as Geometry, Graph, Node, Op, ValueId};

/// What differs between training and use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// Running statistics, no dropout.
    Evaluate,
    /// Statistics of the batch; dropout drawn from `place` and the number of each example in the batch.
    Train {
        /// Where in the training this is: seed, epoch, step.
        place: &'a [u64],
        /// Number of the first example of this part in its batch.
        first: usize,
    },
}

/// Mean and biased variance of a batch, by channel, as one batch norm saw it.
pub(crate) struct BatchStatistics {
    /// Index of the node.
    pub(crate) node: usize,
    pub(crate) moments: Moments,
    /// The number of values per channel that they were taken over.
    pub(crate) n: usize,
}

/// A graph with the tensors of one backend.
pub(crate) struct Forward<'a, B: Layers> {
    pub(crate) graph: &'a Graph,
    /// In the order of [`Graph::params`].
    pub(crate) parameters: &'a [FloatTensor<B>],
    pub(crate) mode: Mode<'a>,
    pub(crate) device: &'a B::Device,
    pub(crate) statistics: Vec<BatchStatistics>,
}

impl<B: Layers> Forward<'_, B> {
    /// Runs the nodes on `input` `[n, …]` and returns the value `until`.
    pub(crate) fn run(&mut self, input: FloatTensor<B>, n: usize, until: ValueId) -> FloatTensor<B> {
        let graph = self.graph;
        let n_values = graph.inputs().len() + graph.nodes().len();
        let mut values: Vec<Option<FloatTensor<B>>> = vec![None; n_values];
        values[0] = Some(input);
        let mut uses = vec![0usize; n_values];
        uses[until] += 1;
        graph.nodes().iter().flat_map(|node| &node.inputs).for_each(|&v| uses[v] += 1);
        let mut first_parameter = 0;
        for (index, node) in graph.nodes().iter().enumerate() {
            let operands = node
                .inputs
                .iter()
                .filter_map(|&v| {
                    uses[v] -= 1;
                    if uses[v] == 0 { values[v].take() } else { values[v].clone() }
                })
                .collect();
            let n_parameters =
                graph.params()[first_parameter..].iter().take_while(|p| p.node == index).count();
            let parameters = &self.parameters[first_parameter..first_parameter + n_parameters];
            first_parameter += n_parameters;
            let result = self.node(index, node, operands, parameters, n);
            values[graph.value_of(index)] = Some(result);
            if graph.value_of(index) == until {
                break;
            }
        }
        match values.swap_remove(until) {
            Some(value) => value,
            None => unreachable!("a checked graph makes its values"),
        }
    }

    fn node(
        &mut self,
        index: usize,
        node: &Node,
        mut operands: Vec<FloatTensor<B>>,
        parameters: &[FloatTensor<B>],
        n: usize,
    ) -> FloatTensor<B> {
        let in_shape = self.graph.shape(node.inputs[0]);
        let out_shape = self.graph.shape(self.graph.value_of(index));
        let x = operands.remove(0);
        match &node.op {
            Op::Linear { .. } => B::linear_layer(x, parameters[0].clone(), parameters.get(1).cloned()),
            Op::Conv2d { .. } => {
                let Some(shape) = Geometry::of(&node.op, in_shape, out_shape).map(Convolution) else {
                    unreachable!("a checked graph convolves images")
                };
                B::convolution_layer(x, parameters[0].clone(), parameters.get(1).cloned(), shape)
            }
            Op::MaxPool { kernel, stride, padding, .. } => {
                let reduction = Reduction::Max;
                self.pool(x, in_shape, out_shape, (*kernel, *stride, *padding, reduction))
            }
            Op::AvgPool { kernel, stride, padding, count_include_pad, .. } => {
                let reduction = Reduction::Mean { count_include_pad: *count_include_pad };
                self.pool(x, in_shape, out_shape, (*kernel, *stride, *padding, reduction))
            }
            Op::GlobalAvgPool => {
                let rows = Shape::new([n, in_shape[0], in_shape[1] * in_shape[2]]);
                let mean = B::float_mean_dim(B::float_reshape(x, rows), 2);
                B::float_reshape(mean, batched(n, out_shape))
            }
            Op::BatchNorm { eps } => self.batch_norm(index, x, parameters, in_shape, n, *eps),
            Op::ScaleBias => {
                let [weight, bias] = [0, 1].map(|i| per_channel::<B>(parameters[i].clone(), in_shape.len()));
                B::float_add(B::float_mul(x, weight), bias)
            }
            Op::Relu => B::relu(x),
            Op::Sigmoid => B::sigmoid(x),
            Op::Tanh => B::float_tanh(x),
            Op::Softmax => B::softmax(x, 1),
            Op::Add => B::float_add(x, operands.swap_remove(0)),
            Op::Concat => {
                operands.insert(0, x);
                B::float_cat(operands, 1)
            }
            Op::Flatten | Op::Reshape { .. } => B::float_reshape(x, batched(n, out_shape)),
            Op::Dropout { p } => self.dropout(index, x, in_shape, n, *p),
            Op::Identity => x,
            Op::Slice { start, end, step } => {
                let mut slices = vec![Slice::from(0..n)];
                for ((&start, &end), &step) in start.iter().zip(end).zip(step) {
                    slices.push(Slice::new(start as isize, Some(end as isize), step as isize));
                }
                B::float_slice(x, &slices)
            }
            Op::Pad { before, after } => {
                let mut padding = vec![(0, 0)];
                padding.extend(before.iter().copied().zip(after.iter().copied()));
                B::float_pad(x, &padding, PadMode::Constant(0.0))
            }
            // `unsupported` refuses graphs with operators that are not above.
            other @ (Op::Mul
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
            | Op::Embedding { .. }
            | Op::Take { .. }
            | Op::Scatter { .. }
            | Op::TopK { .. }
            | Op::Recurrent { .. }) => {
                unreachable!("operator {} was let through", other.name())
            }
        }
    }

    fn pool(
        &self,
        x: FloatTensor<B>,
        in_shape: &[usize],
        out_shape: &[usize],
        (kernel, stride, padding, reduction): (
            kompakt_graph::Pair,
            kompakt_graph::Pair,
            kompakt_graph::Padding,
            Reduction,
        ),
    ) -> FloatTensor<B> {
        let input = [in_shape[1], in_shape[2]];
        let output = [out_shape[1], out_shape[2]];
        B::pooling_layer(x, Pooling { input, output, kernel, stride, padding, reduction })
    }

    fn batch_norm(
        &mut self,
        node: usize,
        x: FloatTensor<B>,
        parameters: &[FloatTensor<B>],
        in_shape: &[usize],
        n: usize,
        eps: f32,
    ) -> FloatTensor<B> {
        let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|i| parameters[i].clone());
        match self.mode {
            Mode::Evaluate => B::batch_norm(x, weight, bias, mean, variance, f64::from(eps)),
            Mode::Train { .. } => {
                let plane = in_shape[1..].iter().product();
                let shape = Normalisation { channels: in_shape[0], plane, eps };
                let (y, moments) = B::normalisation_layer(x, weight, bias, shape);
                self.statistics.push(BatchStatistics { node, moments, n: n * plane });
                y
            }
        }
    }

    fn dropout(&self, node: usize, x: FloatTensor<B>, shape: &[usize], n: usize, p: f32) -> FloatTensor<B> {
        let Mode::Train { place, first } = self.mode else { return x };
        if p == 0.0 {
            return x;
        }
        let len: usize = shape.iter().product();
        let keep = 1.0 / (1.0 - p);
        let mut mask = Vec::with_capacity(n * len);
        for example in first..first + n {
            let mut random = Random::at(&[&[DROPOUT, node as u64, example as u64], place].concat());
            mask.extend((0..len).map(|_| if random.unit() < p { 0.0 } else { keep }));
        }
        let mask = B::float_from_data(TensorData::new(mask, batched(n, shape)), self.device);
        B::float_mul(x, mask)
    }
}

/// Distinguishes dropout's random streams from others.
const DROPOUT: u64 = 0x6472_6f70;

fn batched(n: usize, shape: &[usize]) -> Shape {
    let mut dims = vec![n];
    dims.extend(shape);
    Shape::from(dims)
}

/// A per-channel vector, to broadcast against `[n, channels, …]` of `rank` dimensions besides the batch.
fn per_channel<B: Layers>(vector: FloatTensor<B>, rank: usize) -> FloatTensor<B> {
    let mut dims = vec![1; rank + 1];
    dims[1] = vector.shape()[0];
    B::float_reshape(vector, Shape::from(dims))
}

/// Everything in a graph that cannot be run here.
pub(crate) fn unsupported(graph: &Graph) -> Vec<String> {
    let mut problems = Vec::new();
    if graph.inputs().len() != 1 {
        problems.push(format!("{} inputs; one is needed", graph.inputs().len()));
    }
    if graph.outputs().len() != 1 {
        problems.push(format!("{} outputs; one is needed", graph.outputs().len()));
    }
    if let [output] = graph.outputs()
        && graph.shape(*output).len() != 1
    {
        problems.push(format!("an output of shape {:?}; a vector is needed", graph.shape(*output)));
    }
    for node in graph.nodes() {
        if !is_supported(&node.op) {
            problems.push(format!("node {:?}: operator {} is not known here", node.name, node.op.name()));
        }
        if node.op == Op::Add && graph.shape(node.inputs[0]) != graph.shape(node.inputs[1]) {
            problems.push(format!("node {:?}: an add of two shapes", node.name));
        }
    }
    problems
}

fn is_supported(op: &Op) -> bool {
    match op {
        Op::Linear { .. }
        | Op::Conv2d { .. }
        | Op::BatchNorm { .. }
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
        | Op::Pad { .. } => true,
        Op::Mul
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
        | Op::Embedding { .. }
        | Op::Take { .. }
        | Op::Scatter { .. }
        | Op::TopK { .. }
        | Op::Recurrent { .. } => false,
    }
}
