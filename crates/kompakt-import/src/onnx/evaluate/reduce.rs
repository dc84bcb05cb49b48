//! Reductions over any dimensions.

use super::{
    call::{Call, axes, axis},
    walk::{self, around, strides},
};
use crate::onnx::tensor::{Data, Tensor};

pub(super) fn reduce(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let rank = x.dims.len();
    let gone = match call.list("axes", 1)? {
        Some(list) if !list.is_empty() => axes(&list, rank)?,
        _ if call.node.int("noop_with_empty_axes", 0) != 0 => return Ok(x.clone()),
        _ => (0..rank).collect(),
    };
    let kept: Vec<usize> = (0..rank).filter(|d| !gone.contains(d)).collect();
    let gone: Vec<usize> = (0..rank).filter(|d| gone.contains(d)).collect();
    let steps = strides(&x.dims);
    let sizes = |which: &[usize]| which.iter().map(|&d| x.dims[d]).collect::<Vec<_>>();
    let place =
        |which: &[usize], index: &[usize]| which.iter().zip(index).map(|(&d, i)| i * steps[d]).sum::<usize>();
    let mut inner = Vec::new();
    walk::each(&sizes(&gone), |index| inner.push(place(&gone, index)));
    let op = call.node.op_type.as_str();
    let mut y = Vec::new();
    let values: Vec<f64> = match &x.data {
        Data::Floats(v) => v.iter().map(|&v| f64::from(v)).collect(),
        // Exact below 2^53, which sizes and indices are.
        Data::Ints(v) => v.iter().map(|&v| v as f64).collect(),
    };
    let mut known = true;
    walk::each(&sizes(&kept), |index| {
        let first = place(&kept, index);
        let all = inner.iter().map(|&p| values[first + p]);
        y.push(match op {
            "ReduceSum" => all.sum(),
            "ReduceMean" => all.sum::<f64>() / inner.len() as f64,
            "ReduceProd" => all.product(),
            "ReduceMax" => all.fold(f64::NEG_INFINITY, f64::max),
            "ReduceMin" => all.fold(f64::INFINITY, f64::min),
            "ReduceL1" => all.map(f64::abs).sum(),
            "ReduceL2" => all.map(|v| v * v).sum::<f64>().sqrt(),
            "ReduceSumSquare" => all.map(|v| v * v).sum(),
            "ReduceLogSum" => all.sum::<f64>().ln(),
            "ReduceLogSumExp" => {
                let most = all.clone().fold(f64::NEG_INFINITY, f64::max);
                most + all.map(|v| (v - most).exp()).sum::<f64>().ln()
            }
            _ => {
                known = false;
                0.0
            }
        });
    });
    if !known {
        return Err("the operator is not known".into());
    }
    let keeps = call.node.int("keepdims", 1) != 0;
    let dims = (0..rank).filter(|d| keeps || kept.contains(d));
    let dims: Vec<usize> = dims.map(|d| if kept.contains(&d) { x.dims[d] } else { 1 }).collect();
    Ok(match &x.data {
        Data::Floats(_) => Tensor::floats(dims, y.into_iter().map(|v| v as f32).collect()),
        Data::Ints(_) => Tensor::ints(dims, y.into_iter().map(|v| v as i64).collect()),
    })
}

/// `ArgMax` and `ArgMin`: the first index of the extreme value, or the last.
pub(super) fn position(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let at = axis(call.node.int("axis", 0), x.dims.len())?;
    let (outer, n, inner) = around(&x.dims, at);
    let (is_max, takes_last) = (call.node.op_type == "ArgMax", call.node.int("select_last_index", 0) != 0);
    let values = x.to_floats();
    let mut y = Vec::new();
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let value = |k: usize| values[(o * n + k) * inner + i];
        let mut best = 0;
        for k in 1..n {
            let (new, old) = if is_max { (value(k), value(best)) } else { (value(best), value(k)) };
            if new > old || (takes_last && new == old) {
                best = k;
            }
        }
        y.push(best as i64);
    }
    let mut dims = x.dims.clone();
    if call.node.int("keepdims", 1) != 0 {
        dims[at] = 1;
    } else {
        dims.remove(at);
    }
    Ok(Tensor::ints(dims, y))
}
