//! Operators on values of any shape.
//!
//! ```text
//! leading batch in every value         [n, 3, 8]  is [3, 8] here      axis 1 of the file is axis 0 here
//! no batch: complete values            [2, 3, 8]  is [2, 3, 8] here   axes are those of the file
//! ```
//!
//! The mode holds for the entire file ([`Lowering::lead`]): dimensions of the file that do not exist here.

mod arithmetic;
mod attention;
mod bits;
mod choices;
mod composed;
mod layout;
mod losses;
mod matrices;
mod microsoft;
mod norms;
mod numbers;
mod recurrent;
mod reductions;
mod selections;
mod transforms;

use super::{Act, Call, Lowering, Operand, Slot, padded::Padded};
use crate::onnx::{builder::Value, proto::NodeProto, rules, tensor::Tensor};
use kompakt_graph::{Op, UnaryFunction};
pub(crate) use microsoft::DOMAIN as MICROSOFT;
pub(super) use microsoft::is_known_of_microsoft;
pub(crate) use numbers::{is_number, is_whole};
pub(crate) use selections::ALONG_BATCH;

/// The most elements of a constant that is computed for one node.
const MAX_CONSTANT: usize = 1 << 24;
/// The most elements of a file's first dimension that are split, where an operator works on one at a time.
const MAX_PARTS: usize = 16;

