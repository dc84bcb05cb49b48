//! Shape inference: from an operator and the shapes of its operands to its output shape and its parameters.

use crate::{
    error::GraphError,
    graph::{Node, Param, ParamRole},
    limits::{MAX_ADDRESSABLE_ELEMENTS, MAX_DIM, MAX_RANK},
    op::{Op, Padding, Pair},
};
use alloc::{format, string::String, vec, vec::Vec};
use kompakt_words::words;

/// Checks a shape against the limits.
pub(crate) fn check_limits(what: &str, shape: &[usize]) -> Result<(), GraphError> {
    let over = |quantity: &str, found: u64, limit: u64| {
        Err(GraphError::Limit { what: words!("{what}: {quantity}"), found, limit })
    };
    if shape.is_empty() || shape.contains(&0) {
        return Err(GraphError::Structure(words!(
            "has {what} of shape {shape:?}; dimensions must be at least 1"
        )));
    }
    if shape.len() > MAX_RANK {
        return over("number of dimensions", shape.len() as u64, MAX_RANK as u64);
    }
    let mut elements = 1u64;
    for &dim in shape {
        if dim > MAX_DIM {
            return over("dimension", dim as u64, MAX_DIM as u64);
        }
        elements = elements.saturating_mul(dim as u64);
    }
    if elements > MAX_ADDRESSABLE_ELEMENTS {
        return over("number of elements", elements, MAX_ADDRESSABLE_ELEMENTS);
    }
    Ok(())
}

