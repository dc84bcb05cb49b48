//! Norms and softmax.

use super::{Act, Call, Lowering};
use crate::onnx::rules;
use kompakt_graph::Op;

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
            params.push((suffix, tensor.to_floats()));
        }
        let op = Op::BatchNorm { eps: call.node.float("epsilon", 1e-5) };
        let value = self.builder.push(Some(call.layer_name(1)), op, vec![x.value], params)?;
        Ok(Act { value, ..x })
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
