//! Norms along any axes: a value minus its mean, divided by its standard deviation.

use super::super::{Act, Call, Lowering, Operand, norms::check_variances};
use crate::onnx::{builder::Value, rules};
use kompakt_graph::{Op, Reduction, UnaryFunction};

impl Lowering<'_> {
    /// `(x - mean) / sqrt(variance + epsilon)` along axes here; also returns the mean and `1 / sqrt(…)`.
    fn standardised(
        &mut self,
        x: Value,
        axes: &[usize],
        epsilon: f32,
        is_centred: bool,
    ) -> Result<[Value; 3], String> {
        let mean = self.reduced(x, Reduction::Mean, axes)?;
        let centred = if is_centred { self.of_two(Op::Sub, x, mean)? } else { x };
        let squares = self.product(centred, centred)?;
        let variance = self.reduced(squares, Reduction::Mean, axes)?;
        let variance = self.scaled(variance, 1.0, epsilon)?;
        let deviation = self.of_one(UnaryFunction::Sqrt, variance)?;
        let y = self.of_two(Op::Div, centred, deviation)?;
        let inverse = self.of_one(UnaryFunction::Reciprocal, deviation)?;
        Ok([y, mean, inverse])
    }

    pub(super) fn layer_norm_node(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let axis = rules::axis(call.node.int("axis", -1), rank)?;
        let axes: Vec<usize> = (axis..rank).map(|a| self.here(a)).collect::<Result<_, _>>()?;
        let is_centred = call.node.op_type == "LayerNormalization";
        let epsilon = call.node.float("epsilon", 1e-5);
        let [mut y, mean, inverse] = self.standardised(x.value, &axes, epsilon, is_centred)?;
        for (index, op) in [(1, Op::Mul), (2, Op::Add)] {
            if let Some(Some(operand)) = call.inputs.get(index) {
                let operand = self.aligned(&operand.clone(), rank)?;
                y = self.of_two(op, y, operand)?;
            }
        }
        let mut dims = x.dims.clone();
        dims[axis..].fill(1);
        let mut made = vec![Act { value: y, dims: x.dims }];
        if is_centred {
            made.push(Act { value: mean, dims: dims.clone() });
            made.push(Act { value: inverse, dims });
        }
        Ok(made)
    }

    pub(super) fn normalisation(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        if call.node.op_type == "LpNormalization" {
            let axis = self.here(rules::axis(call.node.int("axis", -1), rank)?)?;
            let is_first = call.node.int("p", 2) == 1;
            let sizes = if is_first {
                self.of_one(UnaryFunction::Abs, x.value)?
            } else {
                self.product(x.value, x.value)?
            };
            let mut norm = self.reduced(sizes, Reduction::Sum, &[axis])?;
            if !is_first {
                norm = self.of_one(UnaryFunction::Sqrt, norm)?;
            }
            // A vector of length 0 stays 0.
            let norm =
                self.builder.op(None, Op::Clip { low: f32::MIN_POSITIVE, high: f32::MAX }, vec![norm])?;
            return self.make(call, Op::Div, vec![x.value, norm], x.dims);
        }
        let axes = call.node.ints("axes").map_or_else(|| vec![0, 2, 3], <[i64]>::to_vec);
        let mut here =
            axes.iter().map(|&a| self.here(rules::axis(a, rank)?)).collect::<Result<Vec<_>, String>>()?;
        here.sort_unstable();
        let [y, ..] = self.standardised(x.value, &here, 1e-9, true)?;
        Ok(Act { value: y, ..x })
    }

    /// `[n, channels, …]` by groups of channels: one channel each for an instance norm.
    pub(super) fn group_norm_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let &[n, channels, ref rest @ ..] = &x.dims[..] else { return Err(format!("{:?}", x.dims)) };
        let groups = match call.node.op_type.as_str() {
            "InstanceNormalization" => channels,
            _ => usize::try_from(call.node.int("num_groups", 1)).unwrap_or(1).max(1),
        };
        if channels % groups != 0 {
            return Err(format!("{groups} groups of {channels} channels"));
        }
        let inner = channels / groups * rest.iter().product::<usize>();
        let split = if self.lead == 1 { vec![groups, inner] } else { vec![n, groups, inner] };
        let axis = split.len() - 1;
        let parts = self.shaped(x.value, split)?;
        let [y, ..] = self.standardised(parts, &[axis], call.node.float("epsilon", 1e-5), true)?;
        let mut y = self.builder.reshape(y, self.shape_of(&x.dims))?;
        for (index, op) in [(1, Op::Mul), (2, Op::Add)] {
            y = self.with_channels(call, index, op, y, &x)?;
        }
        Ok(Act { value: y, ..x })
    }

    /// A value and one number per channel, or per group of channels.
    fn with_channels(
        &mut self,
        call: &Call<'_>,
        index: usize,
        op: Op,
        y: Value,
        x: &Act,
    ) -> Result<Value, String> {
        let operand = self.input(call, index)?.clone();
        let n: usize = self.dims_of(&operand).iter().product();
        let channels = x.dims[1];
        let mut dims = vec![1; x.dims.len()];
        dims[1] = channels;
        let shape = self.shape_of(&dims);
        let numbers = match operand {
            Operand::Act(act) if n == channels && self.lead == 0 => self.shaped(act.value, shape)?,
            Operand::Const(tensor) if n > 0 && channels.is_multiple_of(n) => {
                let each = channels / n;
                self.ask(channels)?;
                let all = tensor.to_floats().iter().flat_map(|&v| vec![v; each]).collect();
                self.computed(all, shape)?
            }
            _ => return Err(format!("{n} numbers for {channels} channels")),
        };
        self.of_two(op, y, numbers)
    }

    pub(super) fn batch_norm_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        if call.node.int("training_mode", 0) != 0 || x.dims.len() < 2 {
            return Err("it is in training mode".into());
        }
        if let Ok(Some(variances)) = call.constant(4) {
            check_variances(&variances.to_floats())?;
        }
        // In the order of the specification: mean and variance first.
        let centred = self.with_channels(call, 3, Op::Sub, x.value, &x)?;
        let variance = {
            let operand = self.value_of(call, 4)?;
            let epsilon = call.node.float("epsilon", 1e-5);
            let sum = self.scaled(operand.value, 1.0, epsilon)?;
            let deviation = self.of_one(UnaryFunction::Sqrt, sum)?;
            let mut dims = vec![1; x.dims.len()];
            dims[1] = x.dims[1];
            self.shaped(deviation, self.shape_of(&dims))?
        };
        let y = self.of_two(Op::Div, centred, variance)?;
        let y = self.with_channels(call, 1, Op::Mul, y, &x)?;
        let value = self.with_channels(call, 2, Op::Add, y, &x)?;
        Ok(Act { value, ..x })
    }
}
