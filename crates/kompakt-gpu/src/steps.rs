//! Lowers a program to a list of steps: one per dispatch, with activations fused into the step before them.
//!
//! ```text
//! conv (scale and shift in its epilogue) ─ silu ─ pool ─ reshape ─ linear      layer (silu at its end) ─ pool ─ layer
//! ```
//!
//! A reshape adds no step: its value is the one that it reads. Shaders see one image at a time and
//! handle the batch themselves, so shapes have no batch dimension here. No wgpu.

use crate::{
    GpuError,
    layer::{Layer, Recurrence},
    shader::Shader,
};
use kompakt_graph::{BinaryFunction, Reduction, UnaryFunction, Update};
use kompakt_runtime::program::{
    Affine, Binary, DataType, Epilogue, Operation, OperationKind as Kind, ParameterId, PoolingWindow,
    Program, Unary, ValueId,
};

/// The activation at the end of a step, applied to each element.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Activation {
    /// As in `activation.wgsl`; 0 does nothing.
    pub(crate) code: u32,
    pub(crate) a: f32,
    pub(crate) b: f32,
}

impl Activation {
    fn relu(is_there: bool) -> Self {
        Self { code: u32::from(is_there), ..Self::default() }
    }

    fn words(self) -> [u32; 3] {
        [self.code, self.a.to_bits(), self.b.to_bits()]
    }
}

impl From<Unary> for Activation {
    fn from(unary: Unary) -> Self {
        let plain = |code| Self { code, a: 0.0, b: 0.0 };
        match unary {
            Unary::Relu => plain(1),
            Unary::Sigmoid => plain(2),
            Unary::Tanh => plain(3),
            Unary::Scale { factor, offset } => Self { code: 4, a: factor, b: offset },
            Unary::Clip { low, high } => Self { code: 5, a: low, b: high },
            Unary::LeakyRelu { slope } => Self { code: 6, a: slope, b: 0.0 },
            Unary::HardSigmoid { slope, offset } => Self { code: 7, a: slope, b: offset },
            Unary::HardSwish => plain(8),
            Unary::Silu => plain(9),
            Unary::Function(function) => plain(function_code(function)),
        }
    }
}

/// The case of `apply_function` in `functions.wgsl`.
fn function_code(function: UnaryFunction) -> u32 {
    match function {
        UnaryFunction::Abs => 10,
        UnaryFunction::Sign => 11,
        UnaryFunction::Floor => 12,
        UnaryFunction::Ceil => 13,
        UnaryFunction::Round => 14,
        UnaryFunction::Truncate => 15,
        UnaryFunction::Sqrt => 16,
        UnaryFunction::Reciprocal => 17,
        UnaryFunction::Exp => 18,
        UnaryFunction::Log => 19,
        UnaryFunction::Sin => 20,
        UnaryFunction::Cos => 21,
        UnaryFunction::Tan => 22,
        UnaryFunction::Asin => 23,
        UnaryFunction::Acos => 24,
        UnaryFunction::Atan => 25,
        UnaryFunction::Sinh => 26,
        UnaryFunction::Cosh => 27,
        UnaryFunction::Asinh => 28,
        UnaryFunction::Acosh => 29,
        UnaryFunction::Atanh => 30,
        UnaryFunction::Erf => 31,
        UnaryFunction::Gelu => 32,
        UnaryFunction::Softplus => 33,
        UnaryFunction::Not => 34,
        UnaryFunction::IsNan => 35,
        UnaryFunction::IsInfinite => 36,
    }
}

/// The case of `combine` in `pairwise.wgsl`.
fn binary_code(operator: Binary) -> u32 {
    match operator {
        Binary::Add => 0,
        Binary::Mul => 1,
        Binary::Sub => 2,
        Binary::Div => 3,
        Binary::Function(function) => match function {
            BinaryFunction::Pow => 4,
            BinaryFunction::Max => 5,
            BinaryFunction::Min => 6,
            BinaryFunction::Modulo => 7,
            BinaryFunction::Remainder => 8,
            BinaryFunction::Equal => 9,
            BinaryFunction::Less => 10,
            BinaryFunction::LessOrEqual => 11,
            BinaryFunction::Greater => 12,
            BinaryFunction::GreaterOrEqual => 13,
            BinaryFunction::And => 14,
            BinaryFunction::Or => 15,
            BinaryFunction::Xor => 16,
        },
    }
}

