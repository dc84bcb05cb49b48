//! Operators that move elements without changing them.

use super::{
    call::{Call, axes, axis, sizes},
    walk::{self, around, strides},
};
use crate::onnx::tensor::{Data, Tensor};

/// The same elements under another shape.
fn with_dims(x: &Tensor, dims: Vec<usize>) -> Result<Tensor, String> {
    let n = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if n != Some(x.len()) {
        return Err(format!("{:?} cannot become {dims:?}", x.dims));
    }
    Ok(Tensor { dims, data: x.data.clone() })
}

/// 0 copies a dimension, unless `allowzero`; -1 is inferred from the rest.
pub(super) fn reshape(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let target = call.list("shape", 1)?.ok_or("its shape is missing")?;
    let copies = call.node.int("allowzero", 0) == 0;
    let mut dims = Vec::new();
    for (d, &size) in target.iter().enumerate() {
        dims.push(match size {
            0 if copies => *x.dims.get(d).ok_or("it copies a dimension that is not there")?,
            -1 => 1,
            size => usize::try_from(size).map_err(|_| format!("a size of {size}"))?,
        });
    }
    if let Some(open) = target.iter().position(|&s| s == -1) {
        let known = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).unwrap_or(0);
        dims[open] = x.len().checked_div(known).ok_or("nothing tells an open size")?;
    }
    with_dims(x, dims)
}

pub(super) fn flatten(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let (rank, at) = (x.dims.len(), call.node.int("axis", 1));
    let at = if at == rank as i64 { rank } else { axis(at, rank)? };
    with_dims(x, vec![x.dims[..at].iter().product(), x.dims[at..].iter().product()])
}

pub(super) fn squeeze(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let gone = match call.list("axes", 1)? {
        Some(list) => axes(&list, x.dims.len())?,
        None => (0..x.dims.len()).filter(|&d| x.dims[d] == 1).collect(),
    };
    with_dims(x, (0..x.dims.len()).filter(|d| !gone.contains(d)).map(|d| x.dims[d]).collect())
}

pub(super) fn unsqueeze(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let list = call.list("axes", 1)?.ok_or("its axes are missing")?;
    let rank = x.dims.len() + list.len();
    let new = axes(&list, rank)?;
    let mut old = x.dims.iter();
    let dims = (0..rank).map(|d| if new.contains(&d) { 1 } else { old.next().copied().unwrap_or(1) });
    with_dims(x, dims.collect())
}

pub(super) fn transpose(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let rank = x.dims.len();
    let order = match call.node.ints("perm") {
        Some(list) => axes(list, rank)?,
        None => (0..rank).rev().collect(),
    };
    if order.len() != rank || (0..rank).any(|d| !order.contains(&d)) {
        return Err(format!("{order:?} is not an order of {rank} dimensions"));
    }
    let steps = strides(&x.dims);
    let dims = order.iter().map(|&d| x.dims[d]).collect();
    let steps: Vec<usize> = order.iter().map(|&d| steps[d]).collect();
    Ok(walk::strided(x, dims, &steps))
}

pub(super) fn concat(call: &Call<'_>) -> Result<Tensor, String> {
    let parts = (0..call.inputs.len()).map(|i| call.x(i)).collect::<Result<Vec<_>, _>>()?;
    let first = parts.first().ok_or("it joins nothing")?;
    // Before operator set 4 the axis had a default.
    let axis = axis(call.node.int("axis", 1), first.dims.len())?;
    let mut dims = first.dims.clone();
    dims[axis] = 0;
    for part in &parts {
        let same =
            part.dims.len() == dims.len() && (0..dims.len()).all(|d| d == axis || part.dims[d] == dims[d]);
        if !same {
            return Err(format!("it joins {:?} and {:?}", first.dims, part.dims));
        }
        dims[axis] += part.dims[axis];
    }
    call.count(&dims)?;
    let outer: usize = dims[..axis].iter().product();
    let rows = |part: &Tensor| part.dims[axis..].iter().product::<usize>();
    if parts.iter().all(|p| p.as_ints().is_some()) {
        let mut all = Vec::new();
        for o in 0..outer {
            for part in &parts {
                let n = rows(part);
                all.extend_from_slice(&part.as_ints().unwrap_or_default()[o * n..][..n]);
            }
        }
        return Ok(Tensor::ints(dims, all));
    }
    let floats: Vec<Vec<f32>> = parts.iter().map(|p| p.to_floats()).collect();
    let mut all = Vec::new();
    for o in 0..outer {
        for (part, values) in parts.iter().zip(&floats) {
            let n = rows(part);
            all.extend_from_slice(&values[o * n..][..n]);
        }
    }
    Ok(Tensor::floats(dims, all))
}

pub(super) fn split(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let x = call.x(0)?;
    let axis = axis(call.node.int("axis", 0), x.dims.len())?;
    let lengths = match call.list("split", 1)? {
        Some(list) => sizes(&list)?,
        None => {
            let n = call.node.output.len().max(1);
            let each = x.dims[axis].div_ceil(n);
            (0..n).map(|i| each.min(x.dims[axis].saturating_sub(i * each))).collect()
        }
    };
    if lengths.iter().try_fold(0usize, |n, &l| n.checked_add(l)) != Some(x.dims[axis]) {
        return Err(format!("parts of {lengths:?} of {}", x.dims[axis]));
    }
    let mut start = 0;
    let mut parts = Vec::new();
    for n in lengths {
        parts.push(taken(call, x, axis, &(start..start + n).collect::<Vec<_>>())?);
        start += n;
    }
    Ok(parts)
}

