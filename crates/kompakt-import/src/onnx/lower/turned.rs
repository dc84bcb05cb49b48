//! Values whose batch is temporarily not their first dimension, as attention needs them: queries, keys and
//! values of all heads come as `[n, tokens, 3, heads, d]`, become `[3, n, heads, tokens, d]`, and are split
//! along the first dimension.
//!
//! The network keeps the batch first throughout; only its position in the file is recorded.

use super::{Act, Lowering, Operand};
use crate::onnx::{
    fold,
    proto::NodeProto,
    rules::{self, Run},
    tensor::Tensor,
};

/// A value, its dimensions with the batch first, and the position of the batch in the file.
#[derive(Debug, Clone)]
pub(crate) struct Turned {
    pub(crate) act: Act,
    pub(crate) at: usize,
}

impl Turned {
    /// The dimensions in the order of the file.
    pub(crate) fn file_dims(&self) -> Vec<usize> {
        let mut dims = self.act.dims.clone();
        let batch = dims.remove(0);
        dims.insert(self.at, batch);
        dims
    }

    /// The index here of a dimension of the file.
    fn here(&self, axis: usize) -> Result<usize, String> {
        match axis {
            a if a == self.at => Err("it takes the batch apart".into()),
            a if a < self.at => Ok(a + 1),
            a => Ok(a),
        }
    }

    /// The same without some dimensions of the file.
    fn without(&self, gone: &[usize], act: Act) -> Self {
        Self { act, at: self.at - gone.iter().filter(|&&a| a < self.at).count() }
    }
}

impl Lowering<'_> {
    /// A node that moves the batch, or works on a value whose batch was moved.
    pub(super) fn turned(
        &mut self,
        node: &NodeProto,
        x: &Turned,
        inputs: &[Option<Operand>],
    ) -> Result<Vec<Turned>, String> {
        let dims = x.file_dims();
        let rank = dims.len();
        let constants = inputs
            .iter()
            .enumerate()
            .map(|(i, input)| match input {
                Some(Operand::Const(tensor)) => Ok(Some(&**tensor)),
                Some(Operand::Act(_)) if i > 0 => Err(format!("input {i} is not constant")),
                _ => Ok(None),
            })
            .collect::<Result<Vec<Option<&Tensor>>, String>>()?;
        let second = constants.get(1).copied().flatten();
        let name = Some(node.name.as_str());
        match node.op_type.as_str() {
            "Transpose" => {
                let order = fold::permutation(node, rank)?;
                let at = order.iter().position(|&a| a == x.at).unwrap_or(0);
                let rest = order.iter().filter(|&&a| a != x.at);
                let rest = rest.map(|&a| Ok(x.here(a)? - 1)).collect::<Result<Vec<_>, String>>()?;
                let value = self.builder.transpose(x.act.value, rest)?;
                Ok(vec![Turned { act: self.with_batch(value), at }])
            }
            "Slice" => {
                let mut act = x.act.clone();
                for (axis, run) in rules::slices(node, &constants, &dims)? {
                    if !run.is_all(dims[axis]) {
                        act = self.part(&act, x.here(axis)?, run, name)?;
                    }
                }
                Ok(vec![Turned { act, at: x.at }])
            }
            "Squeeze" => {
                let gone = rules::axes(node, second, rank)?.ok_or("its axes are not given")?;
                if gone.iter().any(|&a| a == x.at || dims[a] != 1) {
                    return Err(format!("dimensions {gone:?} of {dims:?} cannot go"));
                }
                let kept = (0..rank).filter(|a| *a != x.at && !gone.contains(a)).map(|a| dims[a]);
                let to = std::iter::once(x.act.dims[0]).chain(kept).collect();
                let act = self.reshaped(&x.act, to)?;
                Ok(vec![x.without(&gone, act)])
            }
            "Gather" => {
                let axis = rules::axis(node.int("axis", 0), rank)?;
                let chosen = second.filter(|t| t.len() == 1).ok_or("it takes more than one")?;
                let first = fold::indices(chosen, dims[axis])?[0];
                let here = x.here(axis)?;
                let act = self.part(&x.act, here, Run { first, n: 1, step: 1 }, name)?;
                if !chosen.dims.is_empty() {
                    return Ok(vec![Turned { act, at: x.at }]);
                }
                let mut to = act.dims.clone();
                to.remove(here);
                let act = self.reshaped(&act, to)?;
                Ok(vec![x.without(&[axis], act)])
            }
            "Split" => {
                let axis = rules::axis(node.int("axis", 0), rank)?;
                let n = node.output.len().max(1);
                let lengths = match node.ints("split").or(second.and_then(Tensor::as_ints)) {
                    Some(list) => list.iter().map(|&v| usize::try_from(v).unwrap_or(0)).collect(),
                    None => vec![dims[axis] / n; n],
                };
                if lengths.iter().sum::<usize>() != dims[axis] || lengths.contains(&0) {
                    return Err(format!("parts of {lengths:?} of a dimension of {}", dims[axis]));
                }
                let (mut first, here) = (0, x.here(axis)?);
                let mut parts = Vec::new();
                for n in lengths {
                    let act = self.part(&x.act, here, Run { first, n, step: 1 }, name)?;
                    parts.push(Turned { act, at: x.at });
                    first += n;
                }
                Ok(parts)
            }
            _ => Err(format!("the batch is dimension {} of its input, not the first", x.at)),
        }
    }
}