impl Lowering<'_> {
    /// Whether a node works on integers.
    pub(super) fn is_whole_number(&self, call: &Call<'_>) -> bool {
        self.is_whole(call, 0)
    }

    /// The type of output `index` of a node, from those of its inputs.
    pub(super) fn kind_of_output(&self, node: &NodeProto, index: usize) -> i32 {
        use crate::onnx::proto::data_type::{BOOL, FLOAT, INT32, INT64, UINT8};
        let of = |i: usize| {
            let name = node.input.get(i).filter(|n| !n.is_empty());
            name.and_then(|n| self.kinds.get(n.as_str()).copied())
        };
        if node.domain == MICROSOFT {
            return if node.op_type == "EmbedLayerNormalization" && index == 1 { INT32 } else { FLOAT };
        }
        match node.op_type.as_str() {
            "Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "And" | "Or" | "Xor"
            | "Not" | "IsNaN" | "IsInf" => BOOL,
            "Shape" | "Size" | "ArgMax" | "ArgMin" | "NonZero" | "NonMaxSuppression" => INT64,
            "TopK" if index == 1 => INT64,
            "Dropout" if index == 1 => BOOL,
            "Cast" => node.int("to", 1) as i32,
            "CastLike" | "Where" => of(1).unwrap_or(FLOAT),
            "OneHot" => of(2).unwrap_or(FLOAT),
            "Constant" => match node.attribute.first() {
                Some(attribute) if attribute.name.starts_with("value_int") => INT64,
                Some(attribute) => attribute.t.as_ref().map_or(FLOAT, |t| t.data_type),
                None => FLOAT,
            },
            "ConstantOfShape" => {
                let value = node.attribute("value").and_then(|a| a.t.as_ref());
                value.map_or(FLOAT, |t| t.data_type)
            }
            "QuantizeLinear" => of(2).unwrap_or(UINT8),
            "DynamicQuantizeLinear" if index != 1 => UINT8,
            "DynamicQuantizeLinear" | "DequantizeLinear" => FLOAT,
            "MatMulInteger" | "ConvInteger" => INT32,
            "QLinearMatMul" | "QLinearConv" => of(7).unwrap_or(UINT8),
            _ => of(0).unwrap_or(FLOAT),
        }
    }

    /// Lowers a node; does nothing for an operator that is not supported here.
    pub(super) fn general(&mut self, call: &Call<'_>) -> Result<Option<Vec<Act>>, String> {
        if call.node.domain == MICROSOFT {
            return self.of_microsoft(call).map(Some);
        }
        let one = match call.node.op_type.as_str() {
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" | "Max" | "Min" | "Sum" | "Mean" | "Equal"
            | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "And" | "Or" | "Xor" => {
                self.variadic(call)?
            }
            "Where" => self.where_node(call)?,
            "Clip" => self.clip_node(call)?,
            "PRelu" => self.prelu_node(call)?,
            "Identity" | "Cast" | "CastLike" => self.cast_node(call)?,
            "Dropout" => return self.dropout_node(call).map(Some),
            "QuantizeLinear" => self.quantize(call)?,
            "DequantizeLinear" => self.dequantize(call)?,
            "DynamicQuantizeLinear" => return self.quantize_by_range(call).map(Some),
            "MatMulInteger" | "QLinearMatMul" => self.integer_matmul(call)?,
            "ArgMax" | "ArgMin" => self.place_of(call)?,
            op if op.starts_with("Reduce") => self.reduce_node(call)?,
            "Softmax" | "LogSoftmax" | "Hardmax" => self.softmax_node(call)?,
            "CumSum" => self.running_sum(call)?,
            "TopK" => return self.top_k(call).map(Some),
            "MatMul" => self.matmul_node(call)?,
            "Gemm" => self.gemm_node(call)?,
            "Einsum" => self.einsum(call)?,
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.view_node(call)?,
            "Transpose" => self.turn_node(call)?,
            "Concat" => self.join_node(call)?,
            "Split" => return self.split_node(call).map(Some),
            "Slice" => self.slice_node(call)?,
            "Expand" | "Tile" => self.repeat_node(call)?,
            "Pad" => self.pad_node(call)?,
            "Trilu" => self.triangle(call)?,
            "Gather" => self.gather_node(call)?,
            "GatherElements" => self.gather_elements(call)?,
            "GatherND" => self.gather_nd(call)?,
            "Scatter" | "ScatterElements" => self.scatter_elements(call)?,
            "ScatterND" => self.scatter_nd(call)?,
            "LSTM" | "GRU" | "RNN" => return self.recurrent(call).map(Some),
            "Attention" => return self.attention(call).map(Some),
            "RotaryEmbedding" => self.rotary(call)?,
            "NegativeLogLikelihoodLoss" | "SoftmaxCrossEntropyLoss" => return self.loss(call).map(Some),
            "DFT" => self.fourier(call)?,
            "AffineGrid" => self.affine_grid(call)?,
            "CenterCropPad" => self.center_crop_pad(call)?,
            "OneHot" => self.one_hot(call)?,
            "Compress" => self.compress_node(call)?,
            "LayerNormalization" | "RMSNormalization" => return self.layer_norm_node(call).map(Some),
            "MeanVarianceNormalization" | "LpNormalization" => self.normalisation(call)?,
            "InstanceNormalization" | "GroupNormalization" => self.group_norm_node(call)?,
            "BatchNormalization" => self.batch_norm_node(call)?,
            "Relu" | "Sigmoid" | "Tanh" | "LeakyRelu" | "HardSigmoid" | "HardSwish" | "Neg" => {
                self.activation(call)?
            }
            "Elu" | "Selu" | "Celu" | "Swish" | "Mish" | "Softsign" | "Gelu" => self.function(call)?,
            "ThresholdedRelu" | "Shrink" | "IsInf" => self.piecewise(call)?,
            "BitwiseNot" => self.bitwise_not(call)?,
            "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => self.bitwise(call)?,
            "BitShift" => self.bit_shift(call)?,
            other => match unary_function(other) {
                Some(function) => self.unary_node(call, function)?,
                None => return Ok(None),
            },
        };
        Ok(Some(vec![one]))
    }

    /// Lowers a node whose number of results depends on the data.
    pub(super) fn selection(&mut self, call: &Call<'_>) -> Result<(Act, Padded), String> {
        match call.node.op_type.as_str() {
            "NonZero" => self.non_zero(call),
            _ => self.best_boxes(call),
        }
    }

    /// The shape here of a value of these dimensions.
    fn shape_of(&self, dims: &[usize]) -> Vec<usize> {
        let rest = dims.get(self.lead..).unwrap_or_default();
        if rest.is_empty() { vec![1] } else { rest.to_vec() }
    }

    /// An axis of the file converted to one here.
    fn here(&self, axis: usize) -> Result<usize, String> {
        axis.checked_sub(self.lead).ok_or_else(|| "it works along the batch".to_string())
    }

    /// The same elements under other dimensions of the file.
    pub(super) fn view(&mut self, x: &Act, dims: Vec<usize>) -> Result<Act, String> {
        let n = |dims: &[usize]| dims.iter().product::<usize>();
        if n(&dims) != n(&x.dims) || (self.lead == 1 && dims.first() != Some(&self.batch)) {
            return Err(format!("from {:?} to {dims:?} images of a batch are mixed", x.dims));
        }
        let value = self.builder.reshape(x.value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    /// A value under another shape here; dimensions of the file follow elsewhere.
    fn shaped(&mut self, value: Value, shape: Vec<usize>) -> Result<Value, String> {
        self.builder.reshape(value, if shape.is_empty() { vec![1] } else { shape })
    }

    /// An operator on values here that makes a value of these dimensions of the file.
    fn make(&mut self, call: &Call<'_>, op: Op, inputs: Vec<Value>, dims: Vec<usize>) -> Result<Act, String> {
        let value = self.builder.op(call.name(), op, inputs)?;
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    /// A constant of this shape.
    fn constant(&mut self, tensor: &Tensor, shape: Vec<usize>) -> Result<Value, String> {
        self.n_parameters += tensor.len() as u64;
        self.computed(tensor.to_floats(), shape)
    }

    /// Constants that are not in the file as such.
    pub(super) fn computed(&mut self, numbers: Vec<f32>, shape: Vec<usize>) -> Result<Value, String> {
        let shape = if shape.is_empty() { vec![1] } else { shape };
        if numbers.is_empty() || numbers.len() > MAX_CONSTANT {
            return Err(format!("a constant of {} numbers", numbers.len()));
        }
        if numbers.iter().any(|v| v.is_nan()) {
            return Err("a constant that is not a number".into());
        }
        let finite: Vec<f32> = numbers.iter().map(|&v| if v.is_finite() { v } else { 0.0 }).collect();
        let op = Op::Constant { shape: shape.clone() };
        let mut value = self.builder.push(None, op.clone(), vec![0], vec![("value", finite.into())])?;
        // A file cannot store infinity: it is computed as the logarithm of 0.
        for (infinity, add) in [(f32::NEG_INFINITY, Op::Add), (f32::INFINITY, Op::Sub)] {
            if numbers.contains(&infinity) {
                let ones: Vec<f32> = numbers.iter().map(|&v| if v == infinity { 0.0 } else { 1.0 }).collect();
                let ones = self.builder.push(None, op.clone(), vec![0], vec![("value", ones.into())])?;
                let logs = self.of_one(UnaryFunction::Log, ones)?;
                value = self.of_two(add, value, logs)?;
            }
        }
        Ok(value)
    }

    /// An output that is the same for every input.
    pub(crate) fn constant_output(&mut self, name: &str) -> Result<Value, String> {
        let tensor = match self.get(name) {
            Some(Slot::Const(tensor)) => (**tensor).clone(),
            Some(Slot::Stored(proto)) => Tensor::read(proto, self.folder).map_err(|e| e.to_string())?,
            _ => return Err(format!("output {name:?} is not known")),
        };
        let shape = tensor.dims.clone();
        self.constant(&tensor, shape).map_err(|problem| format!("output {name:?}: {problem}"))
    }

    /// The dimensions of an operand in the file.
    fn dims_of<'o>(&self, operand: &'o Operand) -> &'o [usize] {
        match operand {
            Operand::Act(act) => &act.dims,
            Operand::Const(tensor) => &tensor.dims,
        }
    }

    /// An operand as a value that can be combined with others of `rank` dimensions in the file.
    fn aligned(&mut self, operand: &Operand, rank: usize) -> Result<Value, String> {
        let dims = rules::aligned(self.dims_of(operand), rank);
        if dims.len() > rank {
            return Err(format!("{dims:?} has more than {rank} dimensions"));
        }
        match operand {
            Operand::Act(act) => {
                if self.lead == 1 && act.dims.len() != rank && self.batch != 1 {
                    return Err(format!("{:?} does not share the batch", act.dims));
                }
                self.builder.reshape(act.value, self.shape_of(&dims))
            }
            Operand::Const(tensor) => {
                if self.lead == 1 && dims.first().is_some_and(|&d| d != 1) {
                    return Err(format!("a constant of shape {:?} for images of a batch", tensor.dims));
                }
                self.constant(tensor, self.shape_of(&dims))
            }
        }
    }

    /// Input `index` of a node.
    fn input<'c, 'n>(&self, call: &'c Call<'n>, index: usize) -> Result<&'c Operand, String> {
        call.inputs.get(index).and_then(Option::as_ref).ok_or_else(|| format!("input {index} is missing"))
    }

    /// Input `index` as a value, constants included; with the dimensions of the file.
    fn value_of(&mut self, call: &Call<'_>, index: usize) -> Result<Act, String> {
        match self.input(call, index)? {
            Operand::Act(act) => Ok(act.clone()),
            Operand::Const(tensor) => {
                let (tensor, mut dims) = (tensor.clone(), tensor.dims.clone());
                if self.lead == 1 {
                    // The same for every image.
                    match dims.first() {
                        Some(1) => {}
                        _ => return Err(format!("a constant of shape {dims:?} for images of a batch")),
                    }
                    dims[0] = self.batch;
                }
                let value = self.constant(&tensor, self.shape_of(&dims))?;
                Ok(Act { value, dims })
            }
        }
    }

    /// Works on one element of the first dimension at a time, in the way that all values with a batch are
    /// handled.
    pub(super) fn one_by_one(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let first = call.act(0)?.clone();
        let n = *first.dims.first().ok_or("a single number")?;
        let has_layer = matches!(call.node.op_type.as_str(), "Conv" | "ConvTranspose");
        if first.dims.len() < 2 || n > if has_layer { MAX_PARTS / 4 } else { MAX_PARTS } {
            return Err(format!("{} of {:?}", call.node.op_type, first.dims));
        }
        let mut parts: Vec<Vec<Act>> = Vec::new();
        for i in 0..n {
            let mut inputs = Vec::new();
            for input in &call.inputs {
                inputs.push(match input {
                    // One number for all.
                    Some(Operand::Act(act)) if act.dims.is_empty() => input.clone(),
                    Some(Operand::Act(act)) => {
                        if act.dims.first() != Some(&n) || act.dims.len() < 2 {
                            return Err(format!("{} of {:?}", call.node.op_type, act.dims));
                        }
                        let one = self.cut(act, 0, rules::Run { first: i, n: 1, step: 1 })?;
                        let value = self.shaped(one.value, act.dims[1..].to_vec())?;
                        Some(Operand::Act(Act { value, dims: one.dims }))
                    }
                    other => other.clone(),
                });
            }
            let (lead, batch) = (self.lead, self.batch);
            (self.lead, self.batch) = (1, 1);
            let made = self.lower_with_batch(&Call { node: call.node, inputs });
            (self.lead, self.batch) = (lead, batch);
            parts.push(made?);
        }
        let mut outputs = Vec::new();
        for o in 0..parts[0].len() {
            let mut dims = parts[0][o].dims.clone();
            let mut values = Vec::new();
            for part in &parts {
                let shape = [&[1], &part[o].dims[1..]].concat();
                values.push(self.shaped(part[o].value, shape)?);
            }
            dims[0] = n;
            let value = if n == 1 { values[0] } else { self.builder.op(None, Op::Concat, values)? };
            let value = self.builder.reshape(value, self.shape_of(&dims))?;
            outputs.push(Act { value, dims });
        }
        Ok(outputs)
    }
}