/// The elements at `indices` of dimension `axis`.
pub(super) fn taken(call: &Call<'_>, x: &Tensor, axis: usize, indices: &[usize]) -> Result<Tensor, String> {
    let mut dims = x.dims.clone();
    dims[axis] = indices.len();
    call.count(&dims)?;
    let (outer, size, inner) = around(&x.dims, axis);
    let mut places = Vec::with_capacity(outer * indices.len() * inner);
    for o in 0..outer {
        for i in indices {
            let first = (o * size + i) * inner;
            places.extend(first..first + inner);
        }
    }
    let data = match &x.data {
        Data::Floats(v) => Data::Floats(places.iter().map(|&p| v[p]).collect()),
        Data::Ints(v) => Data::Ints(places.iter().map(|&p| v[p]).collect()),
    };
    Ok(Tensor { dims, data })
}

pub(super) fn slice(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let starts = call.list("starts", 1)?.ok_or("its starts are missing")?;
    let ends = call.list("ends", 2)?.ok_or("its ends are missing")?;
    let along = match call.list("axes", 3)? {
        Some(list) => axes(&list, x.dims.len())?,
        None => axes(&(0..starts.len() as i64).collect::<Vec<_>>(), x.dims.len())?,
    };
    let steps = call.list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || along.len() != starts.len() || steps.len() != starts.len() {
        return Err("its lists are not equally long".into());
    }
    let mut y = x.clone();
    for (i, &axis) in along.iter().enumerate() {
        let n = y.dims[axis] as i64;
        let from_front = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
        let (start, end, step) = (from_front(starts[i]), from_front(ends[i]), steps[i]);
        let mut indices = Vec::new();
        if step > 0 {
            let (mut at, end) = (start.clamp(0, n), end.clamp(0, n));
            while at < end {
                indices.push(at as usize);
                at = at.saturating_add(step);
            }
        } else if step < 0 {
            let (mut at, end) = (start.clamp(0, n - 1), end.clamp(-1, n - 1));
            while at > end {
                indices.push(at as usize);
                at = at.saturating_add(step);
            }
        } else {
            return Err("a step of 0".into());
        }
        y = taken(call, &y, axis, &indices)?;
    }
    Ok(y)
}

pub(super) fn gather(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, chosen) = (call.x(0)?, call.x(1)?);
    let a = axis(call.node.int("axis", 0), x.dims.len())?;
    let list = chosen.as_ints().ok_or("indices of floats")?;
    let indices = list.iter().map(|&i| axis(i, x.dims[a])).collect::<Result<Vec<_>, _>>()?;
    let mut y = taken(call, x, a, &indices)?;
    y.dims.splice(a..=a, chosen.dims.iter().copied());
    Ok(y)
}

pub(super) fn expand(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let to = sizes(call.x(1)?.as_ints().ok_or("a shape of floats")?)?;
    let dims = walk::broadcast(&[&x.dims, &to])?;
    call.count(&dims)?;
    Ok(walk::spread(x, &dims).into_owned())
}

pub(super) fn tile(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let times = sizes(call.x(1)?.as_ints().ok_or("repeats of floats")?)?;
    if times.len() != x.dims.len() {
        return Err("not one repeat a dimension".into());
    }
    let dims: Vec<usize> = x.dims.iter().zip(&times).map(|(d, n)| d.saturating_mul(*n)).collect();
    call.count(&dims)?;
    let (steps, from) = (strides(&x.dims), &x.dims);
    Ok(walk::rearranged(x, dims, |index| {
        index.iter().zip(from).zip(&steps).map(|((i, size), step)| i % size * step).sum()
    }))
}

fn image(x: &Tensor) -> Result<[usize; 4], String> {
    <[usize; 4]>::try_from(x.dims.as_slice()).map_err(|_| format!("{:?} is not [n, c, h, w]", x.dims))
}

fn block(call: &Call<'_>) -> Result<usize, String> {
    let size = usize::try_from(call.node.int("blocksize", 0)).unwrap_or(0);
    if size == 0 || size > 1 << 16 { Err("its block size".into()) } else { Ok(size) }
}

/// `y[n, c, h b + i, w b + j]` is channel `(i b + j) C + c` of `x[n, ., h, w]`, or `c b b + i b + j` in the order CRD.
pub(super) fn depth_to_space(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let ([n, c, h, w], b) = (image(x)?, block(call)?);
    if c % (b * b) != 0 {
        return Err(format!("blocks of {b} in {c} channels"));
    }
    let (out, is_crd) = (c / b / b, call.node.text("mode") == "CRD");
    Ok(walk::rearranged(x, vec![n, out, h * b, w * b], |index| {
        let &[n, k, y, x] = index else { return 0 };
        let (i, j) = (y % b, x % b);
        let channel = if is_crd { (k * b + i) * b + j } else { (i * b + j) * out + k };
        ((n * c + channel) * h + y / b) * w + x / b
    }))
}

/// Channel `(i b + j) C + c` of `y[n, ., h, w]` is `x[n, c, h b + i, w b + j]`.
pub(super) fn space_to_depth(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let ([n, c, h, w], b) = (image(x)?, block(call)?);
    if h % b != 0 || w % b != 0 {
        return Err(format!("blocks of {b} in {:?}", x.dims));
    }
    Ok(walk::rearranged(x, vec![n, c * b * b, h / b, w / b], |index| {
        let &[n, k, y, x] = index else { return 0 };
        let (i, j, channel) = (k / c / b, k / c % b, k % c);
        ((n * c + channel) * h + y * b + i) * w + x * b + j
    }))
}
