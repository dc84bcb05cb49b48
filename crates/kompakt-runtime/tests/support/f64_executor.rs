//! An executor outside the crate: runs a program in double precision through the public interface only.
//!
//! It is written for brevity: each operation visits the elements of its output by their indices.

use kompakt_graph::{BinaryFunction, Cell, Reduction, UnaryFunction, Update};
use kompakt_runtime::{
    Executor, Model, Parameters, Plan, RuntimeError,
    program::{
        Affine, Binary, Epilogue, Operation, OperationKind as Kind, ParameterId, Program, Sizes, Unary,
    },
};

/// Runs one program.
#[derive(Debug)]
pub(crate) struct F64Executor<'m> {
    program: Program,
    parameters: Parameters<'m>,
    plan: Plan,
}

#[derive(Debug, Clone, Default)]
struct Tensor {
    dims: Vec<usize>,
    data: Vec<f64>,
}

impl<'m> F64Executor<'m> {
    pub(crate) fn new(model: &'m Model<'m>) -> Result<Self, RuntimeError> {
        let mut plan = Plan::default();
        (plan.isa, plan.threads, plan.max_batch) = ("f64", 1, usize::MAX);
        Ok(Self { program: model.program()?, parameters: model.parameters()?, plan })
    }

    /// The weight of a layer, `[rows, cols]`, zeros included.
    fn weight(&mut self, weight: ParameterId) -> Result<(Vec<f64>, usize), RuntimeError> {
        let rows = self.parameters.rows(weight)?;
        Ok((rows.to_dense().into_iter().map(f64::from).collect(), rows.n_cols()))
    }