/// One step: reads values, writes one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// The first node that it computes.
    pub(crate) name: String,
    pub(crate) work: Work,
    pub(crate) activation: Option<Activation>,
    pub(crate) reads: Vec<ValueId>,
    pub(crate) writes: ValueId,
}

/// The operation of a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Work {
    /// A layer with weights.
    Layer(Layer),
    /// Anything else: a shader and its parameters. Where the step has an activation, its three words go in
    /// place of the three from `activation_at` on.
    Plain { shader: Shader, words: Vec<u32>, activation_at: usize, table: Table, groups: Groups },
}

/// An additional buffer that a shader reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Table {
    /// Nothing.
    None,
    /// None, but the shader has a binding for it.
    Empty,
    Indices(Vec<u32>),
    /// Scale, then shift, of each channel.
    Affine(Affine),
    Numbers(ParameterId),
}

/// The number of workgroups per image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Groups {
    /// One lane per element of the result; the number of elements per image.
    Elements(u64),
    /// One workgroup per result; the number of results per image.
    Each(u64),
    /// The same number whatever the batch.
    Fixed(u64),
    /// One workgroup per tile of rows and positions of all images: rows, rows per tile, positions per image,
    /// positions per tile.
    Tiles { rows: u64, tile_rows: u64, positions: u64, tile_positions: u64 },
}

/// A program as steps.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    pub(crate) steps: Vec<Step>,
    /// The inputs.
    pub(crate) inputs: Vec<ValueId>,
    /// The outputs, as steps compute them.
    pub(crate) outputs: Vec<ValueId>,
    /// Elements per image, for each value.
    pub(crate) lens: Vec<usize>,
}

impl Lowered {
    /// Errors: steps that read or write indices, which 16-bit floats cannot hold exactly beyond 2048.
    pub(crate) fn check_half(&self) -> Result<(), GpuError> {
        let has_indices = |step: &&Step| match &step.work {
            Work::Layer(layer) => layer.is_embedding(),
            Work::Plain { shader: Shader::Take | Shader::Scatter, .. } => true,
            Work::Plain { shader: Shader::Reduce, words, .. } => words[3] > 4,
            Work::Plain { shader: Shader::TopK, words, .. } => words[5] == 1,
            Work::Plain { .. } => false,
        };
        let text = |step: &Step| format!("{}: indices in 16 bits, which --half asks for", step.name);
        let problems: Vec<String> = self.steps.iter().filter(has_indices).map(text).collect();
        if problems.is_empty() { Ok(()) } else { Err(GpuError::Unsupported(problems)) }
    }
}

/// Lowers a program. `rows_of` returns rows and columns of a parameter.
///
/// Errors: [`GpuError::Unsupported`] with all operations that shaders do not support.
pub(crate) fn lower(
    program: &Program,
    rows_of: &dyn Fn(ParameterId) -> (usize, usize),
) -> Result<Lowered, GpuError> {
    let mut problems = Vec::new();
    let mut shapes = Vec::with_capacity(program.values().len());
    for value in program.values() {
        let shape = value.shape.without_batch().filter(|_| value.data_type == DataType::F32);
        if shape.is_none() {
            problems.push(format!("{}: values are f32, one an image, of fixed shapes", value.name));
        }
        shapes.push(shape.unwrap_or_default());
    }
    let mut n_reads = vec![0; shapes.len()];
    program.operations().iter().flat_map(|op| &op.inputs).for_each(|&v| n_reads[v] += 1);
    program.outputs().iter().for_each(|&v| n_reads[v] += 2);
    let mut lowering = Lowering {
        same_as: (0..shapes.len()).collect(),
        made_by: vec![None; shapes.len()],
        shapes,
        n_reads,
        steps: Vec::new(),
        rows_of,
    };
    if problems.is_empty() {
        for op in program.operations() {
            if let Err(problem) = lowering.operation(op) {
                problems.push(format!("{}: {problem}", op.name));
            }
        }
    }
    if !problems.is_empty() {
        return Err(GpuError::Unsupported(problems));
    }
    let outputs = program.outputs().iter().map(|&v| lowering.same_as[v]).collect();
    let lens = lowering.shapes.iter().map(|shape| shape.iter().product()).collect();
    Ok(Lowered { steps: lowering.steps, inputs: program.inputs().to_vec(), outputs, lens })
}

