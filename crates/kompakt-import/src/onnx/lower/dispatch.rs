//! Which function lowers which operator.
//!
//! Most networks keep a batch in every value: [`lower_with_batch`](Lowering::lower_with_batch) has the forms for those, which
//! end in layers. [`general`](Lowering::general) has operators on values of any shape, and what the first has not.

use super::{
    Act, Call, Lowering, MICROSOFT, Operand,
    constants::constants_only,
    general::{goes_with_a_layer, is_known_of_microsoft, unary_function},
};
use crate::onnx::proto::NodeProto;

impl Lowering<'_> {
    /// Lowers a node that depends on the network's input; returns its outputs.
    pub(super) fn lower(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if call.node.domain == MICROSOFT {
            return self.of_microsoft(call);
        }
        let n_parameters = self.n_parameters;
        if self.lead == 0 {
            let is_image = matches!(call.inputs.first(), Some(Some(Operand::Act(x))) if x.dims.len() > 2 && x.dims[0] == 1);
            if is_image && goes_with_a_layer(call) {
                if let Ok(made) = self.one_by_one(call) {
                    return Ok(made);
                }
                self.n_parameters = n_parameters;
            }
            return match self.general(call)? {
                Some(made) => Ok(made),
                None => self.one_by_one(call),
            };
        }
        // Integer division truncates.
        if call.node.op_type == "Div"
            && self.is_whole_number(call)
            && let Some(made) = self.general(call)?
        {
            return Ok(made);
        }
        let problem = match self.lower_with_batch(call) {
            Ok(made) => return Ok(made),
            Err(problem) => problem,
        };
        self.n_parameters = n_parameters;
        match self.general(call) {
            Ok(Some(made)) => Ok(made),
            Ok(None) => {
                self.n_parameters = n_parameters;
                Err(problem)
            }
            Err(other) => {
                self.n_parameters = n_parameters;
                // Where only the general form exists, its problem is the reason.
                let is_general = problem == format!("{} of a value", call.node.op_type);
                Err(if is_general { other } else { problem })
            }
        }
    }

    /// Lowers a node whose values have a leading batch.
    pub(super) fn lower_with_batch(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let one = match call.node.op_type.as_str() {
            "Conv" => self.convolution(call)?,
            "ConvTranspose" => self.transposed_convolution(call)?,
            "ConvInteger" | "QLinearConv" => self.quantised_convolution(call)?,
            "LpPool" => self.norm_pool(call)?,
            "Gemm" => self.gemm(call)?,
            "MatMul" => self.matmul(call)?,
            "MaxPool" => self.pool(call, true)?,
            "AveragePool" => self.pool(call, false)?,
            "GlobalAveragePool" => self.global_pool(call, false)?,
            "GlobalMaxPool" => self.global_pool(call, true)?,
            op if op.starts_with("Reduce") => self.reduce(call)?,
            "Abs" | "Celu" | "Elu" | "Erf" | "Exp" | "Gelu" | "Mish" | "Reciprocal" | "Selu" | "Softplus"
            | "Softsign" | "Sqrt" | "Swish" => self.function(call)?,
            "LayerNormalization" | "RMSNormalization" => self.layer_norm(call)?,
            "InstanceNormalization" => self.instance_norm(call)?,
            "GroupNormalization" => self.group_norm(call)?,
            "BatchNormalization" => self.batch_norm(call)?,
            "LRN" => self.response_norm(call)?,
            "Softmax" | "LogSoftmax" => self.softmax(call)?,
            "Relu" | "Sigmoid" | "Tanh" | "LeakyRelu" | "HardSigmoid" | "HardSwish" | "Clip" | "Neg"
            | "PRelu" => self.activation(call)?,
            "Add" | "Sub" | "Mul" | "Div" | "Sum" | "Mean" | "Max" | "Min" | "Pow" => {
                self.arithmetic(call)?
            }
            "Identity" | "Cast" | "Dropout" => self.identity(call)?,
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape_node(call)?,
            "Transpose" => self.transpose_node(call)?,
            "Concat" => self.concat(call)?,
            "Split" => return self.split(call),
            "Slice" => self.slice(call)?,
            "Gather" => self.gather(call)?,
            "Expand" | "Tile" => self.repeat(call)?,
            "Pad" => self.pad(call)?,
            "DepthToSpace" | "SpaceToDepth" => self.depth_and_space(call)?,
            "Resize" | "Upsample" => self.resize(call)?,
            other => {
                return Err(constants_only(other).unwrap_or_else(|| format!("{other} of a value")));
            }
        };
        Ok(vec![one])
    }
}

/// Whether the data decide how many results a node has.
pub(super) fn is_selection(node: &NodeProto) -> bool {
    node.domain != MICROSOFT && matches!(node.op_type.as_str(), "NonZero" | "NonMaxSuppression")
}

/// Whether an operator of a domain is supported, on constants at least.
///
/// Errors: the domain is not known.
pub(super) fn is_known(node: &NodeProto) -> Result<bool, String> {
    let op = node.op_type.as_str();
    match node.domain.as_str() {
        "" | "ai.onnx" => Ok(KNOWN.contains(&op) || unary_function(op).is_some()),
        MICROSOFT => Ok(is_known_of_microsoft(op)),
        other => Err(format!("operators of domain {other:?} are not supported")),
    }
}

/// The operators, in addition to those of [`unary_function`].
const KNOWN: &[&str] = &[
    "Add",
    "AffineGrid",
    "And",
    "ArgMax",
    "ArgMin",
    "Attention",
    "AveragePool",
    "BatchNormalization",
    "BitShift",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "Cast",
    "CastLike",
    "Celu",
    "CenterCropPad",
    "Clip",
    "Compress",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvInteger",
    "ConvTranspose",
    "CumSum",
    "DFT",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "DynamicQuantizeLinear",
    "Einsum",
    "Elu",
    "Equal",
    "Expand",
    "EyeLike",
    "Flatten",
    "GRU",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "InstanceNormalization",
    "IsInf",
    "LRN",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "LogSoftmax",
    "LpNormalization",
    "LpPool",
    "MatMul",
    "MatMulInteger",
    "Max",
    "MaxPool",
    "Mean",
    "MeanVarianceNormalization",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "NegativeLogLikelihoodLoss",
    "NonMaxSuppression",
    "NonZero",
    "OneHot",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "RMSNormalization",
    "RNN",
    "Range",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "RotaryEmbedding",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Size",
    "Slice",
    "Softmax",
    "SoftmaxCrossEntropyLoss",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
    "Tile",
    "TopK",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Upsample",
    "Where",
    "Xor",
];
