//! Constant folding: shape arithmetic left by exporters, and weights that are transformed before use.

use crate::onnx::{
    proto::{NodeProto, data_type},
    rules,
    tensor::{Data, Tensor, is_sane},
};

/// Deducts a result's elements from the budget.
pub(crate) fn take(n: Option<usize>, budget: &mut usize) -> Result<(), String> {
    match n.and_then(|n| budget.checked_sub(n)) {
        Some(left) => {
            *budget = left;
            Ok(())
        }
        None => {
            Err("a constant that is computed becomes too large: it exceeds the limit for a file of this size"
                .to_string())
        }
    }
}

/// The number of elements of a shape, if it is valid.
fn count(dims: &[usize]) -> Option<usize> {
    is_sane(dims).then(|| dims.iter().product())
}

/// Computes a node whose inputs are all constant; an input that is left out is `None`.
///
/// `budget` is how many elements may still be made; it is reduced by the result's.
/// Returns `None` for an unsupported operator. Errors: inputs that do not fit, a result that is too large.
pub(crate) fn fold(
    node: &NodeProto,
    inputs: &[Option<&Tensor>],
    opset: i64,
    budget: &mut usize,
) -> Result<Option<Vec<Tensor>>, String> {
    let Some(x) = inputs.first().copied().flatten() else {
        return Ok(None);
    };
    let second = || inputs.get(1).copied().flatten().ok_or("its second input is missing");
    take(Some(x.len()), budget)?;
    let rank = x.dims.len();
    let one = |t: Tensor| Ok(Some(vec![t]));
    match node.op_type.as_str() {
        "Identity" => one(x.clone()),
        "Cast" => one(cast(x, node.int("to", 1) as i32)),
        "Shape" => one(shape_of(node, &x.dims)),
        "Size" => one(Tensor::ints(vec![], vec![x.len() as i64])),
        "Reshape" => {
            let target = match node.ints("shape") {
                Some(list) => list,
                None => second()?.as_ints().ok_or("a shape that is no whole numbers")?,
            };
            one(x.reshaped(rules::reshape(target, &x.dims, node.int("allowzero", 0) != 0)?))
        }
        "Flatten" => {
            let at = node.int("axis", 1);
            let at = if at == rank as i64 { rank } else { rules::axis(at, rank)? };
            one(x.reshaped(vec![x.dims[..at].iter().product(), x.dims[at..].iter().product()]))
        }
        "Squeeze" => {
            let axes = rules::axes(node, inputs.get(1).copied().flatten(), rank)?;
            let gone = |d: &usize| axes.as_ref().map_or(x.dims[*d] == 1, |a| a.contains(d));
            if (0..rank).filter(gone).any(|d| x.dims[d] != 1) {
                return Err(format!("a dimension of {:?} that is not 1 cannot go", x.dims));
            }
            one(x.reshaped((0..rank).filter(|d| !gone(d)).map(|d| x.dims[d]).collect()))
        }
        "Unsqueeze" => one(x.reshaped(unsqueezed(node, inputs.get(1).copied().flatten(), &x.dims)?)),
        "Transpose" => {
            let axes = permutation(node, rank)?;
            let strides = rules::strides(&x.dims);
            let dims: Vec<usize> = axes.iter().map(|&a| x.dims[a]).collect();
            let places = rules::walk(dims.clone(), axes.iter().map(|&a| strides[a]).collect());
            one(x.pick(dims, places))
        }
        "Slice" => {
            let mut t = x.clone();
            for (axis, run) in rules::slices(node, inputs, &x.dims)? {
                take(Some(t.len().max(run.n)), budget)?;
                t = along(&t, axis, &run.indices().collect::<Vec<_>>());
            }
            one(t)
        }
        "Gather" => {
            let axis = rules::axis(node.int("axis", 0), rank)?;
            let chosen = second()?;
            let size = x.dims[axis];
            let indices = indices(chosen, size)?;
            let part = x.len() / size.max(1);
            take(part.checked_mul(indices.len()), budget)?;
            let mut t = along(x, axis, &indices);
            t.dims.splice(axis..=axis, chosen.dims.iter().copied());
            one(t)
        }
        "Concat" => {
            let parts: Option<Vec<&Tensor>> = inputs.iter().copied().collect();
            let parts = parts.ok_or("an input is missing")?;
            take(Some(parts.iter().map(|t| t.len()).sum()), budget)?;
            one(concat(&parts, rules::axis(node.int("axis", 0), rank)?)?)
        }
        "ConstantOfShape" => {
            let dims = sizes(x)?;
            take(count(&dims), budget)?;
            let n = dims.iter().product();
            let value = node.attribute("value").and_then(|a| a.t.as_ref());
            let value = match value {
                Some(t) => Tensor::read(t, None).map_err(|e| e.to_string())?,
                None => Tensor::floats(vec![1], vec![0.0]),
            };
            match &value.data {
                Data::Floats(v) => one(Tensor::floats(dims, vec![v.first().copied().unwrap_or(0.0); n])),
                Data::Ints(v) => one(Tensor::ints(dims, vec![v.first().copied().unwrap_or(0); n])),
            }
        }
        "Expand" => {
            let to = rules::broadcast(&x.dims, &sizes(second()?)?)?;
            take(count(&to), budget)?;
            let places = rules::repeated(&rules::aligned(&x.dims, to.len()), &to);
            one(x.pick(to, places))
        }
        "Tile" => {
            let times = sizes(second()?)?;
            let to: Vec<usize> = times.iter().zip(&x.dims).map(|(n, d)| n.saturating_mul(*d)).collect();
            if times.len() != rank || !is_sane(&to) {
                return Err("not one repeat a dimension".into());
            }
            let mut t = x.clone();
            for (axis, &n) in times.iter().enumerate() {
                take(t.len().checked_mul(n), budget)?;
                let size = t.dims[axis];
                t = along(&t, axis, &(0..size * n).map(|i| i % size).collect::<Vec<_>>());
            }
            one(t)
        }
        "Range" => {
            let third = inputs.get(2).copied().flatten().ok_or("its step is missing")?;
            let limits = (x.as_ints(), second()?.as_ints(), third.as_ints());
            let (Some(&[start]), Some(&[end]), Some(&[step])) = limits else {
                let values = float_range([x, second()?, third], budget)?;
                return one(Tensor::floats(vec![values.len()], values));
            };
            if step == 0 {
                return Err("a step of 0".into());
            }
            let distance = (i128::from(end) - i128::from(start)) / i128::from(step) + 1;
            let n = usize::try_from(distance.max(0)).ok();
            take(n, budget)?;
            let n = n.unwrap_or(0);
            let value = |i: usize| start.saturating_add(step.saturating_mul(i as i64));
            let values = (0..n).map(value).filter(|&v| if step > 0 { v < end } else { v > end });
            one(Tensor::list(values.collect()))
        }
        "ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin" => {
            let all = match rules::axes(node, inputs.get(1).copied().flatten(), rank)? {
                None => true,
                Some(axes) => axes.len() == rank,
            };
            if !all || x.len() == 0 {
                return Ok(None);
            }
            let dims = if node.int("keepdims", 1) != 0 { vec![1; rank] } else { vec![] };
            one(reduce(x, &node.op_type, dims))
        }
        "Neg" | "Abs" | "Floor" | "Ceil" | "Sqrt" | "Exp" | "Log" | "Reciprocal" | "Not" => {
            one(unary(x, &node.op_type))
        }
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" | "Min" | "Max" | "Equal" | "Less" | "Greater"
        | "And" | "Or" => {
            let mut t = x.clone();
            for other in inputs.iter().skip(1) {
                let other = other.ok_or("an input is missing")?;
                let dims = rules::broadcast(&t.dims, &other.dims)?;
                take(count(&dims), budget)?;
                t = binary(&t, other, dims, &node.op_type);
            }
            one(t)
        }
        "Where" => {
            let (a, b) = (second()?, inputs.get(2).copied().flatten().ok_or("an input is missing")?);
            let dims = rules::broadcast(&rules::broadcast(&x.dims, &a.dims)?, &b.dims)?;
            take(count(&dims), budget)?;
            let spread = |t: &Tensor| {
                t.pick(dims.clone(), rules::repeated(&rules::aligned(&t.dims, dims.len()), &dims))
            };
            let condition = spread(x).to_floats();
            one(match (spread(a), spread(b)) {
                (Tensor { data: Data::Ints(a), .. }, Tensor { data: Data::Ints(b), .. }) => {
                    Tensor::ints(dims, choose(&condition, a, b))
                }
                (a, b) => Tensor::floats(dims, choose(&condition, a.to_floats(), b.to_floats())),
            })
        }
        "DequantizeLinear" => {
            let scale = second()?;
            let zero = inputs.get(2).copied().flatten();
            one(dequantised(x, scale, zero, rules::axis(node.int("axis", 1), rank.max(1)).unwrap_or(0))?)
        }
        "Dropout" if opset >= 7 => one(x.clone()),
        _ => Ok(None),
    }
}