    fn operation(&mut self, op: &Operation, x: &[&Tensor], dims: Vec<usize>) -> Result<Tensor, RuntimeError> {
        let first = x[0];
        let data = match &op.kind {
            Kind::Linear { weight, epilogue } => {
                let (w, n_in) = self.weight(*weight)?;
                let after = self.epilogue(epilogue)?;
                each(&dims, |at| {
                    let row = &w[at[1] * n_in..(at[1] + 1) * n_in];
                    after(at[1], (0..n_in).map(|i| row[i] * first.at(&[at[0], i])).sum())
                })
            }
            Kind::Convolution { weight, window, epilogue } => {
                let (w, n_cols) = self.weight(*weight)?;
                let after = self.epilogue(epilogue)?;
                let (kernel, groups) = (window.kernel, window.groups);
                let (channels, outputs) = (first.dims[1] / groups, dims[1] / groups);
                each(&dims, |at| {
                    let mut sum = 0.0;
                    for (i, w) in w[at[1] * n_cols..(at[1] + 1) * n_cols].iter().enumerate() {
                        let (c, place) = (i / (kernel.h * kernel.w), i % (kernel.h * kernel.w));
                        let y = at[2] * window.stride.h + place / kernel.w * window.dilation.h;
                        let x = at[3] * window.stride.w + place % kernel.w * window.dilation.w;
                        let c = at[1] / outputs * channels + c;
                        if let (Some(y), Some(x)) =
                            (y.checked_sub(window.padding.top), x.checked_sub(window.padding.left))
                            && y < first.dims[2]
                            && x < first.dims[3]
                        {
                            sum += w * first.at(&[at[0], c, y, x]);
                        }
                    }
                    after(at[1], sum)
                })
            }
            Kind::MaxPool(_) | Kind::AveragePool { .. } => {
                let (window, count_padding) = match &op.kind {
                    Kind::AveragePool { window, count_padding } => (*window, Some(*count_padding)),
                    Kind::MaxPool(window) => (*window, None),
                    other => unreachable!("{other:?}"),
                };
                let (pad, [h, w]) = (window.padding, [first.dims[2], first.dims[3]]);
                each(&dims, |at| {
                    let (mut found, mut n_cells) = (Vec::new(), 0);
                    for i in 0..window.kernel.h * window.kernel.w {
                        let y = at[2] * window.stride.h + i / window.kernel.w;
                        let x = at[3] * window.stride.w + i % window.kernel.w;
                        n_cells += usize::from(y < pad.top + h + pad.bottom && x < pad.left + w + pad.right);
                        if y >= pad.top && y < pad.top + h && x >= pad.left && x < pad.left + w {
                            found.push(first.at(&[at[0], at[1], y - pad.top, x - pad.left]));
                        }
                    }
                    match count_padding {
                        None => found.into_iter().fold(f64::NEG_INFINITY, f64::max),
                        Some(all) => {
                            found.iter().sum::<f64>() / if all { n_cells } else { found.len() } as f64
                        }
                    }
                })
            }
            Kind::GlobalAveragePool => {
                let area = first.dims[2] * first.dims[3];
                first.data.chunks(area).map(|plane| plane.iter().sum::<f64>() / area as f64).collect()
            }
            Kind::Affine { affine, relu } => {
                let after = self.epilogue(&Epilogue { bias: None, affine: Some(*affine), relu: *relu })?;
                each(&dims, |at| after(at[1], first.at(at)))
            }
            Kind::Prelu { slopes } => {
                let slopes = self.parameters.numbers(*slopes)?;
                each(&dims, |at| match first.at(at) {
                    v if v < 0.0 => v * f64::from(slopes[at[1]]),
                    v => v,
                })
            }
            Kind::Unary(unary) => first.data.iter().map(|&v| apply(*unary, v)).collect(),
            Kind::Softmax { axis } => softmax(first, *axis),
            Kind::LogSoftmax { axis } => softmax(first, *axis).into_iter().map(f64::ln).collect(),
            Kind::Binary { operator, relu } => each(&dims, |at| {
                let (a, b) = (first.repeated(at), x[1].repeated(at));
                let y = match operator {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Function(function) => of_two(*function, a, b),
                };
                if *relu { y.max(0.0) } else { y }
            }),
            Kind::Concat { axis } => each(&dims, |at| {
                let mut at = at.to_vec();
                for part in x {
                    if at[*axis] < part.dims[*axis] {
                        return part.at(&at);
                    }
                    at[*axis] -= part.dims[*axis];
                }
                f64::NAN
            }),
            Kind::Reshape => first.data.clone(),
            Kind::Slice { start, step } => each(&dims, |at| {
                first.at(&(0..at.len()).map(|d| start[d] + at[d] * step[d]).collect::<Vec<_>>())
            }),
            Kind::Pad { before } => each(&dims, |at| {
                let inside: Option<Vec<usize>> = (0..at.len())
                    .map(|d| at[d].checked_sub(before[d]).filter(|i| *i < first.dims[d]))
                    .collect();
                inside.map_or(0.0, |at| first.at(&at))
            }),
            Kind::Transpose { axes } => each(&dims, |at| {
                let mut from = vec![0; at.len()];
                axes.iter().enumerate().for_each(|(to, &axis)| from[axis] = at[to]);
                first.at(&from)
            }),
            Kind::Gather { axis, indices } => each(&dims, |at| {
                let mut at = at.to_vec();
                at[*axis] = indices[at[*axis]];
                first.at(&at)
            }),
            Kind::Resize { step, offset } => each(&dims, |at| {
                let place = |d: usize| {
                    let last = first.dims[d + 2] - 1;
                    let at = (at[d + 2] as f64 * f64::from(step[d]) + f64::from(offset[d]))
                        .clamp(0.0, last as f64);
                    (at.floor() as usize, (at.floor() as usize + 1).min(last), at.fract())
                };
                let ((top, bottom, v), (left, right, h)) = (place(0), place(1));
                let row = |y| {
                    let pixel = |x| first.at(&[at[0], at[1], y, x]);
                    pixel(left) * (1.0 - h) + pixel(right) * h
                };
                row(top) * (1.0 - v) + row(bottom) * v
            }),
            Kind::Spread { step } => each(&dims, |at| {
                let is_pixel = at[2].is_multiple_of(step.h) && at[3].is_multiple_of(step.w);
                if is_pixel { first.at(&[at[0], at[1], at[2] / step.h, at[3] / step.w]) } else { 0.0 }
            }),
            Kind::Select => {
                each(
                    &dims,
                    |at| {
                        if first.repeated(at) == 0.0 { x[2].repeated(at) } else { x[1].repeated(at) }
                    },
                )
            }
            Kind::Reduce { function, axes } => each(&dims, |at| {
                let mut all = vec![];
                let sizes: Vec<usize> = axes.iter().map(|&axis| first.dims[axis]).collect();
                each(&sizes, |inner| {
                    let mut at = at.to_vec();
                    axes.iter().zip(inner).for_each(|(&axis, &i)| at[axis] = i);
                    all.push(first.at(&at));
                    0.0
                });
                match function {
                    Reduction::Sum => all.iter().sum(),
                    Reduction::Mean => all.iter().sum::<f64>() / all.len() as f64,
                    Reduction::Max => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    Reduction::Min => all.iter().copied().fold(f64::INFINITY, f64::min),
                    Reduction::Product => all.iter().product(),
                    Reduction::ArgMax | Reduction::ArgMin => {
                        let sign = if *function == Reduction::ArgMax { 1.0 } else { -1.0 };
                        let best = all.iter().fold(f64::NEG_INFINITY, |m, v| m.max(sign * v));
                        all.iter().position(|v| sign * v == best).unwrap_or(0) as f64
                    }
                }
            }),
            Kind::MatMul => each(&dims, |at| {
                let (m, n) = (at.len() - 2, at.len() - 1);
                let (mut left, mut right) = (at.to_vec(), at.to_vec());
                let term = |k: usize| {
                    (left[n], right[m]) = (k, k);
                    first.repeated(&left) * x[1].repeated(&right)
                };
                (0..first.dims[n]).map(term).sum()
            }),
            Kind::Constant { value } => {
                let numbers = self.parameters.numbers(*value)?;
                let n = dims.iter().product::<usize>() / numbers.len();
                (0..n).flat_map(|_| numbers.iter().map(|&v| f64::from(v))).collect()
            }
            Kind::Embedding { weight } => {
                let (w, n_cols) = self.weight(*weight)?;
                let row = |i: &f64| w[index(*i, w.len() / n_cols) * n_cols..][..n_cols].to_vec();
                first.data.iter().flat_map(row).collect()
            }
            Kind::Take { axis } => each(&dims, |at| {
                let n_indices = x[1].dims.len() - 1;
                let place = [&at[..1], &at[*axis..axis + n_indices]].concat();
                let found = index(x[1].at(&place), first.dims[*axis]);
                first.at(&[&at[..*axis], &[found], &at[axis + n_indices..]].concat())
            }),
            Kind::Scatter { update } => each(&dims, |at| {
                let mut y = first.at(at);
                for k in 0..x[1].dims[1] {
                    if index(x[1].at(&[at[0], k]), dims[1]) == at[1] {
                        let v = x[2].at(&[at[0], k, at[2]]);
                        y = match update {
                            Update::Set => v,
                            Update::Add => y + v,
                            Update::Multiply => y * v,
                            Update::Max => y.max(v),
                            Update::Min => y.min(v),
                        };
                    }
                }
                y
            }),
            Kind::TopK { axis, largest, indices } => each(&dims, |at| {
                let along = |i: usize| first.at(&[&at[..*axis], &[i], &at[axis + 1..]].concat());
                let mut all: Vec<(f64, usize)> = (0..first.dims[*axis]).map(|i| (along(i), i)).collect();
                all.sort_by(|(a, _), (b, _)| if *largest { b.total_cmp(a) } else { a.total_cmp(b) });
                if *indices { all[at[*axis]].1 as f64 } else { all[at[*axis]].0 }
            }),
            Kind::Recurrent { cell, weight, bias, reverse } => {
                let (w, hidden) = self.weight(*weight)?;
                let bias: Vec<f64> = self.parameters.numbers(*bias)?.into_iter().map(f64::from).collect();
                recurrent(*cell, [&w, &bias], hidden, *reverse, x, &dims)
            }
            Kind::LocalResponseNorm { size, alpha, beta, bias } => each(&dims, |at| {
                let window = at[1].saturating_sub((size - 1) / 2)..(at[1] + size / 2 + 1).min(first.dims[1]);
                let square = |c: usize| {
                    let mut at = at.to_vec();
                    at[1] = c;
                    first.at(&at).powi(2)
                };
                let mean: f64 = window.map(square).sum::<f64>() / *size as f64;
                first.at(at) / (f64::from(*bias) + f64::from(*alpha) * mean).powf(f64::from(*beta))
            }),
        };
        Ok(Tensor { dims, data })
    }

