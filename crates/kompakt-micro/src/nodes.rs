//! Each operator of a graph as a call.

use crate::{
    MAX_LEN, MicroError,
    constants::{Constants, Record},
    int8,
    step::{Argument, Buffer, Place, Step, Steps, X, Y, numbers},
    weights,
};
use kompakt_format::{Decoded, ValueRange};
use kompakt_graph::{BinaryFunction, Cell, Convolution, Graph, Op, Padding, Pair, UnaryFunction};
use std::collections::BTreeMap;

/// The network's values as buffers, its nodes as steps.
pub(crate) struct Nodes<'a> {
    pub(crate) graph: &'a Graph,
    /// One per parameter of the graph.
    pub(crate) parameters: &'a [Decoded],
    /// Of the values that layers read as bytes; empty where all are floats.
    pub(crate) ranges: &'a [ValueRange],
    pub(crate) steps: &'a mut Steps,
    pub(crate) constants: &'a mut Constants,
    /// The buffer of every value so far.
    pub(crate) buffers: BTreeMap<usize, Buffer>,
}

impl Nodes<'_> {
    /// Adds all nodes. Outputs of the graph go to `outputs`, which are parameters of the function.
    pub(crate) fn add(&mut self, outputs: &[Buffer]) -> Result<(), MicroError> {
        let source = |mut value: usize| {
            while let Some(node) = self.graph.producer(value).map(|node| &self.graph.nodes()[node]) {
                if !is_view(&node.op) {
                    break;
                }
                value = node.inputs[0];
            }
            value
        };
        // A value that is an output once is written directly to it.
        let mut claimed: BTreeMap<usize, Buffer> = BTreeMap::new();
        let mut copies = Vec::new();
        for (&value, &buffer) in self.graph.outputs().iter().zip(outputs) {
            let made = source(value);
            if self.graph.producer(made).is_none() || claimed.contains_key(&made) {
                copies.push((made, buffer));
            } else {
                claimed.insert(made, buffer);
            }
        }
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let value = self.graph.value_of(index);
            let len = self.graph.shape(value).iter().product();
            if len > MAX_LEN {
                return Err(MicroError::TooLarge { what: node.name.clone(), n: len, limit: MAX_LEN });
            }
            let reads: Vec<Buffer> = node.inputs.iter().map(|value| self.buffers[value]).collect();
            if is_view(&node.op) {
                self.buffers.insert(value, reads[0]);
                continue;
            }
            if let (Op::Constant { .. }, false) = (&node.op, claimed.contains_key(&value)) {
                // Read where it is.
                let table = self.table_of(index, 0)?;
                let place = self.steps.buffer(len, Place::Table(table));
                self.buffers.insert(value, place);
                continue;
            }
            let y = claimed.get(&value).copied().unwrap_or_else(|| self.steps.buffer(len, Place::Unknown));
            self.node(index, reads, y)?;
            self.buffers.insert(value, y);
        }
        for (value, buffer) in copies {
            let n: usize = self.graph.shape(value).iter().product();
            let reads = vec![self.buffers[&value]];
            self.step("an output", "move_floats", vec![Argument::Number(n), X, Y], reads, buffer, None);
        }
        Ok(())
    }

    fn step(
        &mut self,
        what: &str,
        function: &'static str,
        arguments: Vec<Argument>,
        reads: Vec<Buffer>,
        writes: Buffer,
        in_place: Option<usize>,
    ) {
        let what = what.into();
        self.steps.steps.push(Step { function, arguments, reads, writes, scratch: None, in_place, what });
    }

    /// The parameters of a node, in the graph's order: their indices.
    fn parameters_of(&self, node: usize) -> Vec<usize> {
        let all = self.graph.params().iter().enumerate();
        all.filter(|(_, p)| p.node == node).map(|(i, _)| i).collect()
    }

    fn node(&mut self, index: usize, reads: Vec<Buffer>, y: Buffer) -> Result<(), MicroError> {
        let graph = self.graph;
        let node = &graph.nodes()[index];
        let what = node.name.as_str();
        let shape = graph.shape(graph.value_of(index));
        let x = graph.shape(node.inputs[0]);
        let (n, channels): (usize, usize) = (shape.iter().product(), x.first().copied().unwrap_or(1));
        let area = x.iter().product::<usize>() / channels.max(1);
        let elementwise = |this: &mut Self, name: &'static str, own: &[f32]| {
            let mut arguments: Vec<Argument> = own.iter().copied().map(Argument::Float).collect();
            arguments.extend([Argument::Number(n), X, Y]);
            this.step(what, name, arguments, reads.clone(), y, Some(0));
        };
        let by_channel = |this: &mut Self, name: &'static str, tables: Vec<Argument>| {
            let arguments = [tables, numbers([channels, area]), vec![X, Y]].concat();
            this.step(what, name, arguments, reads.clone(), y, Some(0));
        };
        match &node.op {
            Op::Linear { out_features, .. } => {
                if let Some(input) = self.bytes_of(node.inputs[0], channels) {
                    let sizes = [*out_features, channels, 1];
                    let int8::Layer { weights, scale_and_bias, .. } = self.int8_layer(index, sizes, input)?;
                    let q = self.quantize(what, channels, reads[0], input);
                    let sizes = numbers([channels, *out_features]);
                    let arguments = [weights, scale_and_bias, sizes, vec![X, Y]].concat();
                    self.step(what, "linear_int8", arguments, vec![q], y, None);
                    return Ok(());
                }
                let layer = self.layer(index)?;
                let arguments = [layer, numbers([channels, *out_features]), vec![X, Y]].concat();
                self.step(what, "linear", arguments, reads, y, None);
            }
            Op::Conv2d { .. } => {
                let Some(g) = Convolution::of(&node.op, x, shape) else { return Ok(()) };
                let members = [
                    &g.input[..],
                    &g.output,
                    &[g.kernel.h, g.kernel.w, g.stride.h, g.stride.w, g.dilation.h, g.dilation.w],
                    &[g.padding.top, g.padding.left, g.groups],
                ]
                .concat();
                let members = members.into_iter().map(Argument::Number).collect();
                let geometry = self.constants.record(Record::Geometry, &format!("{what}.geometry"), members);
                let (per_group, taps) = (channels / g.groups, g.kernel.h * g.kernel.w);
                // As in the loader, whose elements are four channels of one group.
                let has_fours = g.groups == 1 || per_group >= 8 && per_group.is_multiple_of(4);
                let input = self.bytes_of(node.inputs[0], per_group * taps).filter(|_| has_fours);
                if let Some(input) = input {
                    let sizes = [g.output[0], per_group * taps, taps];
                    let int8::Layer { weights, start, scale_and_bias } =
                        self.int8_layer(index, sizes, input)?;
                    let q = self.quantize(what, channels * area, reads[0], input);
                    let start = self.constants.integers(&format!("{what}.start"), start);
                    let zero = vec![Argument::Number(input.zero()), start];
                    let arguments = [vec![geometry], weights, zero, scale_and_bias, vec![X, Y]].concat();
                    self.step(what, "convolution_int8", arguments, vec![q], y, None);
                    return Ok(());
                }
                let layer = self.layer(index)?;
                let arguments = [vec![geometry], layer, vec![X, Y]].concat();
                self.step(what, "convolution", arguments, reads, y, None);
            }
            Op::BatchNorm { eps } => {
                let p: Vec<Vec<f32>> =
                    self.parameters_of(index).into_iter().map(|i| self.parameters[i].to_f32()).collect();
                let scale = |c: usize| f64::from(p[0][c]) / libm::sqrt(f64::from(p[3][c]) + f64::from(*eps));
                let bias = |c: usize| f64::from(p[1][c]) - f64::from(p[2][c]) * scale(c);
                let [scales, biases]: [Vec<f32>; 2] = [
                    (0..channels).map(|c| scale(c) as f32).collect(),
                    (0..channels).map(|c| bias(c) as f32).collect(),
                ];
                let scales = self.constants.floats(&format!("{what}.scale"), &scales)?;
                let biases = self.constants.floats(&format!("{what}.bias"), &biases)?;
                by_channel(self, "scale_bias", vec![Argument::Table(scales), Argument::Table(biases)]);
            }
            Op::ScaleBias => {
                let tables = vec![self.table_of(index, 0)?, self.table_of(index, 1)?];
                by_channel(self, "scale_bias", tables.into_iter().map(Argument::Table).collect());
            }
            Op::Prelu => {
                let table = Argument::Table(self.table_of(index, 0)?);
                by_channel(self, "prelu", vec![table]);
            }
            Op::MaxPool { kernel, stride, padding, .. } => {
                let window = self.window(what, x, shape, *kernel, *stride, *padding);
                self.step(what, "max_pool", vec![window, X, Y], reads, y, None);
            }
            Op::AvgPool { kernel, stride, padding, count_include_pad, .. } => {
                let window = self.window(what, x, shape, *kernel, *stride, *padding);
                let counts = Argument::Number(usize::from(*count_include_pad));
                self.step(what, "average_pool", vec![window, counts, X, Y], reads, y, None);
            }
            Op::GlobalAvgPool => {
                let arguments = [numbers([channels, area]), vec![X, Y]].concat();
                self.step(what, "global_average_pool", arguments, reads, y, None);
            }
            Op::Relu => elementwise(self, "relu", &[]),
            Op::Sigmoid => elementwise(self, "sigmoid", &[]),
            Op::Tanh => elementwise(self, "hyperbolic_tangent", &[]),
            Op::Silu => elementwise(self, "silu", &[]),
            Op::HardSwish => elementwise(self, "hard_swish", &[]),
            Op::HardSigmoid { slope, offset } => elementwise(self, "hard_sigmoid", &[*slope, *offset]),
            Op::LeakyRelu { slope } => elementwise(self, "leaky_relu", &[*slope]),
            Op::Scale { factor, offset } => elementwise(self, "scale", &[*factor, *offset]),
            Op::Clip { low, high } => elementwise(self, "clip", &[*low, *high]),
            Op::Softmax => by_channel(self, "softmax", vec![]),
            Op::LogSoftmax => by_channel(self, "log_softmax", vec![]),
            Op::LocalResponseNorm { size, alpha, beta, bias } => {
                let mut arguments = numbers([*size]);
                arguments.extend([*alpha, *beta, *bias].map(Argument::Float));
                arguments.extend([Argument::Number(channels), Argument::Number(area), X, Y]);
                self.step(what, "local_response_norm", arguments, reads, y, None);
            }
            Op::Add => self.pairwise(index, "add_of", reads, y),
            Op::Sub => self.pairwise(index, "subtract_of", reads, y),
            Op::Mul => self.pairwise(index, "multiply_of", reads, y),
            Op::Div => self.pairwise(index, "divide_of", reads, y),
            Op::Binary { function } => self.pairwise(index, binary(*function), reads, y),
            Op::Unary { function } => {
                let arguments = vec![Argument::Function(unary(*function)), Argument::Number(n), X, Y];
                self.step(what, "unary", arguments, reads, y, Some(0));
            }
            Op::Concat => {
                let mut at = 0;
                for (&value, buffer) in node.inputs.iter().zip(reads) {
                    let n: usize = graph.shape(value).iter().product();
                    let arguments = vec![Argument::Number(n), X, Argument::Result(at)];
                    self.step(what, "move_floats", arguments, vec![buffer], y, None);
                    at += n;
                }
            }
            Op::Slice { start, step, .. } => {
                let steps = strides(x);
                let from: usize = start.iter().zip(&steps).map(|(s, stride)| s * stride).sum();
                let x_step: Vec<usize> = step.iter().zip(&steps).map(|(s, stride)| s * stride).collect();
                self.copy(what, shape, &x_step, &strides(shape), [from, 0], reads, y);
            }
            Op::Transpose { axes } => {
                let steps = strides(x);
                let x_step: Vec<usize> = axes.iter().map(|&axis| steps[axis]).collect();
                self.copy(what, shape, &x_step, &strides(shape), [0, 0], reads, y);
            }
            Op::Pad { before, .. } => {
                let steps = strides(shape);
                let to: usize = before.iter().zip(&steps).map(|(b, stride)| b * stride).sum();
                self.zero(what, n, y);
                self.copy(what, x, &strides(x), &steps, [0, to], reads, y);
            }
            Op::Spread { step } => {
                let steps = strides(shape);
                let y_step = [steps[0], steps[1] * step.h, steps[2] * step.w];
                self.zero(what, n, y);
                self.copy(what, x, &strides(x), &y_step, [0, 0], reads, y);
            }
            Op::Gather { axis, indices } => {
                let table = self.constants.indices(&format!("{what}.indices"), indices);
                let (outer, inner) = around(x, *axis);
                let mut arguments = numbers([outer, x[*axis], inner]);
                arguments.extend([table, Argument::Number(indices.len()), X, Y]);
                self.step(what, "gather", arguments, reads, y, None);
            }
            Op::Resize { size, step, offset } => {
                let step = Argument::Table(self.constants.floats(&format!("{what}.step"), step)?);
                let offset = Argument::Table(self.constants.floats(&format!("{what}.offset"), offset)?);
                let mut arguments = numbers([channels, x[1], x[2], size.h, size.w]);
                arguments.extend([step, offset, X, Y]);
                self.step(what, "resize", arguments, reads, y, None);
            }
            Op::Select => {
                let mut arguments = numbers([n, shape.len()]);
                arguments.push(self.constants.indices(&format!("{what}.sizes"), shape));
                for (i, &value) in node.inputs.iter().enumerate() {
                    let steps = repeated(graph.shape(value), shape);
                    arguments.push(self.constants.indices(&format!("{what}.steps_{i}"), &steps));
                }
                arguments.extend([X, Argument::Operand(1, 0), Argument::Operand(2, 0), Y]);
                self.step(what, "select_values", arguments, reads, y, None);
            }
            Op::Reduce { function, axes } => {
                let steps = strides(x);
                let mut arguments = vec![Argument::Number(usize::from(*function)), Argument::Number(n)];
                for (part, is_reduced) in [("kept", false), ("reduced", true)] {
                    let dims: Vec<usize> = (0..x.len()).filter(|d| axes.contains(d) == is_reduced).collect();
                    let table = |from: &[usize]| dims.iter().map(|&d| from[d]).collect::<Vec<_>>();
                    let (sizes, steps) = (table(x), table(&steps));
                    if is_reduced {
                        arguments.push(Argument::Number(sizes.iter().product()));
                    }
                    arguments.push(Argument::Number(dims.len()));
                    arguments.push(self.constants.indices(&format!("{what}.{part}"), &sizes));
                    arguments.push(self.constants.indices(&format!("{what}.{part}_steps"), &steps));
                }
                arguments.extend([X, Y]);
                self.step(what, "reduce", arguments, reads, y, None);
            }
            Op::MatMul => {
                let rank = shape.len();
                let (lead, sizes) = (&shape[..rank - 2], [0, 1].map(|i| graph.shape(node.inputs[i])));
                let matrices: usize = lead.iter().product();
                let mut arguments = numbers([matrices, lead.len()]);
                arguments.push(self.constants.indices(&format!("{what}.sizes"), lead));
                for (part, from) in [("a", sizes[0]), ("b", sizes[1])] {
                    let matrix = from[rank - 2] * from[rank - 1];
                    let steps: Vec<usize> =
                        repeated(&from[..rank - 2], lead).into_iter().map(|step| step * matrix).collect();
                    arguments.push(self.constants.indices(&format!("{what}.{part}"), &steps));
                }
                arguments.extend(numbers([shape[rank - 2], sizes[0][rank - 1], shape[rank - 1]]));
                arguments.extend([X, Argument::Operand(1, 0), Y]);
                self.step(what, "mat_mul", arguments, reads, y, None);
            }
            Op::Constant { .. } => {
                let table = self.table_of(index, 0)?;
                let place = self.steps.buffer(n, Place::Table(table));
                self.step(what, "move_floats", vec![Argument::Number(n), X, Y], vec![place], y, None);
            }
            Op::Embedding { rows, features } => {
                let of = self.weights(index)?;
                let n = graph.shape(node.inputs[0]).iter().product();
                let arguments = [vec![of], numbers([*rows, *features, n]), vec![X, Y]].concat();
                self.step(what, "embedding", arguments, reads, y, None);
            }
            Op::Take { axis } => {
                let (outer, inner) = around(x, *axis);
                let n_indices = graph.shape(node.inputs[1]).iter().product();
                let mut arguments = numbers([outer, x[*axis], inner, n_indices]);
                arguments.extend([X, Argument::Operand(1, 0), Y]);
                self.step(what, "take_at", arguments, reads, y, None);
            }
            Op::Scatter { update } => {
                let k = graph.shape(node.inputs[1])[0];
                let mut arguments = numbers([usize::from(*update), x[0], x[1], k]);
                arguments.extend([X, Argument::Operand(1, 0), Argument::Operand(2, 0), Y]);
                self.step(what, "scatter", arguments, reads, y, None);
            }
            Op::TopK { axis, k, largest, indices } => {
                let (outer, inner) = around(x, *axis);
                let mut arguments = numbers([outer, x[*axis], inner, *k]);
                arguments.extend(numbers([usize::from(*largest), usize::from(*indices)]));
                arguments.extend([X, Y]);
                self.step(what, "top_k", arguments, reads, y, None);
            }
            Op::Recurrent { cell, hidden, reverse } => {
                let of = self.weights(index)?;
                let bias = Argument::Optional(Some(self.table_of(index, 1)?));
                let gates = cell.n_gates() * hidden;
                let len = if *cell == Cell::GruResetFirst { 2 * gates + hidden } else { gates };
                let scratch = self.steps.buffer(len, Place::Unknown);
                let sizes = [usize::from(*cell), usize::from(*reverse), x[0], x[1], *hidden];
                let mut arguments = [numbers(sizes), vec![of, bias]].concat();
                arguments.extend([0, 1, 2].map(|i| Argument::Operand(i, 0)));
                arguments.extend([Argument::Scratch, Y]);
                self.step(what, "recurrent", arguments, reads, y, None);
                if let Some(step) = self.steps.steps.last_mut() {
                    step.scratch = Some(scratch);
                }
            }
            // Views have no step.
            Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } | Op::Identity => {}
        }
        Ok(())
    }

    /// How a layer of so many columns reads a value as bytes, if it does.
    fn bytes_of(&self, value: usize, n_cols: usize) -> Option<int8::Input> {
        // The sum of a row fits 32 bits.
        let range = self.ranges.iter().find(|range| range.value == value && n_cols <= int8::MAX_COLS)?;
        Some(int8::Input::of(range))
    }

    /// Adds the step that makes bytes of a value; returns where they are.
    fn quantize(&mut self, what: &str, n: usize, x: Buffer, input: int8::Input) -> Buffer {
        let q = self.steps.buffer(n.div_ceil(4), Place::Unknown);
        let zero = Argument::Float(input.zero() as f32);
        let arguments = vec![Argument::Float(input.inverse()), zero, Argument::Number(n), X, Y];
        self.step(what, "quantize", arguments, vec![x], q, Some(0));
        q
    }

    /// The tables of a layer over bytes, of so many rows and columns, and positions of its kernel.
    fn int8_layer(
        &mut self,
        node: usize,
        sizes: [usize; 3],
        input: int8::Input,
    ) -> Result<int8::Layer, MicroError> {
        let own = self.parameters_of(node);
        let name = &self.graph.params()[own[0]].name;
        let bias = own.get(1).map(|&bias| self.parameters[bias].to_f32());
        int8::layer(self.constants, name, sizes, &self.parameters[own[0]], bias.as_deref(), input)
    }

    /// A layer's weights, which are its first parameter.
    fn weights(&mut self, node: usize) -> Result<Argument, MicroError> {
        let index = self.parameters_of(node)[0];
        let weight = &self.graph.params()[index];
        weights::write(self.constants, &weight.name, weight.len(), &self.parameters[index])
    }

    /// The weights of a layer and its bias.
    fn layer(&mut self, node: usize) -> Result<Vec<Argument>, MicroError> {
        let of = self.weights(node)?;
        let has_bias = self.parameters_of(node).len() > 1;
        let bias = if has_bias { Some(self.table_of(node, 1)?) } else { None };
        Ok(vec![of, Argument::Optional(bias)])
    }

    /// The parameter of that number of a node as a table.
    fn table_of(&mut self, node: usize, number: usize) -> Result<String, MicroError> {
        let index = self.parameters_of(node)[number];
        self.constants.floats(&self.graph.params()[index].name, &self.parameters[index].to_f32())
    }

    fn window(
        &mut self,
        what: &str,
        x: &[usize],
        shape: &[usize],
        kernel: Pair,
        stride: Pair,
        padding: Padding,
    ) -> Argument {
        let members = [
            x,
            &shape[1..],
            &[kernel.h, kernel.w, stride.h, stride.w],
            &[padding.top, padding.left, padding.bottom, padding.right],
        ]
        .concat();
        let members = members.into_iter().map(Argument::Number).collect();
        self.constants.record(Record::Window, &format!("{what}.window"), members)
    }

    fn zero(&mut self, what: &str, n: usize, y: Buffer) {
        self.step(what, "zero", vec![Argument::Number(n), Y], vec![], y, None);
    }

    /// A box of elements, copied from one offset of the operand to another of the result.
    #[expect(clippy::too_many_arguments, reason = "both sides of a copy")]
    fn copy(
        &mut self,
        what: &str,
        dims: &[usize],
        x_step: &[usize],
        y_step: &[usize],
        [from, to]: [usize; 2],
        reads: Vec<Buffer>,
        y: Buffer,
    ) {
        let mut table =
            |part: &str, numbers: &[usize]| self.constants.indices(&format!("{what}.{part}"), numbers);
        let tables = [table("sizes", dims), table("from", x_step), table("to", y_step)];
        let mut arguments = numbers([dims.len()]);
        arguments.extend(tables);
        arguments.extend([Argument::Operand(0, from), Argument::Result(to)]);
        self.step(what, "copy", arguments, reads, y, None);
    }

    fn pairwise(&mut self, node: usize, function: &'static str, reads: Vec<Buffer>, y: Buffer) {
        let graph = self.graph;
        let (what, inputs) = (&graph.nodes()[node].name, &graph.nodes()[node].inputs);
        let shape = graph.shape(graph.value_of(node));
        let mut arguments = vec![Argument::Function(function), Argument::Number(shape.len())];
        arguments.push(self.constants.indices(&format!("{what}.sizes"), shape));
        for (part, &value) in ["a", "b"].into_iter().zip(inputs) {
            let steps = repeated(graph.shape(value), shape);
            arguments.push(self.constants.indices(&format!("{what}.{part}"), &steps));
        }
        arguments.extend([X, Argument::Operand(1, 0), Y]);
        let in_place = (0..2).find(|&i| graph.shape(inputs[i]) == shape && inputs[0] != inputs[1]);
        self.step(what, "pairwise", arguments, reads, y, in_place);
    }
}

