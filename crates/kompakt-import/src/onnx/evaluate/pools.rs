//! Pools in any number of dimensions.

use super::{
    call::{Call, sizes},
    walk::{self, strides},
    window::directions,
};
use crate::onnx::tensor::Tensor;

pub(super) fn pool(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    if x.dims.len() < 3 {
        return Err(format!("a pool of {:?}", x.dims));
    }
    if call.node.output.iter().skip(1).any(|o| !o.is_empty()) {
        return Err("the places of the largest elements are asked for".into());
    }
    let kernel = sizes(call.node.ints("kernel_shape").ok_or("its window is missing")?)?;
    let directions = directions(call, &x.dims[2..], &kernel)?;
    let is_max = call.node.op_type == "MaxPool";
    let counts_padding = call.node.int("count_include_pad", 0) != 0;
    let windows: Vec<usize> = directions.iter().map(|d| d.n).collect();
    let mut dims = x.dims[..2].to_vec();
    dims.extend(&windows);
    let n = call.count(&dims)?;
    let taps: usize = kernel.iter().try_fold(1usize, |n, &k| n.checked_mul(k)).ok_or("its window")?;
    call.pay((n as u64).saturating_mul(taps as u64).saturating_mul(4))?;
    let (values, steps) = (x.to_floats(), strides(&x.dims[2..]));
    let cells: usize = x.dims[2..].iter().product();
    let mut y = Vec::with_capacity(n);
    for plane in values.chunks(cells.max(1)) {
        walk::each(&windows, |window| {
            let (mut most, mut sum, mut count) = (f32::NEG_INFINITY, 0.0f64, 0usize);
            walk::each(&kernel, |tap| {
                let mut at = Some(0);
                let mut is_padded = true;
                for (d, direction) in directions.iter().enumerate() {
                    let cell = direction.cell(window[d], tap[d]);
                    at = at.zip(cell).map(|(at, cell)| at + cell * steps[d]);
                    // Cells beyond the padding do not count.
                    let place = (window[d] * direction.stride + tap[d] * direction.dilation) as i64;
                    is_padded &= place < direction.before + direction.size as i64 + direction.after;
                }
                if let Some(at) = at {
                    most = if plane[at] > most || plane[at].is_nan() { plane[at] } else { most };
                    sum += f64::from(plane[at]);
                }
                count += usize::from(if counts_padding { is_padded } else { at.is_some() });
            });
            y.push(if is_max { most } else { (sum / count as f64) as f32 });
        });
    }
    Ok(Tensor::floats(dims, y))
}

/// The root of the sum of powers of each window, without its elements in the padding.
pub(super) fn norm(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    if x.dims.len() < 3 {
        return Err(format!("a pool of {:?}", x.dims));
    }
    let kernel = sizes(call.node.ints("kernel_shape").ok_or("its window is missing")?)?;
    let directions = directions(call, &x.dims[2..], &kernel)?;
    let windows: Vec<usize> = directions.iter().map(|d| d.n).collect();
    let mut dims = x.dims[..2].to_vec();
    dims.extend(&windows);
    let n = call.count(&dims)?;
    let taps: usize = kernel.iter().try_fold(1usize, |n, &k| n.checked_mul(k)).ok_or("its window")?;
    call.pay((n as u64).saturating_mul(taps as u64).saturating_mul(4))?;
    let p = call.node.int("p", 2) as i32;
    let (values, steps) = (x.to_floats(), strides(&x.dims[2..]));
    let cells: usize = x.dims[2..].iter().product();
    let mut y = Vec::with_capacity(n);
    for plane in values.chunks(cells.max(1)) {
        walk::each(&windows, |window| {
            let mut sum = 0.0f64;
            walk::each(&kernel, |tap| {
                let at = directions.iter().enumerate().try_fold(0, |at, (d, direction)| {
                    direction.cell(window[d], tap[d]).map(|cell| at + cell * steps[d])
                });
                sum += at.map_or(0.0, |at| f64::from(plane[at]).abs().powi(p));
            });
            y.push(sum.powf(1.0 / f64::from(p)) as f32);
        });
    }
    Ok(Tensor::floats(dims, y))
}

/// Over all dimensions but the first two.
pub(super) fn global(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    if x.dims.len() < 3 {
        return Err(format!("a pool of {:?}", x.dims));
    }
    let cells: usize = x.dims[2..].iter().product();
    let values = x.to_floats();
    let planes = values.chunks(cells.max(1));
    let y = match call.node.op_type.as_str() {
        "GlobalMaxPool" => planes.map(|p| p.iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect(),
        _ => planes.map(|p| (p.iter().map(|&v| f64::from(v)).sum::<f64>() / cells as f64) as f32).collect(),
    };
    let mut dims = x.dims.clone();
    dims[2..].fill(1);
    Ok(Tensor::floats(dims, y))
}