struct Lowering<'l> {
    /// Shapes of all values, without the batch.
    shapes: Vec<Vec<usize>>,
    /// For each value, the one that it is a view of.
    same_as: Vec<ValueId>,
    /// The step that writes a value, if a single one does.
    made_by: Vec<Option<usize>>,
    n_reads: Vec<usize>,
    steps: Vec<Step>,
    rows_of: &'l dyn Fn(ParameterId) -> (usize, usize),
}

impl Lowering<'_> {
    fn operation(&mut self, op: &Operation) -> Result<(), String> {
        let reads: Vec<ValueId> = op.inputs.iter().map(|&v| self.same_as[v]).collect();
        let x = self.shapes[op.inputs[0]].clone();
        let y = self.shapes[op.output].clone();
        let n: usize = y.iter().product();
        let elements = Groups::Elements(n as u64);
        let work = match &op.kind {
            Kind::Reshape => {
                self.same_as[op.output] = reads[0];
                return Ok(());
            }
            Kind::Linear { weight, epilogue } => {
                return self.layer(op, reads, Layer::linear(*weight, epilogue, &x, &y)?, epilogue);
            }
            Kind::Convolution { weight, window, epilogue } => {
                return self.layer(
                    op,
                    reads,
                    Layer::convolution(*weight, epilogue, window, &x, &y)?,
                    epilogue,
                );
            }
            Kind::Unary(unary) => {
                // Fused into the step that writes its operand, if nothing else reads that.
                let before = self.made_by[reads[0]]
                    .filter(|_| self.n_reads[op.inputs[0]] == 1 && reads[0] == op.inputs[0]);
                if let Some(index) = before
                    && let step = &mut self.steps[index]
                    && step.activation == Some(Activation::default())
                {
                    step.activation = Some((*unary).into());
                    step.writes = op.output;
                    self.made_by[op.output] = Some(index);
                    return Ok(());
                }
                let work = pointwise(n, 1, n, 0, Table::Empty);
                self.push(op, reads, work, Some((*unary).into()));
                return Ok(());
            }
            Kind::Affine { affine, relu } => {
                let channels = first(&y)?;
                let work = pointwise(n, channels, n / channels, 1, Table::Affine(*affine));
                self.push(op, reads, work, Some(Activation::relu(*relu)));
                return Ok(());
            }
            Kind::Prelu { slopes } => {
                let channels = first(&y)?;
                let work = pointwise(n, channels, n / channels, 2, Table::Numbers(*slopes));
                self.push(op, reads, work, Some(Activation::default()));
                return Ok(());
            }
            Kind::Binary { operator, relu } => {
                let b = &self.shapes[op.inputs[1]];
                let code = binary_code(*operator);
                if x.len() != y.len() || b.len() != y.len() {
                    return Err("operands of different ranks".into());
                }
                let mut words = vec![
                    word(n),
                    word(x.iter().product()),
                    word(b.iter().product()),
                    code,
                    0,
                    0,
                    0,
                    word(y.len()),
                ];
                words.extend(eight(&y)?);
                words.extend(eight(&repeated_strides(&x))?);
                words.extend(eight(&repeated_strides(b))?);
                let work = plain_with(Shader::Pairwise, words, 4, Table::None, elements);
                self.push(op, reads, work, Some(Activation::relu(*relu)));
                return Ok(());
            }
            Kind::Constant { value } => pointwise(n, n, 1, 3, Table::Numbers(*value)),
            Kind::Embedding { weight } => {
                let n_indices: usize = x.iter().product();
                let shape = (self.rows_of)(*weight);
                let layer = Layer::embedding(*weight, shape, n_indices)?;
                self.push(op, reads, Work::Layer(layer), None);
                return Ok(());
            }
            Kind::Select => {
                let [a, b] = [&self.shapes[op.inputs[1]], &self.shapes[op.inputs[2]]];
                if [&x, a, b].iter().any(|shape| shape.len() != y.len()) {
                    return Err("operands of different ranks".into());
                }
                let len = |shape: &[usize]| word(shape.iter().product());
                let mut words = vec![word(n), len(&x), len(a), len(b), word(y.len()), 0, 0, 0];
                for list in [y.clone(), repeated_strides(&x), repeated_strides(a), repeated_strides(b)] {
                    words.extend(eight(&list)?);
                }
                plain(Shader::Select, words, elements)
            }
            Kind::Reduce { function, axes } => reduce(*function, axes, &x, n)?,
            Kind::MatMul => matmul(&x, &self.shapes[op.inputs[1]], &y)?,
            Kind::Take { axis } => {
                let axis = without_batch(*axis)?;
                let k: usize = self.shapes[op.inputs[1]].iter().product();
                let inner: usize = x[axis + 1..].iter().product();
                let words = [x[axis], inner, k, x[..axis].iter().product()].map(word).to_vec();
                plain(Shader::Take, words, elements)
            }
            Kind::Scatter { update } => {
                let k: usize = self.shapes[op.inputs[1]].iter().product();
                let update = match update {
                    Update::Set => 0,
                    Update::Add => 1,
                    Update::Multiply => 2,
                    Update::Max => 3,
                    Update::Min => 4,
                };
                let m = x.get(1).copied().ok_or("rows of a matrix are written")?;
                plain(Shader::Scatter, vec![word(x[0]), word(m), word(k), update], elements)
            }
            Kind::TopK { axis, largest, indices } => {
                let axis = without_batch(*axis)?;
                let (outer, inner): (usize, usize) =
                    (x[..axis].iter().product(), x[axis + 1..].iter().product());
                let mut words = [x[axis], y[axis], inner, outer].map(word).to_vec();
                words.extend([u32::from(*largest), u32::from(*indices), 0, 0]);
                plain(Shader::TopK, words, Groups::Elements((outer * inner) as u64))
            }
            Kind::MaxPool(window) => pool(window, 0, &x, &y)?,
            Kind::AveragePool { window, count_padding } => {
                pool(window, 1 + u32::from(*count_padding), &x, &y)?
            }
            Kind::GlobalAveragePool => {
                let [_, h, w] = image(&x)?;
                let kernel = kompakt_graph::Pair { h, w };
                let window = PoolingWindow { kernel, stride: kernel, padding: Default::default() };
                pool(&window, 1, &x, &y)?
            }
            Kind::Softmax { axis } => softmax(*axis, false, &y)?,
            Kind::LogSoftmax { axis } => softmax(*axis, true, &y)?,
            Kind::Concat { axis } => {
                let axis = without_batch(*axis)?;
                let mut at = 0;
                for (&operand, &read) in op.inputs.iter().zip(&reads) {
                    let shape = self.shapes[operand].clone();
                    let mut moves = Moves::of(&shape);
                    moves.first = at * y[axis + 1..].iter().product::<usize>();
                    moves.to = strides(&y);
                    at += shape[axis];
                    let work = moves.work(&shape, &y)?;
                    self.steps.push(Step {
                        name: op.name.clone(),
                        work,
                        activation: None,
                        reads: vec![read],
                        writes: op.output,
                    });
                }
                return Ok(());
            }
            Kind::Slice { start, step } => {
                let (start, step) = (of_image(start, 0)?, of_image(step, 1)?);
                let minus = start.iter().map(|&s| -signed(s)).collect();
                Moves { times: step.to_vec(), minus, ..Moves::of(&y) }.work(&x, &y)?
            }
            Kind::Pad { before } => {
                let minus = of_image(before, 0)?.iter().map(|&b| signed(b)).collect();
                Moves { minus, ..Moves::of(&y) }.work(&x, &y)?
            }
            Kind::Transpose { axes } => {
                let from =
                    of_image(axes, 0)?.iter().map(|&axis| without_batch(axis)).collect::<Result<_, _>>()?;
                Moves { from, ..Moves::of(&y) }.work(&x, &y)?
            }
            Kind::Gather { axis, indices } => {
                let table = Some((without_batch(*axis)?, indices.clone()));
                Moves { table, ..Moves::of(&y) }.work(&x, &y)?
            }
            Kind::Spread { step } => Moves { by: vec![1, step.h, step.w], ..Moves::of(&y) }.work(&x, &y)?,
            Kind::Resize { step, offset } => {
                let ([c, h, w], [_, out_h, out_w]) = (image(&x)?, image(&y)?);
                let mut words = [c, h, w, out_h, out_w].map(word).to_vec();
                words.extend([step[0], step[1], offset[0], offset[1]].map(f32::to_bits));
                words.extend([0; 3]);
                plain(Shader::Resize, words, elements)
            }
            Kind::Recurrent { cell, weight, bias, reverse } => {
                let (&[time, n_sequences, _], &[_, n_hidden]) = (&x[..], &self.shapes[op.inputs[1]][..])
                else {
                    return Err("states of other ranks".into());
                };
                let recurrence = Recurrence { cell: *cell, reverse: *reverse, time, n_sequences };
                Work::Layer(Layer::recurrent(*weight, *bias, n_hidden, recurrence)?)
            }
            Kind::LocalResponseNorm { size, alpha, beta, bias } => {
                let channels = first(&y)?;
                let mut words = [channels, n / channels, *size].map(word).to_vec();
                words.extend([*alpha, *beta, *bias].map(f32::to_bits));
                words.extend([0; 2]);
                plain(Shader::LocalResponseNorm, words, elements)
            }
        };
        self.push(op, reads, work, None);
        Ok(())
    }

    fn layer(
        &mut self,
        op: &Operation,
        reads: Vec<ValueId>,
        layer: Layer,
        epilogue: &Epilogue,
    ) -> Result<(), String> {
        self.push(op, reads, Work::Layer(layer), Some(Activation::relu(epilogue.relu)));
        Ok(())
    }

    fn push(&mut self, op: &Operation, reads: Vec<ValueId>, work: Work, activation: Option<Activation>) {
        self.made_by[op.output] = Some(self.steps.len());
        self.steps.push(Step { name: op.name.clone(), work, activation, reads, writes: op.output });
    }
}