/// Whether a node of one image may hold per-channel scales or biases to fold into the layer before it.
pub(super) fn goes_with_a_layer(call: &Call<'_>) -> bool {
    let by_constant = || matches!(call.inputs.get(1), Some(Some(Operand::Const(c))) if c.dims.len() > 2);
    match call.node.op_type.as_str() {
        "BatchNormalization" | "PRelu" => true,
        "Add" | "Sub" | "Mul" | "Div" => by_constant(),
        _ => false,
    }
}

/// The elementwise functions identified by their name alone.
pub(super) fn unary_function(op: &str) -> Option<UnaryFunction> {
    Some(match op {
        "Abs" => UnaryFunction::Abs,
        "Sign" => UnaryFunction::Sign,
        "Floor" => UnaryFunction::Floor,
        "Ceil" => UnaryFunction::Ceil,
        "Round" => UnaryFunction::Round,
        "Sqrt" => UnaryFunction::Sqrt,
        "Reciprocal" => UnaryFunction::Reciprocal,
        "Exp" => UnaryFunction::Exp,
        "Log" => UnaryFunction::Log,
        "Sin" => UnaryFunction::Sin,
        "Cos" => UnaryFunction::Cos,
        "Tan" => UnaryFunction::Tan,
        "Asin" => UnaryFunction::Asin,
        "Acos" => UnaryFunction::Acos,
        "Atan" => UnaryFunction::Atan,
        "Sinh" => UnaryFunction::Sinh,
        "Cosh" => UnaryFunction::Cosh,
        "Asinh" => UnaryFunction::Asinh,
        "Acosh" => UnaryFunction::Acosh,
        "Atanh" => UnaryFunction::Atanh,
        "Erf" => UnaryFunction::Erf,
        "Softplus" => UnaryFunction::Softplus,
        "Not" => UnaryFunction::Not,
        "IsNaN" => UnaryFunction::IsNan,
        _ => return None,
    })
}