/// The output shape of `node` for operands of these shapes, batch left out.
///
/// Errors: as [`crate::Graph::new`] for that node.
pub fn output_shape(node: &Node, operands: &[&[usize]]) -> Result<Vec<usize>, GraphError> {
    check_arity(node, operands.len())?;
    let x = operands[0];
    let fail = |problem: String| GraphError::Shape { node: node.name.clone(), op: node.op.name(), problem };
    let shape = match &node.op {
        Op::Linear { out_features, .. } => match x {
            [_] => vec![*out_features],
            _ => return Err(fail(words!("needs a vector, got {x:?}; put a flatten before it"))),
        },
        Op::Conv2d { out_channels, kernel, stride, padding, dilation, groups, .. } => {
            let (c, h, w) = image(x).map_err(fail)?;
            if *groups == 0 || c % groups != 0 || out_channels % groups != 0 {
                return Err(fail(words!("{groups} groups do not divide {c} and {out_channels} channels")));
            }
            let oh = window(h, padding.top, padding.bottom, kernel.h, stride.h, dilation.h, false)
                .map_err(fail)?;
            let ow = window(w, padding.left, padding.right, kernel.w, stride.w, dilation.w, false)
                .map_err(fail)?;
            vec![*out_channels, oh, ow]
        }
        Op::MaxPool { kernel, stride, padding, ceil_mode }
        | Op::AvgPool { kernel, stride, padding, ceil_mode, .. } => {
            pool_shape(x, *kernel, *stride, *padding, *ceil_mode).map_err(fail)?
        }
        Op::GlobalAvgPool => {
            let (c, _, _) = image(x).map_err(fail)?;
            vec![c, 1, 1]
        }
        Op::Add | Op::Mul | Op::Sub | Op::Div | Op::Binary { .. } => {
            broadcast(x, operands[1]).map_err(fail)?
        }
        Op::Select => {
            let both = broadcast(operands[1], operands[2]).map_err(fail)?;
            broadcast(x, &both).map_err(fail)?
        }
        Op::Reduce { axes, .. } => reduced(x, axes).map_err(fail)?,
        Op::MatMul => product_shape(x, operands[1]).map_err(fail)?,
        Op::Constant { shape } => shape.clone(),
        Op::Embedding { features, .. } => [x, &[*features]].concat(),
        Op::Take { axis } => match x.get(*axis) {
            Some(_) => [&x[..*axis], operands[1], &x[axis + 1..]].concat(),
            None => return Err(fail(words!("{x:?} has no dimension {axis}"))),
        },
        Op::Scatter { .. } => match (x, operands[1], operands[2]) {
            (&[_, m], &[k], &[rows, columns]) if (rows, columns) == (k, m) => x.to_vec(),
            (_, indices, updates) => {
                return Err(fail(words!("{updates:?} are not rows for {indices:?} indices of {x:?}")));
            }
        },
        Op::Recurrent { cell, hidden, .. } => {
            let gates = cell.n_gates().saturating_mul(*hidden);
            match (x, operands[1], operands[2]) {
                (&[time, batch, width], &[n, h], &[m, c])
                    if width == gates && [n, m] == [batch; 2] && [h, c] == [*hidden; 2] =>
                {
                    vec![time, batch, cell.n_states() * hidden]
                }
                (_, h, c) => {
                    return Err(fail(words!(
                        "needs [time, batch, {gates}] and states [batch, {hidden}], got {x:?}, {h:?} and {c:?}"
                    )));
                }
            }
        }
        Op::TopK { axis, k, .. } => match x.get(*axis) {
            Some(n) if (1..=*n).contains(k) => [&x[..*axis], &[*k], &x[axis + 1..]].concat(),
            _ => return Err(fail(words!("{x:?} has not {k} elements along dimension {axis}"))),
        },
        Op::Concat => {
            let mut shape = x.to_vec();
            for other in &operands[1..] {
                if other.len() != x.len() || other[1..] != x[1..] {
                    return Err(fail(words!("{x:?} and {other:?} differ beyond the first dimension")));
                }
                shape[0] = shape[0].saturating_add(other[0]);
            }
            shape
        }
        Op::Flatten => vec![x.iter().product()],
        Op::Reshape { shape } => {
            check_limits(&words!("node {:?}", node.name), shape)?;
            if shape.iter().product::<usize>() != x.iter().product::<usize>() {
                return Err(fail(words!("{x:?} and {shape:?} hold different numbers of elements")));
            }
            shape.clone()
        }
        Op::Slice { start, end, step } => slice_shape(x, start, end, step).map_err(fail)?,
        Op::Pad { before, after } => {
            if before.len() != x.len() || after.len() != x.len() {
                return Err(fail(words!("needs {} numbers before and after, one a dimension", x.len())));
            }
            x.iter()
                .zip(before.iter().zip(after))
                .map(|(d, (b, a))| d.saturating_add(*b).saturating_add(*a))
                .collect()
        }
        Op::Dropout { p } if !(0.0..1.0).contains(p) => {
            return Err(fail(words!("p is {p}, must be at least 0 and below 1")));
        }
        Op::BatchNorm { eps } if !(*eps >= 0.0 && eps.is_finite()) => {
            return Err(fail(words!("eps is {eps}, must be a number of at least 0")));
        }
        Op::Transpose { axes } => {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(0..x.len()) {
                return Err(fail(words!(
                    "{axes:?} is not a permutation of the {} dimensions of {x:?}",
                    x.len()
                )));
            }
            axes.iter().map(|&axis| x[axis]).collect()
        }
        Op::Gather { axis, indices } => gather_shape(x, *axis, indices).map_err(fail)?,
        Op::Resize { size, step, offset } => {
            let (c, _, _) = image(x).map_err(fail)?;
            if !step.iter().chain(offset).all(|v| v.is_finite()) || step.iter().any(|&s| s < 0.0) {
                return Err(fail(words!(
                    "steps {step:?} must be numbers of at least 0 and offsets {offset:?} numbers"
                )));
            }
            vec![c, size.h, size.w]
        }
        Op::Spread { step } => {
            let (c, h, w) = image(x).map_err(fail)?;
            if step.h == 0 || step.w == 0 {
                return Err(fail("a distance of 0; it must be at least 1".into()));
            }
            let spread = |n: usize, step: usize| (n - 1).saturating_mul(step).saturating_add(1);
            vec![c, spread(h, step.h), spread(w, step.w)]
        }
        Op::LocalResponseNorm { size, alpha, beta, bias } => {
            // The divisor must be above 0 for any input.
            let is_sound =
                *alpha >= 0.0 && *bias > 0.0 && [*alpha, *beta, *bias].iter().all(|v| v.is_finite());
            if *size == 0 || !is_sound {
                return Err(fail(words!(
                    "size {size} must be at least 1, alpha {alpha} at least 0, bias {bias} above 0, beta {beta} a number"
                )));
            }
            x.to_vec()
        }
        Op::Scale { factor: a, offset: b } | Op::HardSigmoid { slope: a, offset: b }
            if !(a.is_finite() && b.is_finite()) =>
        {
            return Err(fail(words!("{a} and {b} must be numbers")));
        }
        Op::LeakyRelu { slope } if !slope.is_finite() => {
            return Err(fail(words!("slope is {slope}, must be a number")));
        }
        Op::Clip { low, high } if !(low <= high && low.is_finite() && high.is_finite()) => {
            return Err(fail(words!("{low} to {high} is not a range")));
        }
        Op::Unary { .. }
        | Op::BatchNorm { .. }
        | Op::ScaleBias
        | Op::Relu
        | Op::Sigmoid
        | Op::Tanh
        | Op::Softmax
        | Op::LogSoftmax
        | Op::Scale { .. }
        | Op::Clip { .. }
        | Op::LeakyRelu { .. }
        | Op::Prelu
        | Op::HardSigmoid { .. }
        | Op::HardSwish
        | Op::Silu
        | Op::Dropout { .. }
        | Op::Identity => x.to_vec(),
    };
    check_limits(&words!("output of node {:?}", node.name), &shape)?;
    Ok(shape)
}