impl Step {
    /// The shader parameters of a step without weights.
    pub(crate) fn words(&self) -> Vec<u32> {
        let Work::Plain { words, activation_at, .. } = &self.work else { return Vec::new() };
        let mut words = words.clone();
        if let Some(activation) = self.activation {
            words[*activation_at..activation_at + 3].copy_from_slice(&activation.words());
        }
        words
    }
}

impl Layer {
    /// The words of an activation.
    pub(crate) fn activation_words(activation: Option<Activation>) -> [u32; 3] {
        activation.unwrap_or_default().words()
    }
}

fn plain(shader: Shader, words: Vec<u32>, groups: Groups) -> Work {
    plain_with(shader, words, 0, Table::None, groups)
}

fn plain_with(shader: Shader, words: Vec<u32>, activation_at: usize, table: Table, groups: Groups) -> Work {
    Work::Plain { shader, words, activation_at, table, groups }
}

/// Each of `n` elements on its own; `mode` as in `pointwise.wgsl`.
fn pointwise(n: usize, channels: usize, area: usize, mode: u32, table: Table) -> Work {
    let words = vec![word(n), word(channels), word(area), mode, 0, 0, 0, 0];
    plain_with(Shader::Pointwise, words, 4, table, Groups::Elements(n as u64))
}