fn choose<T>(condition: &[f32], a: Vec<T>, b: Vec<T>) -> Vec<T> {
    condition.iter().zip(a.into_iter().zip(b)).map(|(&c, (a, b))| if c != 0.0 { a } else { b }).collect()
}

/// The dimensions that a `Shape` node returns, as a list.
pub(crate) fn shape_of(node: &NodeProto, dims: &[usize]) -> Tensor {
    let rank = dims.len() as i64;
    let bound = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
    let (start, end) = (bound(node.int("start", 0)), bound(node.int("end", rank)));
    Tensor::list(dims[start.min(end)..end].iter().map(|&d| d as i64).collect())
}

/// The shape after an `Unsqueeze`.
pub(crate) fn unsqueezed(
    node: &NodeProto,
    input: Option<&Tensor>,
    dims: &[usize],
) -> Result<Vec<usize>, String> {
    let n_new = match (node.ints("axes"), input) {
        (Some(list), _) => list.len(),
        (None, Some(t)) => t.len(),
        (None, None) => return Err("its axes are not constant".into()),
    };
    let rank = dims.len() + n_new;
    let axes = rules::axes(node, input, rank)?.unwrap_or_default();
    if axes.len() != n_new {
        return Err("an axis is named twice".into());
    }
    let mut old = dims.iter().copied();
    Ok((0..rank).map(|d| if axes.contains(&d) { 1 } else { old.next().unwrap_or(1) }).collect())
}

