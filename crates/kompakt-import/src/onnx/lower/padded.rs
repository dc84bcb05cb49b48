//! Values with a dimension whose length the data decide: padded to its greatest length.
//!
//! ```text
//! NonZero of [0, 7, 0, 5]      file: [[1, 3]]      here: [[1, 3, ?, ?]], of which 2 are kept      output: [[1, 3, -1, -1]]
//! ```
//!
//! What is kept comes first. Operators that work on each element of the dimension by itself carry it on; what would mix or count
//! elements is refused. In outputs the rest is -1.

use super::{Act, Call, Lowering, Operand};
use crate::onnx::{builder::Value, rules};
use kompakt_graph::Op;

/// The dimension of a value that is padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Padded {
    pub(crate) axis: usize,
    /// 1 for what is kept, 0 for the rest: a vector of the dimension's length.
    pub(super) kept: Value,
}

impl Lowering<'_> {
    /// The padded dimension of a node's outputs, where one of its inputs has one.
    ///
    /// Errors: an operator that does not work element by element along it.
    pub(super) fn carried(&self, call: &Call<'_>) -> Result<Option<Padded>, String> {
        let of = |index: usize| {
            let name = call.node.input.get(index).filter(|name| !name.is_empty())?;
            self.padded.get(name.as_str()).copied()
        };
        let Some((index, padded)) = (0..call.inputs.len()).find_map(|i| Some((i, of(i)?))) else {
            return Ok(None);
        };
        let node = call.node;
        let refused = || {
            let title = "the data decide how many elements a dimension has";
            Err(format!("{title}, which is padded to the most; {} would mix or count them", node.op_type))
        };
        if (0..call.inputs.len()).filter_map(of).any(|other| other.kept != padded.kept) {
            return refused();
        }
        let Some(Some(Operand::Act(x))) = call.inputs.get(index) else { return refused() };
        let (rank, axis) = (x.dims.len(), padded.axis);
        let is_other = |given: i64| rules::axis(given, rank).is_ok_and(|given| given != axis);
        let to = |axis: usize| Ok(Some(Padded { axis, ..padded }));
        let constants = call.constants();
        let given_axes = |rank: usize| {
            rules::axes(node, constants.get(1).copied().flatten(), rank).ok().flatten().unwrap_or_default()
        };
        match node.op_type.as_str() {
            "Cast" | "Identity" | "Abs" | "Neg" | "Floor" | "Ceil" | "Round" | "Sqrt" | "Exp" | "Log"
            | "Relu" | "Sigmoid" | "Tanh" | "Not" | "Reciprocal" | "Sign" => to(axis),
            "Clip" if index == 0 => to(axis),
            "Transpose" => {
                match crate::onnx::fold::permutation(node, rank)?.iter().position(|&a| a == axis) {
                    Some(axis) => to(axis),
                    None => refused(),
                }
            }
            "Gather" => {
                let at = call.inputs.first().and_then(Option::as_ref).map_or(0, |x| self.rank_of(x));
                let at = rules::axis(node.int("axis", 0), at)?;
                match (index, of(1)) {
                    (0, None) if at != axis => {
                        let inserted =
                            call.inputs.get(1).and_then(Option::as_ref).map_or(0, |x| self.rank_of(x));
                        to(if at < axis { axis + inserted - 1 } else { axis })
                    }
                    (1, _) => to(at + axis),
                    _ => refused(),
                }
            }
            "GatherND" if index == 1 && node.int("batch_dims", 0) == 0 && axis + 1 < rank => to(axis),
            "Slice" => match (given_axes_of_slice(call, rank), of(0)) {
                (Some(axes), Some(_)) if !axes.contains(&axis) => to(axis),
                _ => refused(),
            },
            "Split" if is_other(node.int("axis", 0)) => to(axis),
            "Squeeze" => {
                let axes = given_axes(rank);
                match axes.is_empty() || axes.contains(&axis) {
                    true => refused(),
                    false => to(axis - axes.iter().filter(|&&a| a < axis).count()),
                }
            }
            "Unsqueeze" => {
                let n = node.ints("axes").map(<[i64]>::len).or(constants
                    .get(1)
                    .copied()
                    .flatten()
                    .map(|t| t.len()));
                let axes = given_axes(rank + n.unwrap_or(0));
                let free: Vec<usize> = (0..rank + axes.len()).filter(|a| !axes.contains(a)).collect();
                free.get(axis).map_or_else(refused, |&axis| to(axis))
            }
            "Concat" => {
                let is_same = (0..call.inputs.len()).all(|i| of(i).is_none_or(|other| other.axis == axis));
                if is_same && is_other(node.int("axis", 0)) { to(axis) } else { refused() }
            }
            "MatMul" if index == 0 && axis + 1 < rank && of(1).is_none() => to(axis),
            "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Pow" | "Equal" | "Less" | "LessOrEqual"
            | "Greater" | "GreaterOrEqual" | "And" | "Or" | "Xor" | "Where" => {
                let dims = |i: usize| call.inputs[i].as_ref().map_or(&[][..], |x| self.dims(x));
                let most = (0..call.inputs.len()).map(|i| dims(i).len()).max().unwrap_or(rank);
                let at = axis + most - rank;
                let fits = |i: usize| {
                    let aligned = rules::aligned(dims(i), most);
                    match of(i) {
                        Some(other) => other.axis + most - dims(i).len() == at,
                        None => aligned[at] == 1,
                    }
                };
                if (0..call.inputs.len()).all(fits) { to(at) } else { refused() }
            }
            "Reshape" => refused_or(self.reshaped_axis(call, x, axis), padded).map_or_else(refused, Ok),
            _ => refused(),
        }
    }

    /// Where a dimension is after a reshape: as many elements lie before it, and it has its length.
    fn reshaped_axis(&self, call: &Call<'_>, x: &Act, axis: usize) -> Option<usize> {
        let target = call.constant(1).ok()??.as_ints()?;
        let to = rules::reshape(target, &x.dims, call.node.int("allowzero", 0) != 0).ok()?;
        let before: usize = x.dims[..axis].iter().product();
        let stated = |a: usize| target[a] == -1 || target[a] == 0;
        (0..to.len())
            .find(|&a| to[a] == x.dims[axis] && to[..a].iter().product::<usize>() == before && stated(a))
    }

    fn rank_of(&self, operand: &Operand) -> usize {
        self.dims(operand).len()
    }

    fn dims<'o>(&self, operand: &'o Operand) -> &'o [usize] {
        match operand {
            Operand::Act(act) => &act.dims,
            Operand::Const(tensor) => &tensor.dims,
        }
    }

    /// An output, -1 where its dimension is padded.
    pub(crate) fn padded_output(&mut self, name: &str, act: &Act) -> Result<Value, String> {
        let Some(&Padded { axis, kept }) = self.padded.get(name) else { return Ok(act.value) };
        let mut shape = vec![1; act.dims.len()];
        shape[axis] = act.dims[axis];
        let kept = self.builder.reshape(kept, shape.clone())?;
        shape[axis] = 1;
        let rest = self.computed(vec![-1.0], shape)?;
        self.builder.op(None, Op::Select, vec![kept, act.value, rest])
    }
}

fn refused_or(axis: Option<usize>, padded: Padded) -> Option<Option<Padded>> {
    axis.map(|axis| Some(Padded { axis, ..padded }))
}

/// The axes along which a slice cuts.
fn given_axes_of_slice(call: &Call<'_>, rank: usize) -> Option<Vec<usize>> {
    let constants = call.constants();
    let axes = match (call.node.ints("axes"), constants.get(3).copied().flatten()) {
        (Some(axes), _) => axes.to_vec(),
        (None, Some(tensor)) => tensor.as_ints()?.to_vec(),
        (None, None) => return None,
    };
    axes.iter().map(|&a| rules::axis(a, rank).ok()).collect()
}
