//! Elements by indices that are values: look-ups, updates, the largest ones.

use super::{
    call::{Call, axis},
    walk::{self, around, strides},
};
use crate::onnx::tensor::{Data, Tensor};

/// Counted from the front. Errors: outside.
fn index(i: i64, size: usize) -> Result<usize, String> {
    axis(i, size).map_err(|_| format!("index {i} of {size}"))
}

fn indices(call: &Call<'_>, input: usize) -> Result<Vec<i64>, String> {
    Ok(call.x(input)?.as_ints().ok_or("indices of floats")?.to_vec())
}

/// `y[i][j] = x[index[i][j]][j]` along an axis.
pub(super) fn gather_elements(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, chosen) = (call.x(0)?, call.x(1)?);
    let places = places(call, x, chosen)?;
    Ok(x.pick(chosen.dims.clone(), places.into_iter()))
}

/// For each index along the node's axis, the position of its element in `x`.
fn places(call: &Call<'_>, x: &Tensor, chosen: &Tensor) -> Result<Vec<usize>, String> {
    let a = axis(call.node.int("axis", 0), x.dims.len())?;
    let fits =
        chosen.dims.len() == x.dims.len() && (0..x.dims.len()).all(|d| d == a || chosen.dims[d] <= x.dims[d]);
    if !fits {
        return Err(format!("indices of {:?} into {:?}", chosen.dims, x.dims));
    }
    call.count(&chosen.dims)?;
    let list = chosen.as_ints().ok_or("indices of floats")?;
    let steps = strides(&x.dims);
    let (mut all, mut problem) = (Vec::with_capacity(list.len()), None);
    walk::each(&chosen.dims, |at| match index(list[all.len()], x.dims[a]) {
        Ok(i) => all.push((0..at.len()).map(|d| steps[d] * if d == a { i } else { at[d] }).sum()),
        Err(text) => {
            problem = Some(text);
            all.push(0);
        }
    });
    problem.map_or(Ok(all), Err)
}

/// The position of the block that each list of indices names, and the size of a block.
fn blocks(call: &Call<'_>, x: &Tensor, batch: usize) -> Result<(Vec<usize>, usize), String> {
    let chosen = call.x(1)?;
    let wrong = || format!("indices of {:?} into {:?}", chosen.dims, x.dims);
    let &q = chosen.dims.last().ok_or_else(wrong)?;
    if batch + q > x.dims.len()
        || batch >= chosen.dims.len()
        || q == 0
        || x.dims[..batch] != chosen.dims[..batch]
    {
        return Err(wrong());
    }
    let (list, steps) = (indices(call, 1)?, strides(&x.dims));
    let inner = x.dims[batch + q..].iter().product();
    let each: usize = chosen.dims[batch..chosen.dims.len() - 1].iter().product();
    let of_batch: usize = x.dims[batch..].iter().product();
    let mut starts = Vec::new();
    for (n, part) in list.chunks(q).enumerate() {
        let mut at = n / each.max(1) * of_batch;
        for (d, &i) in part.iter().enumerate() {
            at += index(i, x.dims[batch + d])? * steps[batch + d];
        }
        starts.push(at);
    }
    Ok((starts, inner))
}

pub(super) fn gather_nd(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, chosen) = (call.x(0)?, call.x(1)?);
    let batch = usize::try_from(call.node.int("batch_dims", 0)).map_err(|_| "a batch below 0")?;
    let (starts, inner) = blocks(call, x, batch)?;
    let q = chosen.dims[chosen.dims.len() - 1];
    let dims = [&chosen.dims[..chosen.dims.len() - 1], &x.dims[batch + q..]].concat();
    call.count(&dims)?;
    Ok(x.pick(dims, starts.into_iter().flat_map(|at| at..at + inner)))
}

