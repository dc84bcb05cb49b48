//! Operators on the bits of integers.
//!
//! ```text
//! bit k of a    floor(a / 2^k) modulo 2, of negative numbers too
//! result        the sum of its bits times 2^k; of a negative one the sum of its zeros, and not of that
//! ```
//!
//! Every sum is of powers of two that the result has, or lacks, so it is exact where the result is.

use super::super::{Act, Call, Lowering};
use crate::onnx::{builder::Value, proto::data_type, rules};
use kompakt_graph::{BinaryFunction, MAX_RANK, Op, Reduction, UnaryFunction};

/// The bits of an integer type, without that of the sign, and whether it has one.
fn bits_of(kind: i32) -> Result<(usize, bool), String> {
    use data_type as t;
    Ok(match kind {
        t::UINT8 => (8, false),
        t::UINT16 => (16, false),
        t::UINT32 => (32, false),
        t::UINT64 => (64, false),
        t::INT8 => (7, true),
        t::INT16 => (15, true),
        t::INT32 => (31, true),
        t::INT64 => (63, true),
        other => return Err(format!("bits of numbers of type {other}")),
    })
}

fn powers(n: usize) -> Vec<f32> {
    (0..n).map(|k| (k as f32).exp2()).collect()
}

impl Lowering<'_> {
    /// `BitwiseAnd`, `BitwiseOr` and `BitwiseXor`.
    pub(super) fn bitwise(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let function = match call.node.op_type.as_str() {
            "BitwiseAnd" => BinaryFunction::And,
            "BitwiseOr" => BinaryFunction::Or,
            _ => BinaryFunction::Xor,
        };
        let (n, is_signed) = bits_of(self.kind_of(call, 0))?;
        let operands = [self.input(call, 0)?.clone(), self.input(call, 1)?.clone()];
        let dims = rules::broadcast(self.dims_of(&operands[0]), self.dims_of(&operands[1]))?;
        if dims.len() + 1 > MAX_RANK {
            return Err(format!("bits of numbers in {} dimensions", dims.len()));
        }
        let (mut sides, mut signs) = (Vec::new(), Vec::new());
        for operand in &operands {
            let x = self.aligned(operand, dims.len())?;
            let wide = [self.builder.shape(x), &[1]].concat();
            let x = self.shaped(x, wide)?;
            signs.push(self.is_negative(x)?);
            sides.push(self.bits(x, n)?);
        }
        let op = Op::Binary { function };
        let mut bits = self.of_two(op.clone(), sides[0], sides[1])?;
        let sign = self.of_two(op, signs[0], signs[1])?;
        if is_signed {
            // The zeros of a negative number.
            bits = self.of_two(Op::Binary { function: BinaryFunction::Xor }, bits, sign)?;
        }
        let rank = self.builder.shape(bits).len();
        let mut shape = vec![1; rank];
        shape[rank - 1] = n;
        let units = self.computed(powers(n), shape)?;
        let parts = self.of_two(Op::Mul, bits, units)?;
        let mut sum = self.reduced(parts, Reduction::Sum, &[rank - 1])?;
        if is_signed {
            let opposite = self.scaled(sum, -1.0, -1.0)?;
            sum = self.builder.op(None, Op::Select, vec![sign, opposite, sum])?;
        }
        let value = self.builder.reshape(sum, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    /// `BitwiseNot`.
    pub(super) fn bitwise_not(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let (n, is_signed) = bits_of(self.kind_of(call, 0))?;
        let all = if is_signed { -1.0 } else { (n as f32).exp2() - 1.0 };
        let value = self.scaled(x.value, -1.0, all)?;
        Ok(Act { value, ..x })
    }

    /// `BitShift`, of numbers without a sign.
    pub(super) fn bit_shift(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (n, is_signed) = bits_of(self.kind_of(call, 0))?;
        let is_left = match call.node.text("direction") {
            "LEFT" => true,
            "RIGHT" => false,
            other => return Err(format!("direction {other:?}")),
        };
        if is_signed {
            return Err("a shift of numbers with a sign".into());
        }
        let operands = [self.input(call, 0)?.clone(), self.input(call, 1)?.clone()];
        let dims = rules::broadcast(self.dims_of(&operands[0]), self.dims_of(&operands[1]))?;
        let (x, by) = (self.aligned(&operands[0], dims.len())?, self.aligned(&operands[1], dims.len())?);
        // As many places as there are bits leave nothing.
        let by = self.builder.op(None, Op::Clip { low: 0.0, high: n as f32 }, vec![by])?;
        let table = self.computed(powers(n + 1), vec![n + 1])?;
        let factor = self.builder.op(None, Op::Take { axis: 0 }, vec![table, by])?;
        let value = if is_left {
            let product = self.of_two(Op::Mul, x, factor)?;
            let size = self.all_of(product, (n as f32).exp2())?;
            self.of_two(Op::Binary { function: BinaryFunction::Modulo }, product, size)?
        } else {
            let quotient = self.of_two(Op::Div, x, factor)?;
            self.of_one(UnaryFunction::Floor, quotient)?
        };
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    /// The lowest `n` bits of numbers `[..., 1]`, as `[..., n]`.
    fn bits(&mut self, x: Value, n: usize) -> Result<Value, String> {
        let rank = self.builder.shape(x).len();
        let mut shape = vec![1; rank];
        shape[rank - 1] = n;
        let units = self.computed(powers(n), shape)?;
        let shifted = self.of_two(Op::Div, x, units)?;
        let shifted = self.of_one(UnaryFunction::Floor, shifted)?;
        let two = self.all_of(shifted, 2.0)?;
        self.of_two(Op::Binary { function: BinaryFunction::Modulo }, shifted, two)
    }

    fn is_negative(&mut self, x: Value) -> Result<Value, String> {
        let zero = self.all_of(x, 0.0)?;
        self.of_two(Op::Binary { function: BinaryFunction::Less }, x, zero)
    }

    /// A number that is combined with each of a value.
    pub(super) fn all_of(&mut self, x: Value, number: f32) -> Result<Value, String> {
        self.computed(vec![number], vec![1; self.builder.shape(x).len()])
    }
}