/// `mode` as in `pool.wgsl`.
fn pool(window: &PoolingWindow, mode: u32, x: &[usize], y: &[usize]) -> Result<Work, String> {
    let ([c, h, w], [_, out_h, out_w]) = (image(x)?, image(y)?);
    let PoolingWindow { kernel, stride, padding } = *window;
    check_extent([h, padding.top, padding.bottom, kernel.h, stride.h])?;
    check_extent([w, padding.left, padding.right, kernel.w, stride.w])?;
    let mut words = [
        c,
        h,
        w,
        out_h,
        out_w,
        kernel.h,
        kernel.w,
        stride.h,
        stride.w,
        padding.top,
        padding.left,
        padding.bottom,
        padding.right,
    ]
    .map(word)
    .to_vec();
    words.extend([mode, 0, 0]);
    Ok(plain(Shader::Pool, words, Groups::Elements(y.iter().product::<usize>() as u64)))
}

fn softmax(axis: usize, is_log: bool, y: &[usize]) -> Result<Work, String> {
    let axis = without_batch(axis)?;
    let (outer, inner): (usize, usize) = (y[..axis].iter().product(), y[axis + 1..].iter().product());
    let words = vec![word(y[axis]), word(inner), u32::from(is_log), word(outer)];
    Ok(plain(Shader::Softmax, words, Groups::Each((outer * inner) as u64)))
}