/// The parameters of `node`, whose operands' shapes are already checked.
pub(crate) fn params(index: usize, node: &Node, operands: &[&[usize]]) -> Result<Vec<Param>, GraphError> {
    let x = operands[0];
    let param = |suffix: &str, shape: Vec<usize>, role| Param {
        name: format!("{}.{suffix}", node.name),
        node: index,
        shape,
        role,
    };
    let mut all = Vec::new();
    match &node.op {
        Op::Linear { out_features, bias } => {
            all.push(param("weight", vec![*out_features, x[0]], ParamRole::Weight));
            if *bias {
                all.push(param("bias", vec![*out_features], ParamRole::PerChannel));
            }
        }
        Op::Conv2d { out_channels, kernel, groups, bias, .. } => {
            all.push(param(
                "weight",
                vec![*out_channels, x[0] / groups, kernel.h, kernel.w],
                ParamRole::Weight,
            ));
            if *bias {
                all.push(param("bias", vec![*out_channels], ParamRole::PerChannel));
            }
        }
        Op::BatchNorm { .. } => {
            for suffix in ["weight", "bias", "running_mean", "running_var"] {
                all.push(param(suffix, vec![x[0]], ParamRole::PerChannel));
            }
        }
        Op::ScaleBias => {
            for suffix in ["weight", "bias"] {
                all.push(param(suffix, vec![x[0]], ParamRole::PerChannel));
            }
        }
        Op::Constant { shape } => all.push(param("value", shape.clone(), ParamRole::PerChannel)),
        Op::Embedding { rows, features } => {
            all.push(param("weight", vec![*rows, *features], ParamRole::Weight));
        }
        Op::Recurrent { cell, hidden, .. } => {
            let rows = cell.n_gates().saturating_mul(*hidden);
            all.push(param("weight", vec![rows, *hidden], ParamRole::Weight));
            all.push(param("bias", vec![rows], ParamRole::PerChannel));
        }
        Op::Prelu => all.push(param("weight", vec![x[0]], ParamRole::PerChannel)),
        Op::MaxPool { .. }
        | Op::AvgPool { .. }
        | Op::GlobalAvgPool
        | Op::Relu
        | Op::Sigmoid
        | Op::Tanh
        | Op::Softmax
        | Op::Add
        | Op::Concat
        | Op::Flatten
        | Op::Reshape { .. }
        | Op::Dropout { .. }
        | Op::Identity
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Mul
        | Op::Sub
        | Op::Div
        | Op::Scale { .. }
        | Op::Clip { .. }
        | Op::LeakyRelu { .. }
        | Op::HardSigmoid { .. }
        | Op::HardSwish
        | Op::Silu
        | Op::LogSoftmax
        | Op::Transpose { .. }
        | Op::Gather { .. }
        | Op::Resize { .. }
        | Op::LocalResponseNorm { .. }
        | Op::Spread { .. }
        | Op::Unary { .. }
        | Op::Binary { .. }
        | Op::Select
        | Op::Reduce { .. }
        | Op::MatMul
        | Op::Take { .. }
        | Op::Scatter { .. }
        | Op::TopK { .. } => {}
    }
    for p in &all {
        check_limits(&words!("parameter {:?}", p.name), &p.shape)?;
    }
    Ok(all)
}

fn check_arity(node: &Node, found: usize) -> Result<(), GraphError> {
    let inputs = node.op.operator().inputs;
    if inputs.allow(found) {
        return Ok(());
    }
    let expected = inputs.describe();
    Err(GraphError::Arity { node: node.name.clone(), op: node.op.name(), expected, found })
}