/// The order of a `Transpose`.
pub(crate) fn permutation(node: &NodeProto, rank: usize) -> Result<Vec<usize>, String> {
    let Some(list) = node.ints("perm") else { return Ok((0..rank).rev().collect()) };
    let axes = list.iter().map(|&a| rules::axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted.into_iter().eq(0..rank) {
        Ok(axes)
    } else {
        Err(format!("{list:?} is no order of {rank} dimensions"))
    }
}

/// Integers as sizes.
pub(crate) fn sizes(t: &Tensor) -> Result<Vec<usize>, String> {
    let ints = t.as_ints().ok_or("a shape that is no whole numbers")?;
    ints.iter()
        .map(|&v| usize::try_from(v).ok().filter(|&v| v <= 1 << 32).ok_or_else(|| format!("a size of {v}")))
        .collect()
}

/// Indices into a dimension of `size`, negative ones from the end.
pub(crate) fn indices(t: &Tensor, size: usize) -> Result<Vec<usize>, String> {
    let ints = t.as_ints().ok_or("indices that are no whole numbers")?;
    ints.iter().map(|&i| rules::axis(i, size).map_err(|_| format!("index {i} is outside {size}"))).collect()
}

/// The slices of a tensor at `indices` of dimension `axis`.
pub(crate) fn along(t: &Tensor, axis: usize, indices: &[usize]) -> Tensor {
    let inner: usize = t.dims[axis + 1..].iter().product();
    let (outer, size) = (t.dims[..axis].iter().product::<usize>(), t.dims[axis]);
    let mut dims = t.dims.clone();
    dims[axis] = indices.len();
    let places = (0..outer)
        .flat_map(|o| indices.iter().flat_map(move |&i| (0..inner).map(move |k| (o * size + i) * inner + k)));
    t.pick(dims, places)
}

pub(crate) fn concat(parts: &[&Tensor], axis: usize) -> Result<Tensor, String> {
    let mut dims = parts[0].dims.clone();
    dims[axis] = 0;
    for part in parts {
        let fits = part.dims.len() == dims.len()
            && part.dims.iter().zip(&dims).enumerate().all(|(d, (p, d0))| d == axis || p == d0);
        if !fits {
            return Err(format!("{:?} does not fit the others", part.dims));
        }
        dims[axis] += part.dims[axis];
    }
    let outer: usize = dims[..axis].iter().product();
    fn join<T: Copy>(parts: &[(usize, &[T])], outer: usize) -> Vec<T> {
        (0..outer)
            .flat_map(|o| parts.iter().flat_map(move |(n, v)| v[o * n..(o + 1) * n].iter().copied()))
            .collect()
    }
    let each = |t: &Tensor| t.len().checked_div(outer).unwrap_or(0);
    if parts.iter().all(|t| t.as_ints().is_some()) {
        let lists: Vec<_> = parts.iter().map(|t| (each(t), t.as_ints().unwrap_or_default())).collect();
        return Ok(Tensor::ints(dims, join(&lists, outer)));
    }
    let floats: Vec<Vec<f32>> = parts.iter().map(|t| t.to_floats()).collect();
    let lists: Vec<_> = parts.iter().zip(&floats).map(|(t, v)| (each(t), v.as_slice())).collect();
    Ok(Tensor::floats(dims, join(&lists, outer)))
}

pub(crate) fn cast(x: &Tensor, to: i32) -> Tensor {
    use data_type::{BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16};
    let dims = x.dims.clone();
    match (to, &x.data) {
        (FLOAT | FLOAT16 | DOUBLE | BFLOAT16, _) => Tensor::floats(dims, x.to_floats()),
        (BOOL, _) => Tensor::ints(dims, x.to_floats().iter().map(|&v| i64::from(v != 0.0)).collect()),
        (_, Data::Floats(v)) => Tensor::ints(dims, v.iter().map(|&v| v as i64).collect()),
        (_, Data::Ints(_)) => x.clone(),
    }
}

fn reduce(x: &Tensor, op: &str, dims: Vec<usize>) -> Tensor {
    match &x.data {
        Data::Ints(v) => {
            let v = v.iter().copied();
            let value = match op {
                "ReduceProd" => v.fold(1i64, i64::saturating_mul),
                "ReduceSum" => v.fold(0i64, i64::saturating_add),
                "ReduceMax" => v.max().unwrap_or(0),
                _ => v.min().unwrap_or(0),
            };
            Tensor::ints(dims, vec![value])
        }
        Data::Floats(v) => {
            let v = v.iter().copied();
            let value = match op {
                "ReduceProd" => v.product(),
                "ReduceSum" => v.sum(),
                "ReduceMax" => v.fold(f32::NEG_INFINITY, f32::max),
                _ => v.fold(f32::INFINITY, f32::min),
            };
            Tensor::floats(dims, vec![value])
        }
    }
}

fn unary(x: &Tensor, op: &str) -> Tensor {
    let dims = x.dims.clone();
    match (&x.data, op) {
        (Data::Ints(v), "Neg") => Tensor::ints(dims, v.iter().map(|v| v.saturating_neg()).collect()),
        (Data::Ints(v), "Abs") => Tensor::ints(dims, v.iter().map(|v| v.saturating_abs()).collect()),
        (Data::Ints(v), "Not") => Tensor::ints(dims, v.iter().map(|&v| i64::from(v == 0)).collect()),
        _ => {
            let f = |v: f32| match op {
                "Neg" => -v,
                "Abs" => v.abs(),
                "Floor" => v.floor(),
                "Ceil" => v.ceil(),
                "Sqrt" => v.sqrt(),
                "Exp" => v.exp(),
                "Log" => v.ln(),
                "Reciprocal" => 1.0 / v,
                _ => f32::from(u8::from(v == 0.0)),
            };
            Tensor::floats(dims, x.to_floats().into_iter().map(f).collect())
        }
    }
}

fn binary(a: &Tensor, b: &Tensor, dims: Vec<usize>, op: &str) -> Tensor {
    let spread =
        |t: &Tensor| t.pick(dims.clone(), rules::repeated(&rules::aligned(&t.dims, dims.len()), &dims));
    let (a, b) = (spread(a), spread(b));
    let is_test = matches!(op, "Equal" | "Less" | "Greater" | "And" | "Or");
    if let (Some(x), Some(y)) = (a.as_ints(), b.as_ints()) {
        let f = |(&x, &y): (&i64, &i64)| match op {
            "Add" => x.saturating_add(y),
            "Sub" => x.saturating_sub(y),
            "Mul" => x.saturating_mul(y),
            "Div" => x.checked_div(y).unwrap_or(0),
            "Mod" => x.checked_rem_euclid(y).unwrap_or(0),
            "Pow" => u32::try_from(y).map_or(0, |y| x.saturating_pow(y)),
            "Min" => x.min(y),
            "Max" => x.max(y),
            "Equal" => i64::from(x == y),
            "Less" => i64::from(x < y),
            "Greater" => i64::from(x > y),
            "And" => i64::from(x != 0 && y != 0),
            _ => i64::from(x != 0 || y != 0),
        };
        return Tensor::ints(dims, x.iter().zip(y).map(f).collect());
    }
    let f = |(x, y): (f32, f32)| match op {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Mod" => x % y,
        "Pow" => x.powf(y),
        "Min" => x.min(y),
        "Max" => x.max(y),
        "Equal" => f32::from(u8::from(x == y)),
        "Less" => f32::from(u8::from(x < y)),
        "Greater" => f32::from(u8::from(x > y)),
        "And" => f32::from(u8::from(x != 0.0 && y != 0.0)),
        _ => f32::from(u8::from(x != 0.0 || y != 0.0)),
    };
    let values = a.to_floats().into_iter().zip(b.to_floats()).map(f);
    if is_test {
        Tensor::ints(dims, values.map(|v| v as i64).collect())
    } else {
        Tensor::floats(dims, values.collect())
    }
}

/// `start`, `start + step`, … before `end`.
fn float_range(limits: [&Tensor; 3], budget: &mut usize) -> Result<Vec<f32>, String> {
    let [Some(start), Some(end), Some(step)] = limits.map(Tensor::scalar) else {
        return Err("a range between lists".into());
    };
    let n = ((f64::from(end) - f64::from(start)) / f64::from(step)).ceil();
    if !n.is_finite() {
        return Err(format!("a range from {start} to {end} in steps of {step}"));
    }
    // Too large a number saturates, and exceeds the budget.
    let n = n.max(0.0) as usize;
    take(Some(n), budget)?;
    Ok((0..n).map(|i| start + i as f32 * step).collect())
}

/// `(x - zero) scale`, with one of each for all, or one per index of `axis`.
pub(crate) fn dequantised(
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    axis: usize,
) -> Result<Tensor, String> {
    let inner: usize = x.dims.get(axis + 1..).unwrap_or_default().iter().product();
    let size = x.dims.get(axis).copied().unwrap_or(1);
    let fits = |n: usize| n == 1 || n == size;
    if !fits(scale.len()) || !zero.is_none_or(|z| fits(z.len())) {
        return Err("scales by block".into());
    }
    let (scale, zero) = (scale.to_floats(), zero.map(Tensor::to_floats).unwrap_or_else(|| vec![0.0]));
    let of = |v: &[f32], i: usize| if v.len() == 1 { v[0] } else { v[i / inner.max(1) % size] };
    let values = x.to_floats().into_iter().enumerate().map(|(i, v)| (v - of(&zero, i)) * of(&scale, i));
    Ok(Tensor::floats(x.dims.clone(), values.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_floats() {
        let range = |start: f32, end: f32, step: f32| {
            let limits = [start, end, step].map(|v| Tensor::floats(vec![], vec![v]));
            let node = NodeProto { op_type: "Range".into(), ..NodeProto::default() };
            let inputs: Vec<Option<&Tensor>> = limits.iter().map(Some).collect();
            fold(&node, &inputs, 13, &mut 1000).map(|made| made.unwrap()[0].to_floats())
        };
        // As in the operator's definition: the number of steps is rounded up.
        assert_eq!(range(0.0, 3.0, 1.0).unwrap(), [0.0, 1.0, 2.0]);
        assert_eq!(range(1.0, 2.1, 0.5).unwrap(), [1.0, 1.5, 2.0]);
        assert_eq!(range(10.0, 6.0, -3.0).unwrap(), [10.0, 7.0]);
        assert_eq!(range(1.0, 1.0, 2.0).unwrap(), [0f32; 0]);
        for [start, end, step] in [[0.0, 1.0, 0.0], [0.0, f32::NAN, 1.0], [0.0, 1e9, 1.0]] {
            assert!(range(start, end, step).is_err());
        }
    }
}
