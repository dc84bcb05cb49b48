//! Lowers a program to a list of steps.

use super::{
    Activation, Lowered, Step, Table, Work,
    dimensions::first,
    elementwise::{pairwise, pointwise, select},
    matmul::matmul,
    moves,
    reductions::{reduce, softmax, top_k},
    windows::{global_average, local_response_norm, pool, resize},
};
use crate::{
    GpuError,
    layer::{Layer, Recurrence},
};
use kompakt_runtime::program::{
    DataType, Epilogue, Operation, OperationKind as Kind, ParameterId, Program, ValueId,
};

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
                let work = pairwise(*operator, &x, &self.shapes[op.inputs[1]], &y)?;
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
            Kind::Select => select(&x, &self.shapes[op.inputs[1]], &self.shapes[op.inputs[2]], &y)?,
            Kind::Reduce { function, axes } => reduce(*function, axes, &x, n)?,
            Kind::MatMul => matmul(&x, &self.shapes[op.inputs[1]], &y)?,
            Kind::Take { axis } => moves::take(*axis, &x, &self.shapes[op.inputs[1]], &y)?,
            Kind::Scatter { update } => moves::scatter(*update, &x, &self.shapes[op.inputs[1]], &y)?,
            Kind::TopK { axis, largest, indices } => top_k(*axis, *largest, *indices, &x, &y)?,
            Kind::MaxPool(window) => pool(window, 0, &x, &y)?,
            Kind::AveragePool { window, count_padding } => {
                pool(window, 1 + u32::from(*count_padding), &x, &y)?
            }
            Kind::GlobalAveragePool => global_average(&x, &y)?,
            Kind::Softmax { axis } => softmax(*axis, false, &y)?,
            Kind::LogSoftmax { axis } => softmax(*axis, true, &y)?,
            Kind::Concat { axis } => {
                let mut at = 0;
                for (&operand, &read) in op.inputs.iter().zip(&reads) {
                    let shape = &self.shapes[operand];
                    let work = moves::part(*axis, at, shape, &y)?;
                    at += shape[*axis - 1];
                    let (name, reads) = (op.name.clone(), vec![read]);
                    self.steps.push(Step { name, work, activation: None, reads, writes: op.output });
                }
                return Ok(());
            }
            Kind::Slice { start, step } => moves::slice(start, step, &x, &y)?,
            Kind::Pad { before } => moves::pad(before, &x, &y)?,
            Kind::Transpose { axes } => moves::transpose(axes, &x, &y)?,
            Kind::Gather { axis, indices } => moves::gather(*axis, indices, &x, &y)?,
            Kind::Spread { step } => moves::spread(*step, &x, &y)?,
            Kind::Resize { step, offset } => resize(*step, *offset, &x, &y)?,
            Kind::Recurrent { cell, weight, bias, reverse } => {
                let (&[time, n_sequences, _], &[_, n_hidden]) = (&x[..], &self.shapes[op.inputs[1]][..])
                else {
                    return Err("states of other ranks".into());
                };
                let recurrence = Recurrence { cell: *cell, reverse: *reverse, time, n_sequences };
                Work::Layer(Layer::recurrent(*weight, *bias, n_hidden, recurrence)?)
            }
            Kind::LocalResponseNorm { size, alpha, beta, bias } => {
                local_response_norm(*size, [*alpha, *beta, *bias], &y)?
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
