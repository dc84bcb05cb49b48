//! Constants, shapes as values, and changes of type.

use super::{
    call::{Call, axis, sizes},
    walk,
};
use crate::onnx::{
    proto::data_type,
    tensor::{Data, Tensor},
};

pub(super) fn constant(call: &Call<'_>) -> Result<Tensor, String> {
    let attribute = call.node.attribute.first().ok_or("it has no value")?;
    match attribute.name.as_str() {
        "value" => {
            let proto = attribute.t.as_ref().ok_or("it has no value")?;
            Tensor::read(proto, call.folder).map_err(|e| e.to_string())
        }
        "sparse_value" => {
            let proto = attribute.sparse_tensor.as_ref().ok_or("it has no value")?;
            let read = Tensor::read_sparse(proto, call.folder, super::call::MAX_ELEMENTS);
            read.map(|(_, t)| t).map_err(|e| e.to_string())
        }
        "value_float" => Ok(Tensor::floats(vec![], vec![attribute.f])),
        "value_floats" => Ok(Tensor::floats(vec![attribute.floats.len()], attribute.floats.clone())),
        "value_int" => Ok(Tensor::ints(vec![], vec![attribute.i])),
        "value_ints" => Ok(Tensor::list(attribute.ints.clone())),
        other => Err(format!("a constant of kind {other:?}")),
    }
}

pub(super) fn constant_of_shape(call: &Call<'_>) -> Result<Tensor, String> {
    let dims = sizes(call.x(0)?.as_ints().ok_or("a shape of floats")?)?;
    let n = call.count(&dims)?;
    let value = match call.node.attribute("value").and_then(|a| a.t.as_ref()) {
        Some(proto) => Tensor::read(proto, None).map_err(|e| e.to_string())?,
        None => Tensor::floats(vec![1], vec![0.0]),
    };
    let data = match value.data {
        Data::Floats(v) => Data::Floats(vec![*v.first().ok_or("an empty value")?; n]),
        Data::Ints(v) => Data::Ints(vec![*v.first().ok_or("an empty value")?; n]),
    };
    Ok(Tensor { dims, data })
}

/// The indices of all elements that are not 0, one column each, in row-major order.
pub(super) fn non_zero(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let mut found: Vec<Vec<i64>> = Vec::new();
    let (values, mut at) = (x.to_floats(), 0);
    walk::each(&x.dims, |index| {
        if values[at] != 0.0 {
            found.push(index.iter().map(|&i| i as i64).collect());
        }
        at += 1;
    });
    let rank = x.dims.len();
    let data = (0..rank).flat_map(|d| found.iter().map(move |index| index[d])).collect();
    Ok(Tensor::ints(vec![rank, found.len()], data))
}

/// The dimensions `start` to `end` of a shape; both wrap around and are clamped.
pub(super) fn shape(call: &Call<'_>) -> Result<Tensor, String> {
    let dims = &call.x(0)?.dims;
    let rank = dims.len() as i64;
    let place = |v: i64| if v < 0 { (v + rank).max(0) } else { v.min(rank) };
    let start = place(call.node.int("start", 0));
    let end = place(call.node.int("end", rank));
    Ok(Tensor::list((start..end).map(|d| dims[d as usize] as i64).collect()))
}

pub(super) fn range(call: &Call<'_>) -> Result<Tensor, String> {
    let [start, limit, step] = [call.x(0)?, call.x(1)?, call.x(2)?];
    let number = |t: &Tensor| t.scalar().map(f64::from).ok_or("a bound that is not one number");
    let n = ((number(limit)? - number(start)?) / number(step)?).ceil().max(0.0);
    let n = if n <= 1e7 { n as usize } else { return Err("its bounds".into()) };
    match (start.as_ints(), step.as_ints()) {
        (Some(&[start]), Some(&[step])) => {
            Ok(Tensor::list((0..n as i64).map(|i| start.wrapping_add(i.wrapping_mul(step))).collect()))
        }
        _ => {
            let (start, step) = (number(start)?, number(step)?);
            Ok(Tensor::floats(vec![n], (0..n).map(|i| (start + i as f64 * step) as f32).collect()))
        }
    }
}

pub(super) fn cast(call: &Call<'_>) -> Result<Tensor, String> {
    use data_type as t;
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let to = match call.node.op_type.as_str() {
        "Cast" => call.node.int("to", 1) as i32,
        _ if call.x(1)?.is_float() => t::FLOAT,
        _ => t::INT64,
    };
    let data = match (to, &x.data) {
        (t::FLOAT | t::DOUBLE, _) => Data::Floats(x.to_floats()),
        (t::FLOAT16, _) => {
            Data::Floats(x.to_floats().iter().map(|&v| half::f16::from_f32(v).to_f32()).collect())
        }
        (t::BFLOAT16, _) => {
            Data::Floats(x.to_floats().iter().map(|&v| half::bf16::from_f32(v).to_f32()).collect())
        }
        (t::BOOL, Data::Floats(v)) => Data::Ints(v.iter().map(|&v| i64::from(v != 0.0)).collect()),
        (t::BOOL, Data::Ints(v)) => Data::Ints(v.iter().map(|&v| i64::from(v != 0)).collect()),
        // Towards zero.
        (_, Data::Floats(v)) => Data::Ints(v.iter().map(|&v| v as i64).collect()),
        (_, Data::Ints(v)) => Data::Ints(v.clone()),
    };
    Ok(Tensor { dims: x.dims.clone(), data })
}

/// `(x - zero point) scale`, with one of each for all, or one per index of `axis`.
pub(super) fn dequantise(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, scale) = (call.x(0)?, call.x(1)?);
    call.count(&x.dims)?;
    let zero = call.optional(2).map_or_else(|| vec![0.0; scale.len()], Tensor::to_floats);
    let values = x.to_floats();
    let scales = scale.to_floats();
    if zero.len() != scales.len() {
        return Err("not as many zero points as scales".into());
    }
    let which: Box<dyn Fn(usize) -> usize> = if scales.len() == 1 {
        Box::new(|_| 0)
    } else {
        let a = axis(call.node.int("axis", 1), x.dims.len())?;
        let (_, n, inner) = walk::around(&x.dims, a);
        if n != scales.len() || call.node.int("block_size", 0) != 0 {
            return Err("scales by block".into());
        }
        Box::new(move |i| i / inner % n)
    };
    let values = values.iter().enumerate().map(|(i, v)| (v - zero[which(i)]) * scales[which(i)]).collect();
    Ok(Tensor::floats(x.dims.clone(), values))
}