fn reduce(function: Reduction, axes: &[usize], x: &[usize], n: usize) -> Result<Work, String> {
    let kind = match function {
        Reduction::Sum => 0,
        Reduction::Mean => 1,
        Reduction::Product => 2,
        Reduction::Max => 3,
        Reduction::Min => 4,
        Reduction::ArgMax => 5,
        Reduction::ArgMin => 6,
    };
    let axes: Vec<usize> = axes.iter().map(|&axis| without_batch(axis)).collect::<Result<_, _>>()?;
    let strides = strides(x);
    let part = |is_gone: bool| -> (Vec<usize>, Vec<usize>) {
        let those = (0..x.len()).filter(|d| axes.contains(d) == is_gone);
        those.map(|d| (x[d], strides[d])).unzip()
    };
    let (kept, gone) = (part(false), part(true));
    let lens = [n, x.iter().product(), gone.0.iter().product()].map(word);
    let mut words = lens.to_vec();
    words.extend([kind, word(kept.0.len()), word(gone.0.len()), 0, 0]);
    for list in [&kept.0, &kept.1, &gone.0, &gone.1] {
        words.extend(eight(list)?);
    }
    Ok(plain(Shader::Reduce, words, Groups::Each(n as u64)))
}

fn matmul(a: &[usize], b: &[usize], y: &[usize]) -> Result<Work, String> {
    let rank = y.len();
    if rank < 2 || a.len() != rank || b.len() != rank {
        return Err("matrices of different ranks".into());
    }
    let lead = rank - 2;
    let (m, n, k) = (y[lead], y[lead + 1], a[lead + 1]);
    let matrices: usize = y[..lead].iter().product();
    let lens = [m, n, k, matrices, a.iter().product(), b.iter().product(), lead, 0];
    let mut words = lens.map(word).to_vec();
    for list in [&y[..lead], &repeated_strides(a)[..lead], &repeated_strides(b)[..lead]] {
        words.extend(eight(list)?);
    }
    let tiles = m.div_ceil(16) * n.div_ceil(16);
    Ok(plain(Shader::MatMul, words, Groups::Each((matrices * tiles) as u64)))
}

/// A rearrangement of elements: see `rearrange.wgsl`.
#[derive(Debug, Clone)]
struct Moves {
    /// Shape of the written elements, and for each dimension the one of the input that it reads.
    sizes: Vec<usize>,
    from: Vec<usize>,
    times: Vec<usize>,
    minus: Vec<i64>,
    by: Vec<usize>,
    /// A dimension whose indices are listed.
    table: Option<(usize, Vec<usize>)>,
    /// Offset and strides of the elements in an image of the result.
    first: usize,
    to: Vec<usize>,
}