    /// The epilogue of a channel's sum.
    fn epilogue(&mut self, epilogue: &Epilogue) -> Result<impl Fn(usize, f64) -> f64 + use<>, RuntimeError> {
        let bias = epilogue.bias.map(|bias| self.parameters.numbers(bias)).transpose()?;
        let affine: Option<Affine> = epilogue.affine;
        let affine = affine.map(|affine| self.parameters.affine(affine)).transpose()?;
        let relu = epilogue.relu;
        Ok(move |channel: usize, sum: f64| {
            let mut y = sum + bias.as_ref().map_or(0.0, |b| f64::from(b[channel]));
            if let Some((scale, shift)) = &affine {
                y = y * f64::from(scale[channel]) + f64::from(shift[channel]);
            }
            if relu { y.max(0.0) } else { y }
        })
    }
}

impl Executor for F64Executor<'_> {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&mut self, inputs: &[&[f32]], batch: usize, outputs: &mut [Vec<f32>]) -> Result<(), RuntimeError> {
        let sizes = Sizes::batch(batch);
        let program = self.program.clone();
        let mut values = vec![Tensor::default(); program.values().len()];
        for (&value, input) in program.inputs().iter().zip(inputs) {
            let data = input.iter().map(|&v| f64::from(v)).collect();
            values[value] = Tensor { dims: program.dims(value, &sizes), data };
        }
        for op in program.operations() {
            let operands: Vec<&Tensor> = op.inputs.iter().map(|&value| &values[value]).collect();
            let result = self.operation(op, &operands, program.dims(op.output, &sizes))?;
            values[op.output] = result;
        }
        for (&value, output) in program.outputs().iter().zip(outputs) {
            output.iter_mut().zip(&values[value].data).for_each(|(to, v)| *to = *v as f32);
        }
        Ok(())
    }
}

