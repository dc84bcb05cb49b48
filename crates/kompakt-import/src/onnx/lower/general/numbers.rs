//! Number types: casts and quantisation.

use super::super::{Act, Call, Lowering, Operand};
use crate::onnx::{
    builder::Value,
    narrow::{Float, Format},
    proto::data_type,
    tensor::Tensor,
};
use kompakt_graph::{BinaryFunction, Op, UnaryFunction};

/// Integer element types that are exact here as far as single precision is, and their ranges.
fn range(kind: i32) -> Option<(f32, f32)> {
    Some(match kind {
        data_type::UINT8 => (0.0, 255.0),
        data_type::INT8 => (-128.0, 127.0),
        4 => (0.0, 65535.0),
        5 => (-32768.0, 32767.0),
        _ => return None,
    })
}

/// Whether elements of this type are integers or booleans.
pub(crate) fn is_whole(kind: i32) -> bool {
    matches!(kind, 2..=7 | 9 | 12 | 13 | 21 | 22 | 25 | 26)
}

/// Whether elements of this type are of a supported number type.
pub(crate) fn is_number(kind: i32) -> bool {
    matches!(kind, 1..=7 | 9..=13 | 16..=23 | 25 | 26)
}

impl Lowering<'_> {
    /// The element type of input `index`; float if unknown.
    pub(super) fn kind_of(&self, call: &Call<'_>, index: usize) -> i32 {
        if let Some(Some(Operand::Const(tensor))) = call.inputs.get(index) {
            let stored = call.node.input.get(index).and_then(|name| self.kinds.get(name.as_str()));
            let read = if tensor.is_float() { data_type::FLOAT } else { data_type::INT64 };
            return stored.copied().unwrap_or(read);
        }
        let name = call.node.input.get(index).map_or("", String::as_str);
        self.kinds.get(name).copied().unwrap_or(data_type::FLOAT)
    }

    /// Whether input `index` holds integers.
    pub(super) fn is_whole(&self, call: &Call<'_>, index: usize) -> bool {
        is_whole(self.kind_of(call, index))
    }

    pub(super) fn cast_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let mut x = call.act(0)?.clone();
        let to = match call.node.op_type.as_str() {
            "Identity" => return Ok(x),
            "Cast" => call.node.int("to", 1) as i32,
            _ => self.kind_of(call, 1),
        };
        let from = self.kind_of(call, 0);
        if !is_number(to) || !is_number(from) {
            return Err(format!("a cast from type {from} to {to}"));
        }
        if to == data_type::BOOL && from != data_type::BOOL {
            let not = self.of_one(UnaryFunction::Not, x.value)?;
            x.value = self.of_one(UnaryFunction::Not, not)?;
        } else if is_whole(to) && !is_whole(from) {
            x.value = self.of_one(UnaryFunction::Truncate, x.value)?;
        }
        match Format::of(to).filter(|_| to != from) {
            Some(Format::Float(float)) => {
                x.value = self.narrowed(x.value, float, call.node.int("saturate", 1) != 0)?;
            }
            Some(Format::Integer { bits, is_signed }) => {
                // The lowest bits stay.
                let n = (1u32 << bits) as f32;
                let middle = if is_signed { n / 2.0 } else { 0.0 };
                let up = self.scaled(x.value, 1.0, middle)?;
                let n = self.all_of(up, n)?;
                let low = self.of_two(Op::Binary { function: BinaryFunction::Modulo }, up, n)?;
                x.value = self.scaled(low, 1.0, -middle)?;
            }
            None => {}
        }
        Ok(x)
    }

    /// Rounds to the nearest number of a format, the even one of two.
    fn narrowed(&mut self, x: Value, float: Float, saturates: bool) -> Result<Value, String> {
        let (least, largest) = (float.least_exponent, float.largest);
        let near = self.builder.op(None, Op::Clip { low: -4.0 * largest, high: 4.0 * largest }, vec![x])?;
        let size = self.of_one(UnaryFunction::Abs, near)?;
        let normal = Op::Clip { low: (least as f32).exp2(), high: 4.0 * largest };
        let size = self.builder.op(None, normal, vec![size])?;
        let logarithm = self.of_one(UnaryFunction::Log, size)?;
        let exponent = self.scaled(logarithm, std::f32::consts::LOG2_E, -(least as f32))?;
        let exponent = self.of_one(UnaryFunction::Floor, exponent)?;
        let greatest = (4.0 * largest).log2().ceil() as i32;
        let unit = |e: i32| ((e - float.mantissa_bits as i32) as f32).exp2();
        let units: Vec<f32> = (least..=greatest).map(unit).collect();
        let units = self.computed(units.clone(), vec![units.len()])?;
        let unit = self.builder.op(None, Op::Take { axis: 0 }, vec![units, exponent])?;
        let steps = self.of_two(Op::Div, near, unit)?;
        let steps = self.of_one(UnaryFunction::Round, steps)?;
        let rounded = self.of_two(Op::Mul, steps, unit)?;
        let minus_one = self.all_of(x, -1.0)?;
        let nan = self.of_one(UnaryFunction::Log, minus_one)?;
        let zero = self.all_of(x, 0.0)?;
        let value = if saturates {
            self.builder.op(None, Op::Clip { low: -largest, high: largest }, vec![rounded])?
        } else {
            let size = self.of_one(UnaryFunction::Abs, rounded)?;
            let bound = self.all_of(x, largest)?;
            let is_beyond = self.of_two(Op::Binary { function: BinaryFunction::Greater }, size, bound)?;
            let beyond = if float.has_infinity { self.of_two(Op::Div, rounded, zero)? } else { nan };
            self.builder.op(None, Op::Select, vec![is_beyond, beyond, rounded])?
        };
        let is_nan = self.of_one(UnaryFunction::IsNan, x)?;
        self.builder.op(None, Op::Select, vec![is_nan, if float.has_nan { nan } else { zero }, value])
    }

    /// Nothing is dropped, so the mask is all true.
    pub(super) fn dropout_node(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let x = call.act(0)?.clone();
        if call.constant(2)?.is_some_and(|t| t.scalar() != Some(0.0)) {
            return Err("it is in training mode".into());
        }
        let mut made = vec![x.clone()];
        if call.node.output.len() > 1 {
            let value = self.scaled(x.value, 0.0, 1.0)?;
            made.push(Act { value, ..x });
        }
        Ok(made)
    }

    /// A scale or zero point: one for all, or one for each index of `axis`.
    fn by_axis(&mut self, call: &Call<'_>, index: usize, x: &Act, axis: usize) -> Result<usize, String> {
        let operand = self.input(call, index)?.clone();
        let n: usize = self.dims_of(&operand).iter().product();
        let mut dims = vec![1; x.dims.len()];
        if n > 1 {
            let size = *x.dims.get(axis).ok_or("a scale for a dimension that is not there")?;
            if n != size || self.dims_of(&operand).len() > 1 {
                return Err(format!("{n} scales for {:?}", x.dims));
            }
            dims[axis] = n;
        }
        match operand {
            Operand::Const(tensor) => {
                let shaped = Tensor { dims, data: tensor.data.clone() };
                self.aligned(&Operand::Const(std::rc::Rc::new(shaped)), x.dims.len())
            }
            Operand::Act(act) => self.shaped(act.value, self.shape_of(&dims)),
        }
    }

    /// The range of the type of input `index`.
    pub(in super::super) fn range_of(&self, call: &Call<'_>, index: usize) -> Result<(f32, f32), String> {
        let kind = self.kind_of(call, index);
        range(kind).ok_or_else(|| format!("quantised to type {kind}"))
    }

    fn axis_of(&self, call: &Call<'_>, rank: usize) -> usize {
        let axis = call.node.int("axis", 1);
        usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).unwrap_or(0)
    }

    /// `round(x / scale) + zero`, clamped to the range of the zero point's type.
    pub(super) fn quantize(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let axis = self.axis_of(call, x.dims.len());
        if call.node.int("block_size", 0) != 0 {
            return Err("scales by block".into());
        }
        let has_zero = matches!(call.inputs.get(2), Some(Some(_)));
        let kind = if has_zero {
            self.kind_of(call, 2)
        } else {
            call.node.int("output_dtype", i64::from(data_type::UINT8)) as i32
        };
        let (low, high) = range(kind).ok_or_else(|| format!("quantised to type {kind}"))?;
        let scale = self.by_axis(call, 1, &x, axis)?;
        let mut value = self.of_two(Op::Div, x.value, scale)?;
        value = self.of_one(UnaryFunction::Round, value)?;
        if has_zero {
            let zero = self.by_axis(call, 2, &x, axis)?;
            value = self.of_two(Op::Add, value, zero)?;
        }
        self.make(call, Op::Clip { low, high }, vec![value], x.dims)
    }

    /// `(x - zero) scale`.
    pub(super) fn dequantize(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let axis = self.axis_of(call, x.dims.len());
        if call.node.int("block_size", 0) != 0 {
            return Err("scales by block".into());
        }
        let mut value = x.value;
        if matches!(call.inputs.get(2), Some(Some(_))) {
            let zero = self.by_axis(call, 2, &x, axis)?;
            value = self.of_two(Op::Sub, value, zero)?;
        }
        let scale = self.by_axis(call, 1, &x, axis)?;
        self.make(call, Op::Mul, vec![value, scale], x.dims)
    }

    /// Scale and zero point from the range of the values.
    pub(super) fn quantize_by_range(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if self.lead == 1 {
            return Err("it works along the batch".into());
        }
        let x = call.act(0)?.clone();
        let n: usize = x.dims.iter().product();
        let flat = self.shaped(x.value, vec![n])?;
        let reduce = |function| Op::Reduce { function, axes: vec![0] };
        let high = self.builder.op(None, reduce(kompakt_graph::Reduction::Max), vec![flat])?;
        let high = self.builder.op(None, Op::Relu, vec![high])?;
        let low = self.builder.op(None, reduce(kompakt_graph::Reduction::Min), vec![flat])?;
        let low = self.builder.op(None, Op::Clip { low: f32::MIN, high: 0.0 }, vec![low])?;
        let width = self.of_two(Op::Sub, high, low)?;
        let scale = self.scaled(width, 1.0 / 255.0, 0.0)?;
        let zero = self.of_two(Op::Div, low, scale)?;
        let zero = self.scaled(zero, -1.0, 0.0)?;
        let zero = self.builder.op(None, Op::Clip { low: 0.0, high: 255.0 }, vec![zero])?;
        let zero = self.of_one(UnaryFunction::Round, zero)?;
        let y = self.of_two(Op::Div, flat, scale)?;
        let y = self.of_one(UnaryFunction::Round, y)?;
        let y = self.of_two(Op::Add, y, zero)?;
        let y = self.make(call, Op::Clip { low: 0.0, high: 255.0 }, vec![y], x.dims)?;
        Ok(vec![y, Act { value: scale, dims: vec![] }, Act { value: zero, dims: vec![] }])
    }

    /// Integer products, zero points subtracted; requantised if scales are given.
    pub(super) fn integer_matmul(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let is_scaled = call.node.op_type == "QLinearMatMul";
        let (first, second) = if is_scaled { (0, 3) } else { (0, 1) };
        let zeros = if is_scaled { [2, 5] } else { [2, 3] };
        let mut sides = Vec::new();
        for (index, zero) in [first, second].into_iter().zip(zeros) {
            let mut x = self.value_of(call, index)?;
            if matches!(call.inputs.get(zero), Some(Some(_))) {
                let rank = x.dims.len();
                // One per row of the first, one per column of the second.
                let axis = if index == first { rank.saturating_sub(2) } else { rank.saturating_sub(1) };
                let zero = self.by_axis(call, zero, &x, axis)?;
                x.value = self.of_two(Op::Sub, x.value, zero)?;
            }
            if is_scaled {
                let rank = x.dims.len();
                let axis = if index == first { rank.saturating_sub(2) } else { rank.saturating_sub(1) };
                let scale = self.by_axis(call, index + 1, &x, axis)?;
                x.value = self.of_two(Op::Mul, x.value, scale)?;
            }
            sides.push(x);
        }
        let y = self.multiplied(call, &sides[0], &sides[1])?;
        if !is_scaled {
            return Ok(y);
        }
        let (low, high) = range(self.kind_of(call, 7)).ok_or("quantised to another type")?;
        let axis = y.dims.len().saturating_sub(2);
        let scale = self.by_axis(call, 6, &y, axis)?;
        let value = self.of_two(Op::Div, y.value, scale)?;
        let value = self.of_one(UnaryFunction::Round, value)?;
        let zero = self.by_axis(call, 7, &y, axis)?;
        let value = self.of_two(Op::Add, value, zero)?;
        self.make(call, Op::Clip { low, high }, vec![value], y.dims)
    }
}
