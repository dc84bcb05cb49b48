//! Nodes that do not depend on the network's input.

use super::{Call, Lowering, Operand, SPARE_ELEMENTS};
use crate::onnx::{
    error::OnnxError,
    evaluate, fold,
    proto::NodeProto,
    tensor::{Tensor, is_sane},
};

impl Lowering<'_> {
    /// The results of a node that does not depend on the network's input.
    pub(super) fn folded(&mut self, call: &Call<'_>) -> Result<Option<Vec<Tensor>>, String> {
        if let Some(Some(Operand::Act(x))) = call.inputs.first() {
            match call.node.op_type.as_str() {
                "Shape" => return Ok(Some(vec![fold::shape_of(call.node, &x.dims)])),
                "Size" => {
                    let n = x.dims.iter().product::<usize>() as i64;
                    return Ok(Some(vec![Tensor::ints(vec![], vec![n])]));
                }
                "EyeLike" => {
                    let shape = if self.lead == 0 { &x.dims[..] } else { &[] };
                    let &[h, w] = shape else { return Err(format!("a matrix like {:?}", x.dims)) };
                    fold::take(h.checked_mul(w), &mut self.budget)?;
                    let k = call.node.int("k", 0);
                    let one = |i: usize| i64::from((i % w) as i64 - (i / w) as i64 == k);
                    return Ok(Some(vec![Tensor::ints(vec![h, w], (0..h * w).map(one).collect())]));
                }
                _ => {}
            }
        }
        if call.inputs.iter().any(|i| matches!(i, Some(Operand::Act(_)))) {
            return Ok(None);
        }
        let inputs = call.constants();
        let made = match fold::fold(call.node, &inputs, self.opset, &mut self.budget)? {
            Some(made) => made,
            None => {
                let made =
                    evaluate::constants_of(call.node, &inputs, self.opset, self.folder).map_err(|_| {
                        "it works on constants alone, which is not supported for this operator".to_string()
                    })?;
                fold::take(Some(made.iter().map(Tensor::len).sum()), &mut self.budget)?;
                made
            }
        };
        match made.iter().find(|tensor| !is_sane(&tensor.dims)) {
            Some(tensor) => Err(format!("a constant of {} dimensions", tensor.dims.len())),
            None => Ok(Some(made)),
        }
    }

    /// The value of a node `Constant`.
    pub(super) fn constant_node(&self, node: &NodeProto) -> Result<Tensor, String> {
        let Some(attribute) = node.attribute.first() else { return Err("it has no value".into()) };
        let read = |e: OnnxError| e.to_string();
        match attribute.name.as_str() {
            "value" => match &attribute.t {
                Some(tensor) => Tensor::read(tensor, self.folder).map_err(read),
                None => Err("it has no value".into()),
            },
            "sparse_value" => match &attribute.sparse_tensor {
                Some(sparse) => {
                    Ok(Tensor::read_sparse(sparse, self.folder, SPARE_ELEMENTS >> 4).map_err(read)?.1)
                }
                None => Err("it has no value".into()),
            },
            "value_float" => Ok(Tensor::floats(vec![], vec![attribute.f])),
            "value_floats" => Ok(Tensor::floats(vec![attribute.floats.len()], attribute.floats.clone())),
            "value_int" => Ok(Tensor::ints(vec![], vec![attribute.i])),
            "value_ints" => Ok(Tensor::list(attribute.ints.clone())),
            other => Err(format!("a constant of kind {other:?}")),
        }
    }
}

/// The error for an operator on a value, if it is supported on constants only.
pub(super) fn constants_only(op: &str) -> Option<String> {
    match op {
        "ConstantOfShape" | "Range" => Some("it is supported on constants only".to_string()),
        "Unique" => Some("how many results it has depends on the input; shapes must be known".to_string()),
        _ => None,
    }
}
