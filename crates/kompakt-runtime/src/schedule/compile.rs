//! Compiles operations to steps: assigns buffers to values, and decides what runs in place and what is copied
//! first.

use super::general::{self, General};
use super::norms::Norm;
use super::supported::{along_the_batch, shapes};
use super::{
    Buffer, BufferId, Channels, Combine, InPlace, LayerSpec, Layout, OutOfPlace, PerChannel, Schedule, Step,
    StepKind,
    convolution::{convolution, pair},
};
use crate::program::{
    Binary, ConvolutionWindow, Epilogue, Operation, OperationKind as Kind, ParameterId, PoolingWindow,
    Program, Unary, ValueId,
};
use alloc::{
    boxed::Box,
    collections::BTreeMap,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use kompakt_graph::{BinaryFunction, Cell};
use kompakt_kernels::{
    Convolution, ExpandedDepthwise, Pairwise, PoolWindow, normalise::ResponseNorm, rearrange,
};
use kompakt_words::words;

/// The steps of a program, of whose values those in `norms` are norms; `is_batched` where more than one image is run at once, so that vectors have
/// another layout than images.
///
/// Errors: all operations that cannot be run here, with the reasons.
pub(super) fn compile(
    program: &Program,
    norms: &BTreeMap<ValueId, Norm>,
    is_batched: bool,
    fuses_depthwise: bool,
) -> Result<Schedule, Vec<String>> {
    let shapes = shapes(program)?;
    let n_values = program.values.len();
    let mut compiler = Compiler {
        program,
        norms,
        shapes,
        n_reads: program.n_reads(),
        schedule: Schedule::default(),
        is_batched,
        fuses_depthwise,
        buffers: vec![None; n_values],
        is_exclusive: vec![false; n_values],
        has_zeros: vec![false; n_values],
    };
    compiler.run()?;
    Ok(compiler.schedule)
}

/// Builds a [`Schedule`].
struct Compiler<'p> {
    program: &'p Program,
    norms: &'p BTreeMap<ValueId, Norm>,
    /// Of each value, without the batch.
    shapes: Vec<Vec<usize>>,
    n_reads: Vec<usize>,
    schedule: Schedule,
    is_batched: bool,
    /// Whether a convolution and the depthwise one after it may be one step.
    fuses_depthwise: bool,
    /// For each value its buffer, once assigned.
    buffers: Vec<Option<BufferId>>,
    /// Whether the buffer of a value has a single reader.
    is_exclusive: Vec<bool>,
    /// Whether a value may hold many zeros.
    has_zeros: Vec<bool>,
}

