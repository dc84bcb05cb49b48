//! Nodes that the file does not have: others of its nodes are composed of them.

use super::super::{Call, Lowering, Operand};
use crate::onnx::{
    proto::{AttributeProto, NodeProto},
    tensor::Tensor,
};
use bytes::Bytes;
use std::rc::Rc;

/// A value of an attribute.
pub(super) enum Setting<'s> {
    Int(i64),
    Float(f32),
    Text(&'s str),
}

/// An input of a composed node: the operand, and what the file calls it.
pub(super) type Given<'n> = (Option<Operand>, &'n str);

/// A constant number.
pub(super) fn number(value: f32) -> Given<'static> {
    constant(Tensor::floats(vec![], vec![value]))
}

/// A constant list of integers.
pub(super) fn list(values: &[i64]) -> Given<'static> {
    constant(Tensor::list(values.to_vec()))
}

pub(super) fn constant(tensor: Tensor) -> Given<'static> {
    (Some(Operand::Const(Rc::new(tensor))), "")
}

/// The result of another composed node.
pub(super) fn made(operand: &Operand) -> Given<'static> {
    (Some(operand.clone()), "")
}

impl Lowering<'_> {
    /// All outputs of a node of the standard operator sets on these inputs; `of` is the node that it is a part of.
    pub(super) fn composed_all(
        &mut self,
        of: &Call<'_>,
        op: &str,
        settings: &[(&str, Setting<'_>)],
        inputs: &[Given<'_>],
    ) -> Result<Vec<Operand>, String> {
        let attribute = |(name, setting): &(&str, Setting<'_>)| {
            let mut attribute = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
            match setting {
                Setting::Int(value) => attribute.i = *value,
                Setting::Float(value) => attribute.f = *value,
                Setting::Text(value) => attribute.s = Bytes::copy_from_slice(value.as_bytes()),
            }
            attribute
        };
        let node = NodeProto {
            input: inputs.iter().map(|(_, name)| name.to_string()).collect(),
            name: of.node.title().to_string(),
            op_type: op.to_string(),
            attribute: settings.iter().map(attribute).collect(),
            ..NodeProto::default()
        };
        let call = Call { node: &node, inputs: inputs.iter().map(|(operand, _)| operand.clone()).collect() };
        if let Some(made) = self.folded(&call)? {
            return Ok(made.into_iter().map(|tensor| Operand::Const(Rc::new(tensor))).collect());
        }
        Ok(self.lower(&call)?.into_iter().map(Operand::Act).collect())
    }

    /// The first output of such a node.
    pub(super) fn composed(
        &mut self,
        of: &Call<'_>,
        op: &str,
        settings: &[(&str, Setting<'_>)],
        inputs: &[Given<'_>],
    ) -> Result<Operand, String> {
        let made = self.composed_all(of, op, settings, inputs)?;
        made.into_iter().next().ok_or_else(|| format!("{op} makes nothing"))
    }

    /// Elements `first..end` of an axis.
    pub(super) fn cut_out(
        &mut self,
        of: &Call<'_>,
        x: &Operand,
        axis: usize,
        [first, end]: [usize; 2],
    ) -> Result<Operand, String> {
        let bounds = [first, end, axis].map(|n| list(&[n as i64]));
        let [first, end, axis] = bounds;
        self.composed(of, "Slice", &[], &[made(x), first, end, axis])
    }

    /// Input `index` of a node; nothing where it is left out.
    pub(super) fn given<'n>(&self, call: &Call<'n>, index: usize) -> Given<'n> {
        let name = call.node.input.get(index).map_or("", String::as_str);
        (call.inputs.get(index).cloned().flatten(), name)
    }
}

/// Whether input `index` is there.
pub(super) fn has(call: &Call<'_>, index: usize) -> bool {
    matches!(call.inputs.get(index), Some(Some(_)))
}
