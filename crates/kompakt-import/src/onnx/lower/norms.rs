//! Norms and softmax.

use super::{Act, Call, Lowering};
use crate::onnx::{rules, tensor::Tensor};
use kompakt_graph::Op;

/// Refuses values that cannot be variances.
pub(super) fn check_variances(variances: &[f32]) -> Result<(), String> {
    match variances.iter().position(|v| !(0.0..f32::INFINITY).contains(v)) {
        None => Ok(()),
        Some(channel) => Err(format!(
            "channel {channel} has a variance of {}; none is below 0, or not a number",
            variances[channel]
        )),
    }
}

impl Lowering<'_> {
    pub(super) fn batch_norm(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        if call.node.int("training_mode", 0) != 0 || call.node.output.iter().skip(1).any(|o| !o.is_empty()) {
            return Err("it is in training mode".into());
        }
        let channels = *x.dims.get(1).ok_or("a batch norm of single numbers")?;
        let mut params = Vec::new();
        for (index, suffix) in [(1, "weight"), (2, "bias"), (3, "running_mean"), (4, "running_var")] {
            let tensor = call.needed(index)?;
            if tensor.len() != channels {
                return Err(format!("input {index} has {} numbers for {channels} channels", tensor.len()));
            }
            self.n_parameters += tensor.len() as u64;
            let floats = tensor.to_floats();
            if suffix == "running_var" {
                check_variances(&floats)?;
            }
            params.push((suffix, floats.into()));
        }
        let op = Op::BatchNorm { eps: call.node.float("epsilon", 1e-5) };
        let value = self.builder.push(Some(call.layer_name(1)), op, vec![x.value], params)?;
        Ok(Act { value, ..x })
    }

    /// `x / sqrt(mean x^2 + epsilon)` over `axes`, its mean subtracted first if `is_centred`.
    fn normalised(&mut self, x: &Act, axes: &[usize], epsilon: f32, is_centred: bool) -> Result<Act, String> {
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(format!("an epsilon of {epsilon}"));
        }
        let mut value = x.value;
        if is_centred {
            let mean = self.mean(x, axes, None)?;
            value = self.builder.op(None, Op::Sub, vec![value, mean])?;
        }
        let square = self.product(value, value)?;
        let variance = self.mean(&Act { value: square, dims: x.dims.clone() }, axes, None)?;
        let variance = self.scaled(variance, 1.0, epsilon)?;
        let deviation = self.root(variance)?;
        value = self.builder.op(None, Op::Div, vec![value, deviation])?;
        Ok(Act { value, dims: x.dims.clone() })
    }

    /// Multiplies by input 1 and adds input 2, if they are there, as if they had shape `dims`.
    fn scaled_and_shifted(
        &mut self,
        call: &Call<'_>,
        mut y: Act,
        dims: impl Fn(&Tensor) -> Vec<usize>,
    ) -> Result<Act, String> {
        for (index, op) in [(1, "Mul"), (2, "Add")] {
            if let Some(tensor) = call.constant(index)? {
                let shape = dims(tensor);
                if shape.iter().product::<usize>() != tensor.len() {
                    return Err(format!("input {index} has shape {:?}", tensor.dims));
                }
                y = self.with_constant(call, op, &y, &tensor.reshaped(shape))?;
            }
        }
        Ok(y)
    }

    /// `LayerNormalization` and `RMSNormalization`: over `axis` and all dimensions after it.
    pub(super) fn layer_norm(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        if call.node.output.iter().skip(1).any(|o| !o.is_empty()) {
            return Err("its mean is asked for".into());
        }
        let first = rules::axis(call.node.int("axis", -1), rank)?;
        if first == 0 {
            return Err("it goes along the batch".into());
        }
        let axes: Vec<usize> = (first..rank).collect();
        let is_centred = call.node.op_type == "LayerNormalization";
        let y = self.normalised(&x, &axes, call.node.float("epsilon", 1e-5), is_centred)?;
        self.scaled_and_shifted(call, y, |tensor| tensor.dims.clone())
    }

    /// Each channel independently.
    pub(super) fn instance_norm(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        if rank < 3 {
            return Err(format!("{:?} is no image", x.dims));
        }
        let axes: Vec<usize> = (2..rank).collect();
        let y = self.normalised(&x, &axes, call.node.float("epsilon", 1e-5), true)?;
        self.scaled_and_shifted(call, y, |_| by_channel(x.dims[1], rank))
    }

    /// Groups of channels; scale and bias are by group before operator set 21.
    pub(super) fn group_norm(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let groups = usize::try_from(call.node.int("num_groups", 0)).unwrap_or(0);
        if rank < 3 || groups == 0 || x.dims[1] % groups != 0 {
            return Err(format!("{groups} groups of {:?}", x.dims));
        }
        let rest: usize = x.dims[1..].iter().product();
        let by_group = self.reshaped(&x, vec![x.dims[0], groups, rest / groups])?;
        let mut y = self.normalised(&by_group, &[2], call.node.float("epsilon", 1e-5), true)?;
        if self.opset < 21 {
            y = self.scaled_and_shifted(call, y, |_| by_channel(groups, 3))?;
            return self.reshaped(&y, x.dims.clone());
        }
        let y = self.reshaped(&y, x.dims.clone())?;
        self.scaled_and_shifted(call, y, |_| by_channel(x.dims[1], rank))
    }

    pub(super) fn response_norm(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let op = Op::LocalResponseNorm {
            size: usize::try_from(call.node.int("size", 0)).map_err(|_| "a size below 0")?,
            alpha: call.node.float("alpha", 1e-4),
            beta: call.node.float("beta", 0.75),
            bias: call.node.float("bias", 1.0),
        };
        let value = self.builder.op(call.name(), op, vec![x.value])?;
        Ok(Act { value, ..x })
    }

    /// Along one dimension; before operator set 13, along all from `axis` on as if they were one.
    pub(super) fn softmax(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let is_old = self.opset < 13;
        let axis = rules::axis(call.node.int("axis", if is_old { 1 } else { -1 }), rank)?;
        if axis == 0 {
            return Err("it goes along the batch".into());
        }
        let op = if call.node.op_type == "Softmax" { Op::Softmax } else { Op::LogSoftmax };
        let shape = self.builder.shape(x.value).to_vec();
        let mut value = x.value;
        let mut at = axis - 1;
        if is_old {
            let (before, after) = (shape[..at].iter().product(), shape[at..].iter().product());
            value = self.builder.reshape(value, if at == 0 { vec![after] } else { vec![before, after] })?;
            at = at.min(1);
        }
        let (front, back) = self.builder.front(value, at)?;
        let value = self.builder.op(call.name(), op, vec![front])?;
        let value = self.builder.transpose(value, back)?;
        let value = self.builder.reshape(value, shape)?;
        Ok(Act { value, ..x })
    }
}

/// The shape of one value per channel, for a value of `rank` dimensions.
fn by_channel(channels: usize, rank: usize) -> Vec<usize> {
    (0..rank).map(|d| if d == 1 { channels } else { 1 }).collect()
}
