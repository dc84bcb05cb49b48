//! Shape rules shared by constants and activations.

use crate::onnx::{
    proto::NodeProto,
    tensor::{Tensor, is_sane},
};

/// `axis` counted from the front, for `rank` dimensions.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let rank_i = rank as i64;
    let from_front = if axis < 0 { axis.saturating_add(rank_i) } else { axis };
    usize::try_from(from_front)
        .ok()
        .filter(|&a| a < rank)
        .ok_or_else(|| format!("axis {axis} is none of {rank} dimensions"))
}

/// Axes as an attribute or as input `index`, counted from the front, in order; `None` if none are given.
pub(crate) fn axes(
    node: &NodeProto,
    input: Option<&Tensor>,
    rank: usize,
) -> Result<Option<Vec<usize>>, String> {
    let given = match (node.ints("axes"), input) {
        (Some(list), _) => list,
        (None, Some(tensor)) => tensor.as_ints().ok_or("axes are no whole numbers")?,
        (None, None) => return Ok(None),
    };
    let mut all = given.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    all.dedup();
    Ok(Some(all))
}

/// The shape after a reshape of `dims` to `target`: 0 copies a dimension, -1 is inferred from the rest.
pub(crate) fn reshape(target: &[i64], dims: &[usize], keep_zeros: bool) -> Result<Vec<usize>, String> {
    let fail = || format!("{dims:?} cannot become {target:?}");
    let total: usize = dims.iter().product();
    let mut to = Vec::with_capacity(target.len());
    let mut open = None;
    for (i, &size) in target.iter().enumerate() {
        to.push(match size {
            0 if !keep_zeros => *dims.get(i).ok_or_else(fail)?,
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            size => usize::try_from(size).map_err(|_| fail())?,
        });
    }
    let known = to.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).ok_or_else(fail)?;
    if let Some(open) = open {
        to[open] = if known > 0 && total.is_multiple_of(known) { total / known } else { return Err(fail()) };
    } else if known != total {
        return Err(fail());
    }
    if !is_sane(&to) {
        return Err(fail());
    }
    Ok(to)
}

/// Indices `first`, `first + step`, … along a dimension, `n` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: usize,
    pub(crate) n: usize,
    pub(crate) step: i64,
}

impl Run {
    pub(crate) fn indices(self) -> impl Iterator<Item = usize> {
        let first = self.first as i64;
        (0..self.n as i64).map(move |i| (first + i * self.step) as usize)
    }

    /// Whether it is an entire dimension, in order.
    pub(crate) fn is_all(self, size: usize) -> bool {
        self.first == 0 && self.n == size && (self.step == 1 || size == 1)
    }
}

/// The indices that a slice takes along a dimension of `size`.
pub(crate) fn slice(start: i64, end: i64, step: i64, size: usize) -> Result<Run, String> {
    let n = size as i64;
    let wrap = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
    if step == 0 {
        return Err("a step of 0".into());
    }
    let (first, distance) = if step > 0 {
        let first = wrap(start).clamp(0, n);
        (first, wrap(end).clamp(0, n) - first)
    } else {
        let first = wrap(start).clamp(-1, n - 1);
        (first, first - wrap(end).clamp(-1, n - 1))
    };
    let n = if distance > 0 { (distance as u64).div_ceil(step.unsigned_abs()) as usize } else { 0 };
    Ok(Run { first: first.max(0) as usize, n, step })
}

/// Starts, ends and steps by axis, of a node that has them as inputs or attributes.
pub(crate) fn slices(
    node: &NodeProto,
    inputs: &[Option<&Tensor>],
    dims: &[usize],
) -> Result<Vec<(usize, Run)>, String> {
    let list = |index: usize, name: &str| -> Result<Option<Vec<i64>>, String> {
        match (node.ints(name), inputs.get(index).copied().flatten()) {
            (Some(list), _) => Ok(Some(list.to_vec())),
            (None, Some(t)) => Ok(Some(t.as_ints().ok_or("bounds that are no whole numbers")?.to_vec())),
            (None, None) => Ok(None),
        }
    };
    let (Some(starts), Some(ends)) = (list(1, "starts")?, list(2, "ends")?) else {
        return Err("its bounds are not constant".into());
    };
    let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("starts, ends, axes and steps are not equally many".into());
    }
    let mut all = Vec::new();
    for (i, &a) in axes.iter().enumerate() {
        let a = axis(a, dims.len())?;
        all.push((a, slice(starts[i], ends[i], steps[i], dims[a])?));
    }
    Ok(all)
}

/// The broadcast shape of two shapes, the shorter one padded with leading ones.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let (a, b) = (aligned(a, rank), aligned(b, rank));
    a.iter()
        .zip(&b)
        .map(|(&a, &b)| match (a, b) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            _ => Err(format!("{a} and {b} differ where neither is 1")),
        })
        .collect()
}

/// A shape padded with leading ones to `rank` dimensions.
pub(crate) fn aligned(dims: &[usize], rank: usize) -> Vec<usize> {
    let mut all = vec![1; rank.saturating_sub(dims.len())];
    all.extend_from_slice(dims);
    all
}

/// For each element of a tensor of shape `to`, the position of its source in one of shape `from` (same rank,
/// 1 where it is repeated).
pub(crate) fn repeated(from: &[usize], to: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let mut strides = vec![0; to.len()];
    let mut step = 1;
    for d in (0..to.len()).rev() {
        strides[d] = if from[d] == 1 { 0 } else { step };
        step *= from[d];
    }
    walk(to.to_vec(), strides)
}

/// The positions of elements in row-major order of `dims`, where dimension `d` has stride `strides[d]`.
pub(crate) fn walk(dims: Vec<usize>, strides: Vec<usize>) -> impl Iterator<Item = usize> {
    let total: usize = dims.iter().product();
    let mut index = vec![0; dims.len()];
    let mut at = 0usize;
    (0..total).map(move |_| {
        let here = at;
        for d in (0..dims.len()).rev() {
            index[d] += 1;
            at += strides[d];
            if index[d] < dims[d] {
                break;
            }
            at -= dims[d] * strides[d];
            index[d] = 0;
        }
        here
    })
}

/// Row-major strides.
pub(crate) fn strides(dims: &[usize]) -> Vec<usize> {
    (0..dims.len()).map(|d| dims[d + 1..].iter().product()).collect()
}