impl Moves {
    /// The identity.
    fn of(sizes: &[usize]) -> Self {
        let n = sizes.len();
        Self {
            sizes: sizes.to_vec(),
            from: (0..n).collect(),
            times: vec![1; n],
            minus: vec![0; n],
            by: vec![1; n],
            table: None,
            first: 0,
            to: strides(sizes),
        }
    }

    fn work(self, x: &[usize], y: &[usize]) -> Result<Work, String> {
        let rank = self.sizes.len();
        if x.len() != rank
            || self.from.iter().any(|&d| d >= rank)
            || self.minus.len() != rank
            || self.by.len() != rank
        {
            return Err("ranks that do not agree".into());
        }
        let n: usize = self.sizes.iter().product();
        let from_strides = strides(x);
        let axis = self.table.as_ref().map_or(u32::MAX, |(axis, _)| word(*axis));
        let [x_len, y_len]: [usize; 2] = [x.iter().product(), y.iter().product()];
        let mut words = vec![word(n), word(x_len), word(y_len), word(self.first), word(rank), axis, 0, 0];
        words.extend(eight(&self.sizes)?);
        words.extend(eight(&self.from.iter().map(|&d| x[d]).collect::<Vec<_>>())?);
        words.extend(eight(&self.from.iter().map(|&d| from_strides[d]).collect::<Vec<_>>())?);
        words.extend(eight(&self.times)?);
        let mut minus = [0u32; 8];
        for (word, &m) in minus.iter_mut().zip(&self.minus) {
            *word = i32::try_from(m).map_err(|_| "offsets beyond 2^31")?.cast_unsigned();
        }
        words.extend(minus);
        words.extend(eight(&self.by)?);
        words.extend(eight(&self.to)?);
        let table = match self.table {
            None => Table::Empty,
            Some((axis, indices)) => {
                // No shader can read past a buffer; the list is checked nevertheless.
                if indices.len() != self.sizes[axis] || indices.iter().any(|&i| i >= x[self.from[axis]]) {
                    return Err("an index that is not there".into());
                }
                Table::Indices(indices.into_iter().map(word).collect())
            }
        };
        Ok(plain_with(Shader::Rearrange, words, 0, table, Groups::Elements(n as u64)))
    }
}

/// Sizes are checked before steps are run: values have at most 2^31 elements.
pub(crate) fn word(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Errors: sides, padding included, that are too long for a shader's arithmetic.
pub(crate) fn check_extent(parts: [usize; 5]) -> Result<(), String> {
    let sum = parts.into_iter().try_fold(0usize, usize::checked_add);
    sum.filter(|sum| *sum <= 1 << 30).map(|_| ()).ok_or_else(|| "more than 2^30 places along a side".into())
}

/// As channels, height and width.
pub(crate) fn image(shape: &[usize]) -> Result<[usize; 3], String> {
    shape.try_into().map_err(|_| format!("images have three dimensions, not {}", shape.len()))
}

/// The channel dimension.
fn first(shape: &[usize]) -> Result<usize, String> {
    shape.first().copied().ok_or_else(|| "a value without channels".to_string())
}

fn without_batch(axis: usize) -> Result<usize, String> {
    axis.checked_sub(1).ok_or_else(|| "it works across images".to_string())
}

/// A list with one number per axis, without the batch axis, whose number must be `batch`.
fn of_image(list: &[usize], batch: usize) -> Result<&[usize], String> {
    match list {
        [first, rest @ ..] if *first == batch => Ok(rest),
        _ => Err("it works across images".into()),
    }
}

/// Padded to the two vectors of four that a uniform buffer holds.
fn eight(values: &[usize]) -> Result<[u32; 8], String> {
    if values.len() > 8 {
        return Err("more than eight dimensions".into());
    }
    let mut words = [1; 8];
    for (to, &from) in words.iter_mut().zip(values) {
        *to = word(from);
    }
    Ok(words)
}

/// Row-major.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    strides
}

/// The same, 0 along broadcast dimensions.
fn repeated_strides(shape: &[usize]) -> Vec<usize> {
    strides(shape).into_iter().zip(shape).map(|(stride, &size)| if size == 1 { 0 } else { stride }).collect()
}