/// `x` with `updates` at positions.
fn updated(call: &Call<'_>, x: &Tensor, updates: &Tensor, at: &[usize]) -> Result<Tensor, String> {
    fn all<T: Copy>(mut y: Vec<T>, at: &[usize], updates: &[T], f: impl Fn(T, T) -> T) -> Vec<T> {
        for (&at, &update) in at.iter().zip(updates) {
            y[at] = f(y[at], update);
        }
        y
    }
    call.count(&x.dims)?;
    if updates.len() != at.len() {
        return Err(format!("{} updates of {} elements", updates.len(), at.len()));
    }
    let how = call.node.text("reduction");
    let data = match (&x.data, &updates.data) {
        (Data::Ints(y), Data::Ints(u)) => Data::Ints(match how {
            "" | "none" => all(y.clone(), at, u, |_, u| u),
            "add" => all(y.clone(), at, u, i64::wrapping_add),
            "mul" => all(y.clone(), at, u, i64::wrapping_mul),
            "max" => all(y.clone(), at, u, i64::max),
            "min" => all(y.clone(), at, u, i64::min),
            other => return Err(format!("reduction {other:?}")),
        }),
        _ => {
            let (y, u) = (x.to_floats(), updates.to_floats());
            Data::Floats(match how {
                "" | "none" => all(y, at, &u, |_, u| u),
                "add" => all(y, at, &u, |y, u| y + u),
                "mul" => all(y, at, &u, |y, u| y * u),
                "max" => all(y, at, &u, f32::max),
                "min" => all(y, at, &u, f32::min),
                other => return Err(format!("reduction {other:?}")),
            })
        }
    };
    Ok(Tensor { dims: x.dims.clone(), data })
}

pub(super) fn scatter_elements(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, chosen, updates) = (call.x(0)?, call.x(1)?, call.x(2)?);
    updated(call, x, updates, &places(call, x, chosen)?)
}

pub(super) fn scatter_nd(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, updates) = (call.x(0)?, call.x(2)?);
    let (starts, inner) = blocks(call, x, 0)?;
    call.count(&updates.dims)?;
    if starts.len().checked_mul(inner) != Some(updates.len()) {
        return Err(format!("updates of {:?}", updates.dims));
    }
    let at: Vec<usize> = starts.into_iter().flat_map(|at| at..at + inner).collect();
    updated(call, x, updates, &at)
}

/// The largest or smallest elements of an axis in order, and their indices; of equal ones the first comes first.
pub(super) fn top_k(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let x = call.x(0)?;
    let a = axis(call.node.int("axis", -1), x.dims.len())?;
    let k = match call.list("k", 1)? {
        Some(list) => list.first().copied().unwrap_or(0),
        None => call.node.int("k", 0),
    };
    let (outer, n, inner) = around(&x.dims, a);
    let k = usize::try_from(k).ok().filter(|&k| k <= n).ok_or("more than there are")?;
    let is_largest = call.node.int("largest", 1) != 0;
    call.pay((x.len() as u64).saturating_mul(64))?;
    let values = x.to_floats();
    let mut dims = x.dims.clone();
    dims[a] = k;
    call.count(&dims)?;
    let (mut found, mut at) = (vec![0; outer * k * inner], vec![0i64; outer * k * inner]);
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let place = |j: usize| (o * n + j) * inner + i;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&p, &q| {
            let (p, q) = (values[place(p)], values[place(q)]);
            if is_largest { q.total_cmp(&p) } else { p.total_cmp(&q) }
        });
        for (j, &which) in order[..k].iter().enumerate() {
            found[(o * k + j) * inner + i] = place(which);
            at[(o * k + j) * inner + i] = which as i64;
        }
    }
    Ok(vec![x.pick(dims.clone(), found.into_iter()), Tensor::ints(dims, at)])
}

/// One of two values in each place of a new axis: the second where the index is.
pub(super) fn one_hot(call: &Call<'_>) -> Result<Tensor, String> {
    let (chosen, values) = (call.x(0)?, call.x(2)?);
    let depth = call.x(1)?.scalar().filter(|d| (1.0..=1e8).contains(d)).ok_or("its depth")? as usize;
    let a = axis(call.node.int("axis", -1), chosen.dims.len() + 1)?;
    let mut dims = chosen.dims.clone();
    dims.insert(a, depth);
    let n = call.count(&dims)?;
    if values.len() != 2 {
        return Err("not two values".into());
    }
    let list = chosen.to_floats();
    let inner: usize = chosen.dims[a..].iter().product();
    let is_hot = |j: usize| {
        let (o, d, i) = (j / (depth * inner), j / inner % depth, j % inner);
        let index = list[o * inner + i].trunc();
        index == d as f32 || index + depth as f32 == d as f32
    };
    Ok(values.pick(dims, (0..n).map(|j| usize::from(is_hot(j)))))
}

/// The elements of an axis, or of all, where a condition holds.
pub(super) fn compress(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, condition) = (call.x(0)?, call.x(1)?);
    let kept = condition.to_floats();
    let (dims, a) = match call.node.attribute("axis") {
        Some(a) => (x.dims.clone(), axis(a.i, x.dims.len())?),
        None => (vec![x.len()], 0),
    };
    let kept: Vec<usize> = (0..kept.len().min(dims[a])).filter(|&i| kept[i] != 0.0).collect();
    super::layout::taken(call, &x.reshaped(dims), a, &kept)
}
