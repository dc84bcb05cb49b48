//! Lowers the graph of a file to operations on tensors, one per node. Only identity nodes are dropped.

use super::{
    Affine, Binary, ConvolutionWindow, DataType, Epilogue, Operation, OperationKind as Kind, PoolingWindow,
    Program, Shape, Unary, Value,
};
use crate::error::RuntimeError;
use alloc::{string::ToString, vec, vec::Vec};
use kompakt_graph::{Graph, Op};

/// The program of a graph, nothing fused: value `i` of the program is value `i` of the graph.
pub(super) fn lower(graph: &Graph) -> Result<Program, RuntimeError> {
    let n_values = graph.inputs().len() + graph.nodes().len();
    let value = |id| {
        let shape = Shape::batch_of(graph.shape(id))?;
        Ok(Value { name: graph.value_name(id).to_string(), data_type: DataType::F32, shape })
    };
    let values = (0..n_values).map(value).collect::<Result<_, RuntimeError>>()?;
    // The number of each node's first parameter; parameters are in node order.
    let mut first_param = vec![usize::MAX; graph.nodes().len()];
    for (i, param) in graph.params().iter().enumerate() {
        first_param[param.node] = first_param[param.node].min(i);
    }
    // The value that each value is equal to: identity nodes have no operation.
    let mut same_as: Vec<usize> = (0..n_values).collect();
    let mut operations = Vec::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        let (x, output) = (node.inputs[0], graph.value_of(index));
        match kind(&node.op, first_param[index], graph.shape(x).len(), graph.shape(output).len()) {
            None => same_as[output] = same_as[x],
            Some(kind) => {
                let inputs = node.inputs.iter().map(|&v| same_as[v]).collect();
                operations.push(Operation { name: node.name.clone(), kind, inputs, output });
            }
        }
    }
    Ok(Program {
        symbols: vec!["batch".to_string()],
        values,
        operations,
        inputs: (0..graph.inputs().len()).collect(),
        outputs: graph.outputs().iter().map(|&v| same_as[v]).collect(),
        output_names: graph.outputs().iter().map(|&v| graph.value_name(v).to_string()).collect(),
    })
}

/// The operation of a node whose first parameter has the number `weight`, or none if it is an identity. Ranks
/// of the first input and of the output leave out the batch.
fn kind(op: &Op, weight: usize, rank: usize, output_rank: usize) -> Option<Kind> {
    let epilogue = |bias: bool| Epilogue { bias: bias.then_some(weight + 1), ..Epilogue::default() };
    // The batch is axis 0: no operation acts along it.
    let with_batch = |batch: usize, axes: &[usize]| -> Vec<usize> {
        core::iter::once(batch).chain(axes.iter().copied()).collect()
    };
    let binary = |operator| Kind::Binary { operator, relu: false };
    Some(match op {
        Op::Dropout { .. } | Op::Identity => return None,
        Op::Linear { out_features: _, bias } => Kind::Linear { weight, epilogue: epilogue(*bias) },
        &Op::Conv2d { out_channels: _, kernel, stride, padding, dilation, groups, bias } => {
            let window = ConvolutionWindow { kernel, stride, padding, dilation, groups };
            Kind::Convolution { weight, window, epilogue: epilogue(bias) }
        }
        Op::BatchNorm { eps } => {
            Kind::Affine { affine: Affine::BatchNorm { weight, eps: *eps }, relu: false }
        }
        Op::ScaleBias => Kind::Affine { affine: Affine::ScaleBias { weight, bias: weight + 1 }, relu: false },
        &Op::MaxPool { kernel, stride, padding, ceil_mode: _ } => {
            Kind::MaxPool(PoolingWindow { kernel, stride, padding })
        }
        &Op::AvgPool { kernel, stride, padding, ceil_mode: _, count_include_pad } => {
            let window = PoolingWindow { kernel, stride, padding };
            Kind::AveragePool { window, count_padding: count_include_pad }
        }
        Op::GlobalAvgPool => Kind::GlobalAveragePool,
        Op::Relu => Kind::Unary(Unary::Relu),
        Op::Sigmoid => Kind::Unary(Unary::Sigmoid),
        Op::Tanh => Kind::Unary(Unary::Tanh),
        &Op::Scale { factor, offset } => Kind::Unary(Unary::Scale { factor, offset }),
        &Op::Clip { low, high } => Kind::Unary(Unary::Clip { low, high }),
        &Op::LeakyRelu { slope } => Kind::Unary(Unary::LeakyRelu { slope }),
        &Op::HardSigmoid { slope, offset } => Kind::Unary(Unary::HardSigmoid { slope, offset }),
        Op::HardSwish => Kind::Unary(Unary::HardSwish),
        Op::Silu => Kind::Unary(Unary::Silu),
        Op::Prelu => Kind::Prelu { slopes: weight },
        Op::Softmax => Kind::Softmax { axis: 1 },
        Op::LogSoftmax => Kind::LogSoftmax { axis: 1 },
        Op::Add => binary(Binary::Add),
        Op::Sub => binary(Binary::Sub),
        Op::Mul => binary(Binary::Mul),
        Op::Div => binary(Binary::Div),
        Op::Concat => Kind::Concat { axis: 1 },
        Op::Flatten | Op::Reshape { .. } if rank == 1 && output_rank == 1 => return None,
        Op::Flatten | Op::Reshape { .. } => Kind::Reshape,
        Op::Slice { start, end: _, step } => {
            Kind::Slice { start: with_batch(0, start), step: with_batch(1, step) }
        }
        Op::Pad { before, after: _ } => Kind::Pad { before: with_batch(0, before) },
        Op::Transpose { axes } if axes.iter().copied().eq(0..axes.len()) => return None,
        Op::Transpose { axes } => {
            let later: Vec<usize> = axes.iter().map(|axis| axis + 1).collect();
            Kind::Transpose { axes: with_batch(0, &later) }
        }
        Op::Gather { axis, indices } => Kind::Gather { axis: axis + 1, indices: indices.clone() },
        &Op::Resize { size: _, step, offset } => Kind::Resize { step, offset },
        Op::Unary { function } => Kind::Unary(Unary::Function(*function)),
        Op::Binary { function } => binary(Binary::Function(*function)),
        Op::Select => Kind::Select,
        Op::Reduce { function, axes } => {
            let axes = axes.iter().map(|axis| axis + 1).collect();
            Kind::Reduce { function: *function, axes }
        }
        Op::MatMul => Kind::MatMul,
        Op::Constant { .. } => Kind::Constant { value: weight },
        Op::Embedding { .. } => Kind::Embedding { weight },
        Op::Take { axis } => Kind::Take { axis: axis + 1 },
        Op::Scatter { update } => Kind::Scatter { update: *update },
        &Op::TopK { axis, k: _, largest, indices } => Kind::TopK { axis: axis + 1, largest, indices },
        &Op::Recurrent { cell, hidden: _, reverse } => {
            Kind::Recurrent { cell, weight, bias: weight + 1, reverse }
        }
        &Op::Spread { step } => Kind::Spread { step },
        &Op::LocalResponseNorm { size, alpha, beta, bias } => {
            Kind::LocalResponseNorm { size, alpha, beta, bias }
        }
    })
}
