//! What a node reads.

use super::{Act, Lowering, Slot, constants::constants_only, turned::Turned};
use crate::onnx::{
    proto::{NodeProto, TensorProto},
    tensor::Tensor,
};
use std::rc::Rc;

/// The node being lowered.
pub(crate) struct Call<'n> {
    pub(super) node: &'n NodeProto,
    /// One per input; `None` where it is left out.
    pub(super) inputs: Vec<Option<Operand>>,
}

/// An input of a node.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Act(Act),
    Const(Rc<Tensor>),
}

impl<'n> Call<'n> {
    /// Input `index`, which must depend on the network's input.
    pub(super) fn act(&self, index: usize) -> Result<&Act, String> {
        match self.inputs.get(index) {
            Some(Some(Operand::Act(act))) => Ok(act),
            Some(Some(Operand::Const(_))) => Err(format!("input {index} is constant")),
            _ => Err(format!("input {index} is missing")),
        }
    }

    /// Input `index`, if it is there; it must be constant then.
    pub(super) fn constant(&self, index: usize) -> Result<Option<&Tensor>, String> {
        match self.inputs.get(index) {
            Some(Some(Operand::Const(tensor))) => Ok(Some(tensor)),
            Some(Some(Operand::Act(_))) => {
                Err(format!("input {index} ({:?}) is not constant", self.node.input[index]))
            }
            _ => Ok(None),
        }
    }

    /// Input `index`, which must be constant.
    pub(super) fn needed(&self, index: usize) -> Result<&Tensor, String> {
        self.constant(index)?.ok_or_else(|| format!("input {index} is missing"))
    }

    /// The same, to be held on to.
    pub(super) fn shared(&self, index: usize) -> Result<&Rc<Tensor>, String> {
        match self.inputs.get(index) {
            Some(Some(Operand::Const(tensor))) => Ok(tensor),
            _ => Err(format!("input {index} is missing, or not constant")),
        }
    }

    /// All inputs that are constant, the others left out.
    pub(super) fn constants(&self) -> Vec<Option<&Tensor>> {
        let get = |operand: &'_ Option<Operand>| matches!(operand, Some(Operand::Const(_)));
        (0..self.inputs.len())
            .map(|i| if get(&self.inputs[i]) { self.constant(i).ok().flatten() } else { None })
            .collect()
    }

    /// The name of the layer whose weight is input `index`.
    pub(super) fn layer_name(&self, index: usize) -> &str {
        match self.node.input.get(index).and_then(|n| n.strip_suffix(".weight")) {
            Some(name) if !name.is_empty() => name,
            _ => &self.node.name,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        Some(&self.node.name)
    }
}

impl<'a> Lowering<'a> {
    /// The operands of a node, and the last of them whose batch was moved; an error without a text where an earlier
    /// node has failed already.
    #[allow(clippy::type_complexity)]
    pub(super) fn operands(
        &mut self,
        node: &NodeProto,
    ) -> Result<(Vec<Option<Operand>>, Option<Turned>), Option<String>> {
        let mut inputs = Vec::with_capacity(node.input.len());
        let (mut is_behind, mut is_constant, mut turned) = (false, true, None);
        for name in &node.input {
            inputs.push(match self.slots.get(name.as_str()) {
                _ if name.is_empty() => None,
                None => {
                    return Err(Some(format!(
                        "nothing before it makes its input {name:?}; nodes must be in order, without cycles"
                    )));
                }
                Some(Slot::Unknown { is_constant: constant }) => {
                    is_behind = true;
                    is_constant &= constant;
                    None
                }
                Some(Slot::Act(act)) => {
                    is_constant = false;
                    Some(Operand::Act(act.clone()))
                }
                Some(Slot::Turned(value)) => {
                    is_constant = false;
                    turned = Some(value.clone());
                    Some(Operand::Act(value.act.clone()))
                }
                Some(Slot::Const(tensor)) => Some(Operand::Const(tensor.clone())),
                Some(Slot::Stored(proto)) => Some(Operand::Const(self.stored(proto)?)),
            });
            if let Some(Some(Operand::Const(tensor))) = inputs.last() {
                self.readable = self.readable.checked_sub(tensor.len()).ok_or_else(|| {
                    "nodes read more constants than the limit for a file of this size allows".to_string()
                })?;
            }
        }
        if is_behind {
            let is_computed = is_constant || matches!(node.op_type.as_str(), "Shape" | "Size");
            return Err((!is_computed).then(|| constants_only(&node.op_type)).flatten());
        }
        Ok((inputs, turned))
    }

    /// An initialiser.
    fn stored(&self, proto: &'a TensorProto) -> Result<Rc<Tensor>, String> {
        let tensor = match self.initialisers {
            Some(read) => read.get(proto, self.folder),
            None => Tensor::read(proto, self.folder).map(Rc::new),
        };
        tensor.map_err(|e| e.to_string())
    }
}
