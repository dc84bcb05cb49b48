//! `Pad`.

use super::{
    call::{Call, axes},
    walk::{self, strides},
};
use crate::onnx::tensor::{Data, Tensor};

pub(super) fn pad(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let rank = x.dims.len();
    let pads = call.list("pads", 1)?.ok_or("its pads are missing")?;
    let along = match call.optional(3) {
        Some(t) => axes(t.as_ints().ok_or("axes of floats")?, rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * along.len() || pads.iter().any(|p| p.unsigned_abs() > 1 << 28) {
        return Err(format!("pads {pads:?}"));
    }
    let mut before = vec![0i64; rank];
    let mut dims: Vec<i64> = x.dims.iter().map(|&d| d as i64).collect();
    for (i, &d) in along.iter().enumerate() {
        before[d] = pads[i];
        dims[d] += pads[i] + pads[i + along.len()];
    }
    let dims = super::call::sizes(&dims)?;
    let n = call.count(&dims)?;
    let fill = match call.optional(2) {
        Some(t) if t.len() == 1 => t.to_floats()[0],
        _ => call.node.float("value", 0.0),
    };
    let mode = match call.node.text("mode") {
        "" => "constant",
        mode => mode,
    };
    let steps = strides(&x.dims);
    // The source of each element, if it has one.
    let mut places = Vec::with_capacity(n);
    walk::each(&dims, |index| {
        let place = (0..rank).try_fold(0, |at, d| {
            let size = x.dims[d] as i64;
            Some(at + source(index[d] as i64 - before[d], size, mode)? * steps[d])
        });
        places.push(place);
    });
    let data = match &x.data {
        Data::Floats(v) => Data::Floats(places.iter().map(|p| p.map_or(fill, |p| v[p])).collect()),
        Data::Ints(v) => Data::Ints(places.iter().map(|p| p.map_or(fill as i64, |p| v[p])).collect()),
    };
    Ok(Tensor { dims, data })
}

/// The source index for position `i` of a dimension of `size`.
fn source(i: i64, size: i64, mode: &str) -> Option<usize> {
    if size == 0 {
        return None;
    }
    let i = match mode {
        "edge" => i.clamp(0, size - 1),
        "wrap" => i.rem_euclid(size),
        "reflect" if size == 1 => 0,
        "reflect" => {
            let period = 2 * (size - 1);
            let i = i.rem_euclid(period);
            if i < size { i } else { period - i }
        }
        _ => i,
    };
    usize::try_from(i).ok().filter(|_| i < size)
}