impl Tensor {
    fn at(&self, index: &[usize]) -> f64 {
        let place = index.iter().zip(&self.dims).fold(0, |place, (i, dim)| place * dim + i);
        self.data[place]
    }

    /// The element for an index of a larger shape: dimensions of 1 are broadcast.
    fn repeated(&self, index: &[usize]) -> f64 {
        self.at(&index.iter().zip(&self.dims).map(|(i, dim)| (*i).min(dim - 1)).collect::<Vec<_>>())
    }
}

/// A number for each index of a shape, in row-major order.
fn each(dims: &[usize], mut element: impl FnMut(&[usize]) -> f64) -> Vec<f64> {
    let mut index = vec![0; dims.len()];
    let next = |number: usize| {
        let mut left = number;
        for axis in (0..dims.len()).rev() {
            index[axis] = left % dims[axis];
            left /= dims[axis];
        }
        element(&index)
    };
    (0..dims.iter().product()).map(next).collect()
}

fn softmax(x: &Tensor, axis: usize) -> Vec<f64> {
    each(&x.dims, |at| {
        let along = |i: usize| {
            let mut at = at.to_vec();
            at[axis] = i;
            x.at(&at)
        };
        1.0 / (0..x.dims[axis]).map(|i| (along(i) - x.at(at)).exp()).sum::<f64>()
    })
}

fn apply(unary: Unary, v: f64) -> f64 {
    let wide = f64::from;
    match unary {
        Unary::Relu => v.max(0.0),
        Unary::Sigmoid => 1.0 / (1.0 + (-v).exp()),
        Unary::Tanh => v.tanh(),
        Unary::Scale { factor, offset } => v * wide(factor) + wide(offset),
        Unary::Clip { low, high } => v.clamp(wide(low), wide(high)),
        Unary::LeakyRelu { slope } => {
            if v < 0.0 {
                v * wide(slope)
            } else {
                v
            }
        }
        Unary::HardSigmoid { slope, offset } => (v * wide(slope) + wide(offset)).clamp(0.0, 1.0),
        Unary::HardSwish => v * (v / 6.0 + 0.5).clamp(0.0, 1.0),
        Unary::Silu => v / (1.0 + (-v).exp()),
        Unary::Function(function) => of_one(function, v),
    }
}