/// The function that computes a unary function.
fn unary(function: UnaryFunction) -> &'static str {
    match function {
        UnaryFunction::Abs => "absolute_of",
        UnaryFunction::Sign => "sign_of",
        UnaryFunction::Floor => "floor_of",
        UnaryFunction::Ceil => "ceiling_of",
        UnaryFunction::Round => "round_of",
        UnaryFunction::Truncate => "truncate_of",
        UnaryFunction::Sqrt => "square_root_of",
        UnaryFunction::Reciprocal => "reciprocal_of",
        UnaryFunction::Exp => "exponential_of",
        UnaryFunction::Log => "logarithm_of",
        UnaryFunction::Sin => "sine_of",
        UnaryFunction::Cos => "cosine_of",
        UnaryFunction::Tan => "tangent_of",
        UnaryFunction::Asin => "arcsine_of",
        UnaryFunction::Acos => "arccosine_of",
        UnaryFunction::Atan => "arctangent_of",
        UnaryFunction::Sinh => "hyperbolic_sine_of",
        UnaryFunction::Cosh => "hyperbolic_cosine_of",
        UnaryFunction::Asinh => "area_sine_of",
        UnaryFunction::Acosh => "area_cosine_of",
        UnaryFunction::Atanh => "area_tangent_of",
        UnaryFunction::Erf => "error_function_of",
        UnaryFunction::Gelu => "gelu_of",
        UnaryFunction::Softplus => "softplus_of",
        UnaryFunction::Not => "not_of",
        UnaryFunction::IsNan => "is_nan_of",
        UnaryFunction::IsInfinite => "is_infinite_of",
    }
}