impl Compiler<'_> {
    fn run(&mut self) -> Result<(), Vec<String>> {
        for &input in &self.program.inputs {
            let buffer = self.buffer_of(input);
            self.schedule.inputs.push(buffer);
            // An input that stays in the caller's memory is not changed in place.
            let is_copied = self.is_batched && self.schedule.buffers[buffer].layout == Layout::FeatureMajor;
            self.define(input, buffer, is_copied);
            self.has_zeros[input] = true;
        }
        let mut problems = Vec::new();
        for operation in &self.program.operations {
            match along_the_batch(&operation.kind) {
                None => match self.norms.get(&operation.output) {
                    Some(norm) => self.norm(operation, norm),
                    None => self.operation(operation),
                },
                Some(problem) => problems.push(words!("node {:?}: {problem}", operation.name)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let end = self.schedule.steps.len();
        for &output in &self.program.outputs {
            let buffer = self.source(output);
            self.schedule.buffers[buffer].last = end;
            self.schedule.outputs.push(buffer);
        }
        for &input in &self.schedule.inputs {
            self.schedule.buffers[input].first = 0;
        }
        Ok(())
    }

    fn operation(&mut self, op: &Operation) {
        let (x, y) = (op.inputs[0], op.output);
        let (from, to) = (self.shapes[x].clone(), self.shapes[y].clone());
        let layout = Layout::of(&from);
        let plane: usize = from[1..].iter().product();
        let channels = Channels { n: from[0], plane, layout };
        let out_of_place = StepKind::OutOfPlace;
        match &op.kind {
            Kind::Linear { weight, epilogue } => self.layer(op, *weight, *epilogue, None),
            Kind::Convolution { weight, window, epilogue } => {
                self.layer(op, *weight, *epilogue, Some(window));
            }
            Kind::MaxPool(window) => {
                self.has_zeros[y] = self.has_zeros[x];
                self.fresh(op, out_of_place(OutOfPlace::MaxPool(pool_window(&from, &to, window))));
            }
            Kind::AveragePool { window, count_padding } => {
                let window = pool_window(&from, &to, window);
                self.fresh(op, out_of_place(OutOfPlace::AveragePool(window, *count_padding)));
            }
            Kind::GlobalAveragePool => self.fresh(op, out_of_place(OutOfPlace::GlobalAveragePool)),
            Kind::Affine { affine, relu } => {
                let numbers = self.per_channel(PerChannel::Affine(*affine));
                self.has_zeros[y] = *relu;
                self.in_place(op, InPlace::Affine { numbers, channels, relu: *relu });
            }
            Kind::Prelu { slopes } => {
                let numbers = self.per_channel(PerChannel::Numbers(*slopes));
                self.in_place(op, InPlace::Prelu { numbers, channels });
            }
            Kind::Unary(unary) => {
                let step = unary_step(*unary);
                self.has_zeros[y] =
                    matches!(step, InPlace::Relu | InPlace::Clip { low: 0.0, .. } | InPlace::HardSwish);
                if !self.clipped(op, step) {
                    self.in_place(op, step);
                }
            }
            Kind::Softmax { axis } => {
                let (len, inner) = (from[axis - 1], from[*axis..].iter().product());
                self.in_place(op, InPlace::Softmax { len, inner, layout });
            }
            Kind::LogSoftmax { .. } => {
                self.fresh(op, out_of_place(OutOfPlace::LogSoftmax { inner: plane, layout }));
            }
            Kind::Binary { operator: Binary::Add, relu } if self.shapes[op.inputs[1]] == from => {
                self.add(op, *relu);
            }
            Kind::Binary { operator: Binary::Function(function), relu } => {
                self.function_of_two(op, *function, *relu);
            }
            Kind::Binary { operator, relu } => {
                let kernel = match operator {
                    Binary::Add => (Pairwise::Add, true),
                    Binary::Mul => (Pairwise::Mul, true),
                    Binary::Sub => (Pairwise::Sub, false),
                    Binary::Div | Binary::Function(_) => (Pairwise::Div, false),
                };
                self.pairwise(op, kernel, *relu);
            }
            Kind::Select => {
                let shapes = [0, 1, 2].map(|i| self.shapes[op.inputs[i]].clone());
                self.general(op, General::Select { shapes, to });
            }
            Kind::Reduce { function, axes } => {
                let axes = axes.iter().map(|axis| axis - 1).collect();
                self.general(op, General::Reduce { function: *function, from, axes });
            }
            Kind::MatMul => {
                let other = self.shapes[op.inputs[1]].clone();
                self.general(op, General::MatMul { a: from, b: other, to });
            }
            Kind::Constant { value } => {
                self.schedule.n_constant += to.iter().product::<usize>();
                let numbers = self.per_channel(PerChannel::Numbers(*value));
                self.general(op, General::Constant { numbers });
            }
            Kind::Embedding { weight } => {
                self.schedule.tables.push(*weight);
                let (table, features) = (self.schedule.tables.len() - 1, to[to.len() - 1]);
                self.general(op, General::Embedding { table, features });
            }
            Kind::Take { axis } => {
                let (n, inner) = (from[axis - 1], from[*axis..].iter().product());
                self.general(op, General::Take { n, inner });
            }
            Kind::Scatter { update } => {
                self.general(op, General::Scatter { update: *update, m: from[1] });
            }
            Kind::TopK { axis, largest, indices } => {
                let (n, k, inner) = (from[axis - 1], to[axis - 1], from[*axis..].iter().product());
                let (largest, indices) = (*largest, *indices);
                self.general(op, General::TopK { n, k, inner, largest, indices });
            }
            Kind::Recurrent { cell, weight, bias, reverse } => {
                let layer = self.schedule.layers.len();
                self.schedule.layers.push(LayerSpec {
                    name: op.name.clone(),
                    weight: *weight,
                    epilogue: Epilogue { bias: Some(*bias), ..Epilogue::default() },
                    ceiling: None,
                    conv: None,
                    feeds_depthwise: false,
                    stays_in_memory: false,
                    input_has_zeros: false,
                    by_vector: true,
                    n_vectors: from[1],
                    n_runs: from[0] * if *cell == Cell::GruResetFirst { 2 } else { 1 },
                });
                let sizes = [from[0], from[1], self.shapes[op.inputs[1]][1]];
                let (cell, reverse) = (*cell, *reverse);
                self.fresh(op, StepKind::Recurrent { layer, cell, reverse, sizes });
            }
            Kind::Concat { axis } => {
                let n_blocks = to[..axis - 1].iter().product();
                let lengths =
                    op.inputs.iter().map(|&v| self.shapes[v][axis - 1..].iter().product()).collect();
                self.has_zeros[y] = op.inputs.iter().all(|&v| self.has_zeros[v]);
                self.fresh(op, StepKind::Concat { lengths, n_blocks, layout });
            }
            Kind::Reshape => self.reshape(op),
            Kind::Slice { start, step } => {
                let (start, step) = (start[1..].to_vec(), step[1..].to_vec());
                self.fresh(op, out_of_place(OutOfPlace::Slice { from, start, step, to, layout }));
            }
            Kind::Pad { before } => {
                let before = before[1..].to_vec();
                self.fresh(op, out_of_place(OutOfPlace::Pad { from, before, to, layout }));
            }
            Kind::Transpose { axes } => {
                let axes = axes[1..].iter().map(|axis| axis - 1).collect();
                self.fresh(op, out_of_place(OutOfPlace::Transpose { from, axes }));
            }
            Kind::Gather { axis, indices } => {
                let (len, inner) = (from[axis - 1], from[*axis..].iter().product());
                let indices = indices.clone();
                self.fresh(op, out_of_place(OutOfPlace::Gather { len, inner, layout, indices }));
            }
            Kind::Resize { step, offset } => {
                let (size, [h, w]) = ([from[1], from[2]], [to[1], to[2]]);
                let rows = rearrange::Places::new(size[0], h, step[0], offset[0]);
                let columns = rearrange::Places::new(size[1], w, step[1], offset[1]);
                self.fresh(op, out_of_place(OutOfPlace::Resize { size, rows, columns }));
            }
            Kind::Spread { step } => {
                let (size, step) = ([from[1], from[2]], pair(*step));
                self.fresh(op, out_of_place(OutOfPlace::Spread { size, step }));
            }
            &Kind::LocalResponseNorm { size, alpha, beta, bias } => {
                let norm = ResponseNorm { size, alpha, beta, bias };
                self.fresh(op, out_of_place(OutOfPlace::ResponseNorm { norm, plane, layout }));
            }
        }
    }

    /// A new, unused buffer.
    fn buffer(&mut self, len: usize, layout: Layout) -> BufferId {
        let at = self.schedule.steps.len();
        self.schedule.buffers.push(Buffer::new(len, at, layout));
        self.schedule.buffers.len() - 1
    }

    /// A new buffer for a value.
    fn buffer_of(&mut self, value: ValueId) -> BufferId {
        let shape = &self.shapes[value];
        let (len, layout) = (shape.iter().product(), Layout::of(shape));
        self.buffer(len, layout)
    }

    fn define(&mut self, value: ValueId, buffer: BufferId, own: bool) {
        self.buffers[value] = Some(buffer);
        self.is_exclusive[value] = own && self.n_reads[value] <= 1;
    }

    /// The buffer of an earlier value. Programs list operations in the order they run, so it is there.
    fn source(&self, value: ValueId) -> BufferId {
        self.buffers[value].unwrap_or(0)
    }

    fn per_channel(&mut self, numbers: PerChannel) -> usize {
        self.schedule.per_channel.push(numbers);
        self.schedule.per_channel.len() - 1
    }

    /// Appends a step.
    fn push(&mut self, name: &str, kind: StepKind, reads: Vec<BufferId>, writes: BufferId) {
        let at = self.schedule.steps.len();
        for &buffer in reads.iter().chain([&writes]) {
            self.schedule.buffers[buffer].last = at;
        }
        self.schedule.steps.push(Step {
            name: name.to_string(),
            kind,
            reads,
            writes,
            scratch: None,
            bytes: None,
        });
    }

    /// A step into a buffer of its own.
    fn fresh(&mut self, op: &Operation, kind: StepKind) {
        let reads: Vec<BufferId> = op.inputs.iter().map(|&v| self.source(v)).collect();
        let writes = self.buffer_of(op.output);
        self.push(&op.name, kind, reads, writes);
        self.define(op.output, writes, true);
    }

    /// A clip from 0 on as a part of the layer that makes its input, if that is the last step and has no bounds yet.
    fn clipped(&mut self, op: &Operation, step: InPlace) -> bool {
        let InPlace::Clip { low: 0.0, high } = step else { return false };
        let buffer = self.source(op.inputs[0]);
        let Some(last) = self.schedule.steps.last() else { return false };
        let (StepKind::Linear { layer }
        | StepKind::Vectors { layer, .. }
        | StepKind::Convolution { layer, .. }
        | StepKind::ExpandedDepthwise { layer, .. }) = last.kind
        else {
            return false;
        };
        let spec = &mut self.schedule.layers[layer];
        if last.writes != buffer || !self.is_exclusive[op.inputs[0]] || spec.ceiling.is_some() || high < 0.0 {
            return false;
        }
        (spec.epilogue.relu, spec.ceiling) = (true, Some(high));
        self.define(op.output, buffer, true);
        true
    }

    /// A step in place, on a copy if the value has other readers.
    fn in_place(&mut self, op: &Operation, kind: InPlace) {
        let buffer = self.own(op, op.inputs[0]);
        self.push(&op.name, StepKind::InPlace(kind), vec![], buffer);
        self.define(op.output, buffer, true);
    }

    /// A buffer with the value that may be changed: the value's own if only this operation reads it, else a copy.
    fn own(&mut self, op: &Operation, value: ValueId) -> BufferId {
        let source = self.source(value);
        if self.is_exclusive[value] {
            return source;
        }
        let Buffer { len, layout, .. } = self.schedule.buffers[source];
        let buffer = self.buffer(len, layout);
        self.push(&op.name, StepKind::OutOfPlace(OutOfPlace::Copy), vec![source], buffer);
        buffer
    }

    /// Values of one shape; adding a value to itself reads it twice, so that it is not exclusive.
    fn add(&mut self, op: &Operation, relu: bool) {
        let [mut sum, mut term] = [op.inputs[0], op.inputs[1]];
        if !self.is_exclusive[sum] && self.is_exclusive[term] {
            (sum, term) = (term, sum);
        }
        let buffer = self.combine(op, Combine::Add { relu }, sum, term);
        self.define(op.output, buffer, true);
        self.has_zeros[op.output] = relu;
    }

    /// Combines a value into the first, which has the output's shape, or into a new buffer where that has other
    /// readers; returns the buffer.
    fn combine(&mut self, op: &Operation, kind: Combine, first: ValueId, second: ValueId) -> BufferId {
        let (from, term) = (self.source(first), self.source(second));
        if self.is_exclusive[first] {
            self.push(&op.name, StepKind::Combine(kind), vec![term], from);
            return from;
        }
        let buffer = self.buffer_of(op.output);
        self.push(&op.name, StepKind::CombineTo(kind), vec![from, term], buffer);
        buffer
    }

    /// Combines one value into the other, which is repeated first where it must be broadcast.
    fn pairwise(&mut self, op: &Operation, (kernel, commutes): (Pairwise, bool), relu: bool) {
        let y = self.shapes[op.output].clone();
        let (mut a, mut b) = (op.inputs[0], op.inputs[1]);
        let (is_whole, is_better) = (self.shapes[a] == y, self.is_exclusive[b] && !self.is_exclusive[a]);
        if commutes && self.shapes[b] == y && (!is_whole || is_better) {
            (a, b) = (b, a);
        }
        let layout = Layout::of(&y);
        let step = |op, x: &[usize]| Combine::Pairwise { op, x: x.to_vec(), y: y.clone(), layout };
        let buffer = if self.shapes[a] != y {
            let (buffer, repeat) = (self.buffer_of(op.output), step(Pairwise::Set, &self.shapes[a]));
            self.push(&op.name, StepKind::Combine(repeat), vec![self.source(a)], buffer);
            let kind = StepKind::Combine(step(kernel, &self.shapes[b]));
            self.push(&op.name, kind, vec![self.source(b)], buffer);
            buffer
        } else {
            self.combine(op, step(kernel, &self.shapes[b]), a, b)
        };
        if relu {
            self.push(&op.name, StepKind::InPlace(InPlace::Relu), vec![], buffer);
            self.has_zeros[op.output] = true;
        }
        self.define(op.output, buffer, true);
    }

    /// A function without an operator of its own, of two values.
    fn function_of_two(&mut self, op: &Operation, function: BinaryFunction, relu: bool) {
        match function {
            BinaryFunction::Max => self.pairwise(op, (Pairwise::Max, true), relu),
            BinaryFunction::Min => self.pairwise(op, (Pairwise::Min, true), relu),
            BinaryFunction::Pow
            | BinaryFunction::Modulo
            | BinaryFunction::Remainder
            | BinaryFunction::Equal
            | BinaryFunction::Less
            | BinaryFunction::LessOrEqual
            | BinaryFunction::Greater
            | BinaryFunction::GreaterOrEqual
            | BinaryFunction::And
            | BinaryFunction::Or
            | BinaryFunction::Xor => {
                let shapes = [0, 1].map(|i| self.shapes[op.inputs[i]].clone());
                let to = self.shapes[op.output].clone();
                self.general(op, General::Binary { function, shapes, to, relu });
            }
        }
    }

    /// A norm of the input's rows.
    fn norm(&mut self, op: &Operation, norm: &Norm) {
        let Norm { len, is_centred, eps, scale, shift, affine } = *norm;
        let shape = &self.shapes[op.output];
        let rows = shape[1..].iter().product::<usize>() / len;
        let [scale, shift] = [scale, shift].map(|id| id.map(|id| self.per_channel(PerChannel::Numbers(id))));
        let by_row = affine.map(|affine| (self.per_channel(PerChannel::Affine(affine)), rows));
        self.general(op, General::Norm(general::Norm { len, is_centred, eps, scale, shift, by_row }));
    }

    /// A step that reads and writes image by image; vectors of a batch are transposed first, and back
    /// afterwards.
    fn general(&mut self, op: &Operation, kind: General) {
        let reads: Vec<BufferId> = match kind {
            // Its input is not read.
            General::Constant { .. } => Vec::new(),
            _ => op.inputs.iter().map(|&value| self.by_image(op, value)).collect(),
        };
        let writes = self.buffer_of(op.output);
        let Buffer { len, layout, .. } = self.schedule.buffers[writes];
        if self.is_batched && layout == Layout::FeatureMajor {
            let by_image = self.buffer(len, Layout::ImageMajor);
            self.push(&op.name, StepKind::General(kind), reads, by_image);
            let change = StepKind::OutOfPlace(OutOfPlace::ChangeLayout { to: layout });
            self.push(&op.name, change, vec![by_image], writes);
        } else {
            self.push(&op.name, StepKind::General(kind), reads, writes);
        }
        self.define(op.output, writes, true);
    }

    /// A buffer with the value, image by image.
    fn by_image(&mut self, op: &Operation, value: ValueId) -> BufferId {
        let source = self.source(value);
        let Buffer { len, layout, .. } = self.schedule.buffers[source];
        if !self.is_batched || layout == Layout::ImageMajor {
            return source;
        }
        let buffer = self.buffer(len, Layout::ImageMajor);
        let change = StepKind::OutOfPlace(OutOfPlace::ChangeLayout { to: Layout::ImageMajor });
        self.push(&op.name, change, vec![source], buffer);
        buffer
    }

    /// The same elements under another shape.
    fn reshape(&mut self, op: &Operation) {
        let (x, y) = (op.inputs[0], op.output);
        let (from, to) = (Layout::of(&self.shapes[x]), Layout::of(&self.shapes[y]));
        self.has_zeros[y] = self.has_zeros[x];
        if self.is_batched && from != to {
            self.fresh(op, StepKind::OutOfPlace(OutOfPlace::ChangeLayout { to }));
        } else {
            let own = self.is_exclusive[x];
            self.define(y, self.source(x), own);
        }
    }

    fn layer(
        &mut self,
        op: &Operation,
        weight: ParameterId,
        epilogue: Epilogue,
        window: Option<&ConvolutionWindow>,
    ) {
        let (x, y) = (op.inputs[0], op.output);
        // A convolution of one position is a linear layer; vectors of a batch have another layout than images.
        let window = window.filter(|window| self.is_batched || !self.is_one_position(window, x, y));
        let conv = window.map(|window| convolution(window, &self.shapes[x], &self.shapes[y]));
        let layer = self.schedule.layers.len();
        // A linear layer over the last dimension of several.
        let shape = &self.shapes[x];
        let by_vector = matches!(op.kind, Kind::Linear { .. }) && shape.len() > 1;
        let n_vectors = if by_vector { shape[..shape.len() - 1].iter().product() } else { 1 };
        self.schedule.layers.push(LayerSpec {
            name: op.name.clone(),
            weight,
            epilogue,
            ceiling: None,
            conv,
            feeds_depthwise: false,
            stays_in_memory: false,
            input_has_zeros: self.has_zeros[x],
            by_vector,
            n_vectors,
            n_runs: 1,
        });
        let source = self.source(x);
        let (kind, reads) = match conv {
            Some(conv) => match self.take_expansion(x, &conv) {
                Some((expand, convs, reads)) => {
                    self.schedule.layers[expand].feeds_depthwise = true;
                    self.schedule.layers[layer].stays_in_memory = true;
                    (StepKind::ExpandedDepthwise { expand, layer, convs: Box::new(convs) }, reads)
                }
                None => (StepKind::Convolution { layer, conv }, vec![source]),
            },
            None if by_vector => (StepKind::Vectors { layer, n: n_vectors }, vec![source]),
            None => (StepKind::Linear { layer }, vec![source]),
        };
        let writes = self.buffer_of(y);
        self.push(&op.name, kind, reads, writes);
        self.define(y, writes, true);
        self.has_zeros[y] = epilogue.relu;
    }

    /// Whether a convolution multiplies one position, all of its input.
    fn is_one_position(&self, window: &ConvolutionWindow, x: ValueId, y: ValueId) -> bool {
        let ConvolutionWindow { padding: p, groups, .. } = *window;
        let n_positions = |value: ValueId| self.shapes[value][1..].iter().product::<usize>();
        groups == 1
            && n_positions(x) == 1
            && n_positions(y) == 1
            && [p.top, p.left, p.bottom, p.right] == [0; 4]
    }

    /// Takes back the step that makes `x` if it is a convolution of one place that only this one reads, and each of its
    /// channels one channel: what is between them then needs no buffer.
    fn take_expansion(
        &mut self,
        x: ValueId,
        conv: &Convolution,
    ) -> Option<(usize, ExpandedDepthwise, Vec<BufferId>)> {
        let (source, is_exclusive) = (self.source(x), self.is_exclusive[x] && self.fuses_depthwise);
        let before = self.schedule.steps.last().filter(|step| step.writes == source && is_exclusive)?;
        let StepKind::Convolution { layer, conv: from } = before.kind else { return None };
        let convs = ExpandedDepthwise::new(&from, conv)?;
        let step = self.schedule.steps.pop()?;
        let at = self.schedule.steps.len();
        self.schedule.buffers[source] =
            Buffer { len: 0, first: at, last: at, ..self.schedule.buffers[source] };
        Some((layer, convs, step.reads))
    }
}

fn unary_step(unary: Unary) -> InPlace {
    match unary {
        Unary::Relu => InPlace::Relu,
        Unary::Sigmoid => InPlace::Sigmoid,
        Unary::Tanh => InPlace::Tanh,
        Unary::Scale { factor, offset } => InPlace::Scale { factor, offset },
        Unary::Clip { low, high } => InPlace::Clip { low, high },
        Unary::LeakyRelu { slope } => InPlace::LeakyRelu { slope },
        Unary::HardSigmoid { slope, offset } => InPlace::HardSigmoid { slope, offset },
        Unary::HardSwish => InPlace::HardSwish,
        Unary::Silu => InPlace::Silu,
        Unary::Function(function) => InPlace::Function(function),
    }
}

fn pool_window(from: &[usize], to: &[usize], window: &PoolingWindow) -> PoolWindow {
    let PoolingWindow { kernel, stride, padding } = *window;
    PoolWindow {
        size: [from[1], from[2]],
        output: [to[1], to[2]],
        kernel: pair(kernel),
        stride: pair(stride),
        before: [padding.top, padding.left],
        after: [padding.bottom, padding.right],
    }
}
