//! Convolutions of integers: their weights become the numbers that the integers stand for.

use super::{Act, Call, Lowering, Operand};
use crate::onnx::{fold, proto::NodeProto, tensor::Tensor};
use kompakt_graph::{Op, UnaryFunction};
use std::rc::Rc;

impl Lowering<'_> {
    /// `ConvInteger`: zero points subtracted; `QLinearConv`: scaled too, and the result quantised.
    pub(super) fn quantised_convolution(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let is_scaled = call.node.op_type == "QLinearConv";
        let [weight, x_zero, weight_zero] = if is_scaled { [3, 2, 5] } else { [1, 2, 3] };
        let mut x = call.act(0)?.clone();
        let number = |index: usize, missing: f32| match call.constant(index)? {
            None => Ok(missing),
            Some(tensor) => {
                let value = tensor.scalar().filter(|v| v.is_finite());
                value.ok_or_else(|| format!("input {index} is not one number for all"))
            }
        };
        let zero = match call.inputs.get(x_zero) {
            Some(Some(Operand::Act(zero))) if zero.dims.iter().product::<usize>() == 1 => {
                let rank = self.builder.shape(x.value).len();
                let zero = self.builder.reshape(zero.value, vec![1; rank])?;
                x.value = self.of_two(Op::Sub, x.value, zero)?;
                0.0
            }
            _ => number(x_zero, 0.0)?,
        };
        let scale = if is_scaled { number(1, 1.0)? } else { 1.0 };
        if (zero, scale) != (0.0, 1.0) {
            x.value = self.scaled(x.value, scale, -zero * scale)?;
        }
        let one = Tensor::floats(vec![1], vec![1.0]);
        let scales = if is_scaled { call.needed(4)? } else { &one };
        let levels = fold::dequantised(call.needed(weight)?, scales, call.constant(weight_zero)?, 0)?;
        let mut inputs = vec![Some(Operand::Act(x)), Some(Operand::Const(Rc::new(levels)))];
        if let Some(bias) = call.constant(8)?.filter(|_| is_scaled) {
            let scales = scales.to_floats().iter().map(|s| s * scale).collect();
            let scales = Tensor::floats(call.needed(4)?.dims.clone(), scales);
            inputs.push(Some(Operand::Const(Rc::new(fold::dequantised(bias, &scales, None, 0)?))));
        }
        // Its weight is named after the input that holds it.
        let mut names = vec![String::new(); 2];
        names[1].clone_from(&call.node.input[weight]);
        let node = NodeProto { op_type: "Conv".into(), input: names, ..call.node.clone() };
        let y = self.convolution(&Call { node: &node, inputs })?;
        if !is_scaled {
            return Ok(y);
        }
        let (low, high) = self.range_of(call, 7)?;
        let step = number(6, 1.0)?;
        if step <= 0.0 {
            return Err(format!("the result's scale is {step}"));
        }
        let value = self.scaled(y.value, 1.0 / step, 0.0)?;
        let value = self.of_one(UnaryFunction::Round, value)?;
        let value = self.scaled(value, 1.0, number(7, 0.0)?)?;
        let value = self.builder.op(None, Op::Clip { low, high }, vec![value])?;
        Ok(Act { value, ..y })
    }
}