/// The function that computes a binary function.
fn binary(function: BinaryFunction) -> &'static str {
    match function {
        BinaryFunction::Pow => "power_of",
        BinaryFunction::Max => "maximum_of",
        BinaryFunction::Min => "minimum_of",
        BinaryFunction::Modulo => "modulo_of",
        BinaryFunction::Remainder => "remainder_of",
        BinaryFunction::Equal => "equal_of",
        BinaryFunction::Less => "less_of",
        BinaryFunction::LessOrEqual => "less_or_equal_of",
        BinaryFunction::Greater => "greater_of",
        BinaryFunction::GreaterOrEqual => "greater_or_equal_of",
        BinaryFunction::And => "and_of",
        BinaryFunction::Or => "or_of",
        BinaryFunction::Xor => "xor_of",
    }
}

/// The stride of each dimension of a value that is broadcast to `shape`: 0 where it is repeated.
fn repeated(x: &[usize], shape: &[usize]) -> Vec<usize> {
    let steps = strides(x);
    (0..x.len()).map(|d| if x[d] == shape[d] { steps[d] } else { 0 }).collect()
}

/// Elements before a dimension, and after it.
fn around(x: &[usize], axis: usize) -> (usize, usize) {
    (x[..axis].iter().product(), x[axis + 1..].iter().product())
}

/// Whether the value equals its operand, element by element, at the same offsets.
fn is_view(op: &Op) -> bool {
    matches!(op, Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } | Op::Identity)
}

/// The stride of each dimension of a row-major value.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|d| shape[d + 1..].iter().product()).collect()
}