/// The states of a recurrent layer, `[n, time, batch, states]`.
fn recurrent(
    cell: Cell,
    [w, bias]: [&[f64]; 2],
    hidden: usize,
    reverse: bool,
    x: &[&Tensor],
    dims: &[usize],
) -> Vec<f64> {
    let s = |v: f64| 1.0 / (1.0 + (-v).exp());
    let part = |row: usize, h: &[f64]| {
        bias[row] + h.iter().enumerate().map(|(i, h)| w[row * hidden + i] * h).sum::<f64>()
    };
    let mut y = vec![0.0; dims.iter().product()];
    for (n, b) in (0..dims[0]).flat_map(|n| (0..dims[2]).map(move |b| (n, b))) {
        let mut h: Vec<f64> = (0..hidden).map(|i| x[1].at(&[n, b, i])).collect();
        let mut c: Vec<f64> = (0..hidden).map(|i| x[2].at(&[n, b, i])).collect();
        for step in 0..dims[1] {
            let t = if reverse { dims[1] - 1 - step } else { step };
            let before = h.clone();
            let g = |gate: usize, i: usize| x[0].at(&[n, t, b, gate * hidden + i]);
            let sum = |gate: usize, i: usize| g(gate, i) + part(gate * hidden + i, &before);
            let early: Vec<f64> = match cell {
                Cell::GruResetFirst => (0..hidden).map(|i| s(sum(1, i)) * before[i]).collect(),
                _ => Vec::new(),
            };
            for i in 0..hidden {
                h[i] = match cell {
                    Cell::Lstm => {
                        c[i] = s(sum(2, i)) * c[i] + s(sum(0, i)) * sum(3, i).tanh();
                        s(sum(1, i)) * c[i].tanh()
                    }
                    Cell::Gru | Cell::GruResetFirst => {
                        let row = 2 * hidden + i;
                        let inner = if cell == Cell::Gru {
                            s(sum(1, i)) * part(row, &before)
                        } else {
                            part(row, &early)
                        };
                        let z = s(sum(0, i));
                        (1.0 - z) * (g(2, i) + inner).tanh() + z * before[i]
                    }
                    Cell::Tanh => sum(0, i).tanh(),
                    Cell::Relu => sum(0, i).max(0.0),
                };
            }
            let at = ((n * dims[1] + t) * dims[2] + b) * dims[3];
            let both = h.iter().chain(&c).take(dims[3]);
            y[at..at + dims[3]].iter_mut().zip(both).for_each(|(y, v)| *y = *v);
        }
    }
    y
}

/// The position of an index among `n`.
fn index(index: f64, n: usize) -> usize {
    let whole = index.trunc();
    (if whole < 0.0 { whole + n as f64 } else { whole }).clamp(0.0, (n - 1) as f64) as usize
}

fn truth(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

fn of_one(function: UnaryFunction, v: f64) -> f64 {
    match function {
        UnaryFunction::Abs => v.abs(),
        UnaryFunction::Sign => {
            if v == 0.0 {
                0.0
            } else {
                v.signum()
            }
        }
        UnaryFunction::Floor => v.floor(),
        UnaryFunction::Ceil => v.ceil(),
        UnaryFunction::Round => v.round_ties_even(),
        UnaryFunction::Truncate => v.trunc(),
        UnaryFunction::Sqrt => v.sqrt(),
        UnaryFunction::Reciprocal => v.recip(),
        UnaryFunction::Exp => v.exp(),
        UnaryFunction::Log => v.ln(),
        UnaryFunction::Sin => v.sin(),
        UnaryFunction::Cos => v.cos(),
        UnaryFunction::Tan => v.tan(),
        UnaryFunction::Asin => v.asin(),
        UnaryFunction::Acos => v.acos(),
        UnaryFunction::Atan => v.atan(),
        UnaryFunction::Sinh => v.sinh(),
        UnaryFunction::Cosh => v.cosh(),
        UnaryFunction::Asinh => v.asinh(),
        UnaryFunction::Acosh => v.acosh(),
        UnaryFunction::Atanh => v.atanh(),
        UnaryFunction::Erf => libm::erf(v),
        UnaryFunction::Gelu => 0.5 * v * libm::erfc(-v / std::f64::consts::SQRT_2),
        UnaryFunction::Softplus => v.exp().ln_1p(),
        UnaryFunction::Not => truth(v == 0.0),
        UnaryFunction::IsNan => truth(v.is_nan()),
        UnaryFunction::IsInfinite => truth(v.is_infinite()),
    }
}

fn of_two(function: BinaryFunction, a: f64, b: f64) -> f64 {
    match function {
        BinaryFunction::Pow => a.powf(b),
        BinaryFunction::Max => a.max(b),
        BinaryFunction::Min => a.min(b),
        BinaryFunction::Modulo => a - b * (a / b).floor(),
        BinaryFunction::Remainder => a % b,
        BinaryFunction::Equal => truth(a == b),
        BinaryFunction::Less => truth(a < b),
        BinaryFunction::LessOrEqual => truth(a <= b),
        BinaryFunction::Greater => truth(a > b),
        BinaryFunction::GreaterOrEqual => truth(a >= b),
        BinaryFunction::And => truth(a != 0.0 && b != 0.0),
        BinaryFunction::Or => truth(a != 0.0 || b != 0.0),
        BinaryFunction::Xor => truth((a != 0.0) != (b != 0.0)),
    }
}
