//! What is known of the results of a node that could not be lowered, so that the nodes after it are checked too.

use super::{Act, Lowering, Slot};
use crate::onnx::{
    proto::{Dimension, NodeProto},
    rules,
    tensor::is_sane,
};

impl<'a> Lowering<'a> {
    /// The entry for output `name` of a node that could not be lowered.
    pub(super) fn unknown(&mut self, node: &NodeProto, name: &str) -> Slot<'a> {
        let is_constant = |name: &String| match self.slots.get(name.as_str()) {
            Some(Slot::Act(_) | Slot::Turned(_) | Slot::Unknown { is_constant: false }) => false,
            Some(_) | None => true,
        };
        if matches!(node.op_type.as_str(), "Shape" | "Size") || node.input.iter().all(is_constant) {
            return Slot::Unknown { is_constant: true };
        }
        match self.declared(name).or_else(|| self.shape_of_elementwise(node)) {
            Some(dims) if dims.first() == Some(&self.batch) && !dims.contains(&0) => {
                let rest = if dims.len() == 1 { vec![1] } else { dims[1..].to_vec() };
                Slot::Act(Act { value: self.builder.placeholder(rest), dims })
            }
            _ => Slot::Unknown { is_constant: false },
        }
    }

    /// The shape that the file states for a float value.
    fn declared(&self, name: &str) -> Option<Vec<usize>> {
        let info = self.graph.value_info.iter().find(|v| v.name == name)?;
        let tensor = info.r#type.as_ref()?.tensor_type.as_ref().filter(|t| t.elem_type == 1)?;
        let dims = &tensor.shape.as_ref()?.dim;
        let size = |(d, dim): (usize, &Dimension)| match dim.size() {
            None if d == 0 => Some(self.batch),
            size => size,
        };
        let dims: Vec<usize> = dims.iter().enumerate().map(size).collect::<Option<_>>()?;
        is_sane(&dims).then_some(dims)
    }

    /// The output shape of an elementwise operator on known shapes.
    fn shape_of_elementwise(&self, node: &NodeProto) -> Option<Vec<usize>> {
        const ELEMENTWISE: &[&str] = &[
            "And",
            "Atan",
            "Ceil",
            "Cos",
            "CumSum",
            "Equal",
            "Floor",
            "Greater",
            "Less",
            "Log",
            "Mod",
            "Not",
            "Or",
            "Pow",
            "Round",
            "Sign",
            "Sin",
            "Tan",
            "ThresholdedRelu",
            "Where",
            "Xor",
        ];
        if !ELEMENTWISE.contains(&node.op_type.as_str()) {
            return None;
        }
        let mut dims = Vec::new();
        for name in node.input.iter().filter(|n| !n.is_empty()) {
            let other: Vec<usize> = match self.slots.get(name.as_str())? {
                Slot::Act(act) => act.dims.clone(),
                Slot::Const(tensor) => tensor.dims.clone(),
                Slot::Stored(proto) => {
                    proto.dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<_>>()?
                }
                Slot::Turned(_) | Slot::Unknown { .. } => return None,
            };
            dims = rules::broadcast(&dims, &other).ok()?;
        }
        is_sane(&dims).then_some(dims)
    }
}