fn image(x: &[usize]) -> Result<(usize, usize, usize), String> {
    match x {
        &[c, h, w] => Ok((c, h, w)),
        _ => Err(words!("needs an image [channels, height, width], got {x:?}")),
    }
}

/// The broadcast shape of two values: each is repeated where it is 1 and the other is not.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let fits = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || *a == 1 || *b == 1);
    if !fits {
        return Err(words!("{a:?} and {b:?} differ where neither is 1"));
    }
    Ok(a.iter().zip(b).map(|(a, b)| *a.max(b)).collect())
}

/// The shape of `x` with the reduced dimensions set to 1.
fn reduced(x: &[usize], axes: &[usize]) -> Result<Vec<usize>, String> {
    let is_list = !axes.is_empty() && axes.windows(2).all(|pair| pair[0] < pair[1]);
    if !is_list || axes.iter().any(|&axis| axis >= x.len()) {
        return Err(words!("{axes:?} are not dimensions of {x:?} in ascending order"));
    }
    Ok(x.iter().enumerate().map(|(d, &n)| if axes.contains(&d) { 1 } else { n }).collect())
}

/// The shape of a matrix product in the last two dimensions.
fn product_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let wrong = || words!("{a:?} and {b:?} are no matrices that can be multiplied");
    let ([lead @ .., m, k], [other @ .., rows, n]) = (a, b) else { return Err(wrong()) };
    if k != rows {
        return Err(wrong());
    }
    let mut shape = broadcast(lead, other).map_err(|_| wrong())?;
    shape.extend([*m, *n]);
    Ok(shape)
}

fn gather_shape(x: &[usize], axis: usize, indices: &[usize]) -> Result<Vec<usize>, String> {
    let Some(&dim) = x.get(axis) else { return Err(words!("{x:?} has no dimension {axis}")) };
    if let Some(index) = indices.iter().find(|i| **i >= dim) {
        return Err(words!("index {index} is outside dimension {axis} of {x:?}"));
    }
    let mut shape = x.to_vec();
    shape[axis] = indices.len();
    Ok(shape)
}

/// Number of windows along one dimension.
fn window(
    size: usize,
    before: usize,
    after: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    ceil_mode: bool,
) -> Result<usize, String> {
    if kernel == 0 || stride == 0 || dilation == 0 {
        return Err(words!("kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1"));
    }
    let reach = (kernel - 1).checked_mul(dilation).and_then(|r| r.checked_add(1));
    let padded = size.checked_add(before).and_then(|s| s.checked_add(after));
    let room = match (padded, reach) {
        (Some(padded), Some(reach)) => padded.checked_sub(reach),
        _ => None,
    };
    let Some(room) = room else {
        return Err(words!(
            "a window of {kernel} (dilation {dilation}) does not fit into {size} with padding {before} and {after}"
        ));
    };
    let mut n = room / stride + 1;
    // As in PyTorch: a last, partial window counts only if it starts inside the image or its leading padding.
    if ceil_mode && !room.is_multiple_of(stride) && n.saturating_mul(stride) < size.saturating_add(before) {
        n += 1;
    }
    Ok(n)
}

fn pool_shape(
    x: &[usize],
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    ceil: bool,
) -> Result<Vec<usize>, String> {
    let (c, h, w) = image(x)?;
    if padding.top.max(padding.bottom) >= kernel.h || padding.left.max(padding.right) >= kernel.w {
        return Err(words!("padding {padding:?} must be smaller than the window {kernel:?}"));
    }
    let oh = window(h, padding.top, padding.bottom, kernel.h, stride.h, 1, ceil)?;
    let ow = window(w, padding.left, padding.right, kernel.w, stride.w, 1, ceil)?;
    Ok(vec![c, oh, ow])
}

fn slice_shape(x: &[usize], start: &[usize], end: &[usize], step: &[usize]) -> Result<Vec<usize>, String> {
    if [start.len(), end.len(), step.len()] != [x.len(); 3] {
        return Err(words!("needs {} starts, ends and steps, one a dimension", x.len()));
    }
    let mut shape = Vec::with_capacity(x.len());
    for (i, &dim) in x.iter().enumerate() {
        if start[i] >= end[i] || end[i] > dim || step[i] == 0 {
            return Err(words!(
                "[{}..{}] step {} is not a part of dimension {dim}",
                start[i],
                end[i],
                step[i]
            ));
        }
        shape.push((end[i] - start[i]).div_ceil(step[i]));
    }
    Ok(shape)
}
