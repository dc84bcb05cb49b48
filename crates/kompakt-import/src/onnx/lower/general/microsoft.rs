//! Operators of the domain `com.microsoft`, which ONNX Runtime's optimisers write, as compositions of standard ones.

mod attention;
mod embeddings;

use super::{
    super::{Act, Call, Lowering, Operand},
    composed::{Setting, has, made, number},
};

/// The domain's name.
pub(crate) const DOMAIN: &str = "com.microsoft";

/// Whether an operator of the domain is supported.
pub(in crate::onnx::lower) fn is_known_of_microsoft(op: &str) -> bool {
    const ALL: &[&str] = &[
        "Attention",
        "BiasGelu",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "EmbedLayerNormalization",
        "FastGelu",
        "FusedMatMul",
        "Gelu",
        "MatMulIntegerToFloat",
        "MultiHeadAttention",
        "QAttention",
        "QuickGelu",
        "RotaryEmbedding",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
    ];
    ALL.contains(&op)
}

impl Lowering<'_> {
    /// Lowers a node of the domain.
    pub(in crate::onnx::lower) fn of_microsoft(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let one = match call.node.op_type.as_str() {
            "Attention" => return self.packed_attention(call),
            "QAttention" => return self.quantised_attention(call),
            "MultiHeadAttention" => return self.multi_head_attention(call),
            "DynamicQuantizeLSTM" => return self.quantised_recurrent(call),
            "EmbedLayerNormalization" => return self.embedded(call),
            "SkipLayerNormalization" => return self.skip_norm(call, "LayerNormalization"),
            "SkipSimplifiedLayerNormalization" => return self.skip_norm(call, "RMSNormalization"),
            "RotaryEmbedding" => self.rotated(call)?,
            "BiasGelu" | "FastGelu" | "Gelu" => {
                let mut x = self.given(call, 0);
                if has(call, 1) {
                    x = made(&self.composed(call, "Add", &[], &[x, self.given(call, 1)])?);
                }
                let is_tanh = call.node.op_type == "FastGelu";
                let kind = if is_tanh { "tanh" } else { "none" };
                self.composed(call, "Gelu", &[("approximate", Setting::Text(kind))], &[x])?
            }
            "QuickGelu" => {
                let alpha = call.node.float("alpha", 1.702);
                self.composed(call, "Swish", &[("alpha", Setting::Float(alpha))], &[self.given(call, 0)])?
            }
            "FusedMatMul" => self.fused_product(call)?,
            "MatMulIntegerToFloat" | "DynamicQuantizeMatMul" => self.product_of_bytes(call)?,
            other => return Err(format!("{other} of {DOMAIN}")),
        };
        Ok(vec![value(one)?])
    }

    /// A product of matrices that may be transposed first, times a number.
    fn fused_product(&mut self, call: &Call<'_>) -> Result<Operand, String> {
        if ["transBatchA", "transBatchB"].iter().any(|name| call.node.int(name, 0) != 0) {
            return Err("dimensions before those of matrices are transposed".into());
        }
        let mut sides = Vec::new();
        for (index, name) in [(0, "transA"), (1, "transB")] {
            let x = self.given(call, index);
            let rank = self.input(call, index).map(|x| self.dims_of(x).len())?;
            if call.node.int(name, 0) == 0 || rank < 2 {
                sides.push(x);
                continue;
            }
            let x = self.input(call, index)?.clone();
            sides.push(made(&self.last_two_swapped(&x, rank)?));
        }
        let y = self.composed(call, "MatMul", &[], &sides)?;
        match call.node.float("alpha", 1.0) {
            1.0 => Ok(y),
            alpha => self.composed(call, "Mul", &[], &[made(&y), number(alpha)]),
        }
    }

    /// A product of a value and weights of 8 bits, of numbers again; the value's too, or it is rounded to them by its range.
    fn product_of_bytes(&mut self, call: &Call<'_>) -> Result<Operand, String> {
        let is_float = call.node.op_type == "DynamicQuantizeMatMul";
        let (x, [scale, zero], bias) = if is_float {
            let parts = self.composed_all(call, "DynamicQuantizeLinear", &[], &[self.given(call, 0)])?;
            let [x, scale, zero] = &parts[..] else { return Err("no range".into()) };
            let inputs = [made(x), made(scale), made(zero)];
            (self.composed(call, "DequantizeLinear", &[], &inputs)?, [2, 3], 4)
        } else {
            let inputs = [0, 2, 4].map(|index| self.given(call, index));
            (self.composed(call, "DequantizeLinear", &[], &inputs)?, [3, 5], 6)
        };
        let weights = [1, scale, zero].map(|index| self.given(call, index));
        let weights = self.composed(call, "DequantizeLinear", &[("axis", Setting::Int(1))], &weights)?;
        let name = call.node.input.get(1).map_or("", String::as_str);
        let y = self.composed(call, "MatMul", &[], &[made(&x), (made(&weights).0, name)])?;
        match has(call, bias) {
            true => self.composed(call, "Add", &[], &[made(&y), self.given(call, bias)]),
            false => Ok(y),
        }
    }

    fn last_two_swapped(&mut self, x: &Operand, rank: usize) -> Result<Operand, String> {
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        match x {
            Operand::Act(act) => self.reordered(act, &order).map(Operand::Act),
            Operand::Const(tensor) => {
                let (n, m) = (tensor.dims[rank - 2], tensor.dims[rank - 1]);
                let mut dims = tensor.dims.clone();
                dims.swap(rank - 2, rank - 1);
                self.ask(tensor.len())?;
                let places = (0..tensor.len()).map(move |i| {
                    let (matrix, place) = (i / (n * m), i % (n * m));
                    matrix * n * m + place % n * m + place / n
                });
                Ok(Operand::Const(std::rc::Rc::new(tensor.pick(dims, places))))
            }
        }
    }
}

/// What a node makes of a network's input is no constant.
fn value(operand: Operand) -> Result<Act, String> {
    match operand {
        Operand::Act(act) => Ok(act),
        Operand::Const(_) => Err("nothing in it depends on the input".into()),
    }
}
