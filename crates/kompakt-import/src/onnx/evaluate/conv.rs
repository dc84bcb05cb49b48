//! Convolutions and transposed convolutions in any number of dimensions.

use super::{
    call::Call,
    matrix, walk,
    window::{Direction, directions},
};
use crate::onnx::tensor::Tensor;

/// The most numbers of the input, repeated for every tap, that are laid out at once.
const PATCH: usize = 1 << 20;

/// The place of what falls outside the result; a value has fewer elements.
const NOWHERE: u32 = u32::MAX;

/// The number of groups of channels.
fn groups(call: &Call<'_>) -> Result<usize, String> {
    usize::try_from(call.node.int("group", 1)).ok().filter(|&g| g > 0).ok_or_else(|| "its groups".to_string())
}

/// `y[n, m, o] = b[m] + sum over c, t of w[m, c, t] x[n, c, o stride + t dilation - before]`, by groups of channels.
pub(super) fn convolution(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, w) = (call.x(0)?, call.x(1)?);
    if x.dims.len() < 3 || w.dims.len() != x.dims.len() {
        return Err(format!("a weight of {:?} for {:?}", w.dims, x.dims));
    }
    let directions = directions(call, &x.dims[2..], &w.dims[2..])?;
    let (n, channels, out, groups) = (x.dims[0], x.dims[1], w.dims[0], groups(call)?);
    if w.dims[1].checked_mul(groups) != Some(channels) || out % groups != 0 {
        return Err(format!("a weight of {:?} for {:?} in {groups} groups", w.dims, x.dims));
    }
    let windows: Vec<usize> = directions.iter().map(|d| d.n).collect();
    let mut dims = vec![n, out];
    dims.extend(&windows);
    let mut y = vec![0.0f32; call.count(&dims)?];
    let (values, weights) = (x.to_floats(), w.to_floats());
    if let Some(bias) = call.optional(2) {
        let bias = bias.to_floats();
        if bias.len() != out {
            return Err("its bias".into());
        }
        let each: usize = windows.iter().product();
        y.chunks_mut(each.max(1)).enumerate().for_each(|(i, row)| row.fill(bias[i % out]));
    }
    let (per_group, out_per_group) = (channels / groups, out / groups);
    let taps: usize = w.dims[2..].iter().product();
    let (cells, places) = (x.dims[2..].iter().product::<usize>(), windows.iter().product::<usize>());
    let k = per_group * taps;
    call.pay(((n * out) as u64).saturating_mul((places * k) as u64))?;
    // Some windows at a time: as many rows of the last direction as fit.
    let last = *windows.last().unwrap_or(&1);
    let rows = places / last.max(1);
    let rows_at_once = (PATCH / (k * last).max(1)).clamp(1, rows.max(1));
    let mut patch = Vec::new();
    for (image, group) in (0..n).flat_map(|i| (0..groups).map(move |g| (i, g))) {
        let x = &values[(image * channels + group * per_group) * cells..][..per_group * cells];
        let w = &weights[group * out_per_group * k..][..out_per_group * k];
        let y = &mut y[(image * out + group * out_per_group) * places..][..out_per_group * places];
        for first in (0..rows).step_by(rows_at_once) {
            let n_rows = rows_at_once.min(rows - first);
            lay_out(x, &directions, first, n_rows, per_group, &mut patch);
            let (start, width) = (first * last, n_rows * last);
            matrix::add_product(out_per_group, k, width, w, &patch, y, start, places);
        }
    }
    Ok(Tensor::floats(dims, y))
}

/// What every tap of every channel sees, a row each, for `n_rows` rows of windows from `first` on.
fn lay_out(
    x: &[f32],
    directions: &[Direction],
    first: usize,
    n_rows: usize,
    channels: usize,
    patch: &mut Vec<f32>,
) {
    patch.clear();
    let (outer, last) = directions.split_at(directions.len() - 1);
    let last = last[0];
    let cells: usize = directions.iter().map(|d| d.size).product();
    let kernel: Vec<usize> = directions.iter().map(|d| d.kernel).collect();
    for channel in x.chunks(cells.max(1)).take(channels) {
        walk::each(&kernel, |tap| {
            for row in first..first + n_rows {
                // The row of the input that this tap sees, if there is one.
                let mut rest = row;
                let mut at = Some(0);
                let mut step = last.size;
                for (direction, &t) in outer.iter().zip(tap).rev() {
                    let cell = direction.cell(rest % direction.n, t);
                    rest /= direction.n;
                    at = at.zip(cell).map(|(at, cell)| at + cell * step);
                    step *= direction.size;
                }
                let tap = tap[outer.len()];
                match at {
                    None => patch.extend((0..last.n).map(|_| 0.0)),
                    Some(at) => {
                        patch.extend((0..last.n).map(|i| last.cell(i, tap).map_or(0.0, |c| channel[at + c])));
                    }
                }
            }
        });
    }
}

/// `y[n, m, i stride + t dilation - before] += w[c, m, t] x[n, c, i]`.
pub(super) fn transposed(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, w) = (call.x(0)?, call.x(1)?);
    let rank = x.dims.len();
    if rank < 3 || w.dims.len() != rank || w.dims[0] != x.dims[1] {
        return Err(format!("a weight of {:?} for {:?}", w.dims, x.dims));
    }
    let (n, channels, groups, each) = (x.dims[0], x.dims[1], groups(call)?, w.dims[1]);
    if channels % groups != 0 {
        return Err("its groups".into());
    }
    let spatial = rank - 2;
    let list = |name: &str, default: usize| -> Result<Vec<usize>, String> {
        let list = call.node.ints(name).map_or(Ok(vec![default; spatial]), super::call::sizes)?;
        if list.len() == spatial && list.iter().all(|&v| v < 1 << 28) { Ok(list) } else { Err(name.into()) }
    };
    let (strides, dilations, extra) =
        (list("strides", 1)?, list("dilations", 1)?, list("output_padding", 0)?);
    let pads = call.node.ints("pads").map_or_else(|| vec![0; 2 * spatial], <[i64]>::to_vec);
    let given = call.node.ints("output_shape");
    let mode = call.node.text("auto_pad");
    let mut before = Vec::new();
    let mut dims = vec![n, each * groups];
    for d in 0..spatial {
        let reach = (w.dims[d + 2] as i64 - 1) * dilations[d] as i64 + 1;
        let whole = strides[d] as i64 * (x.dims[d + 2] as i64 - 1) + extra[d] as i64 + reach;
        let wanted = match given {
            Some(list) if list.len() == spatial => Some(list[d]),
            Some(list) if list.len() == rank => Some(list[d + 2]),
            Some(_) => return Err("its output shape".into()),
            None if mode.starts_with("SAME") => Some(x.dims[d + 2] as i64 * strides[d] as i64),
            None => None,
        };
        let (start, size) = match wanted {
            Some(size) => {
                let total = whole - size;
                let half = total.div_euclid(2);
                (if mode == "SAME_UPPER" { half } else { total - half }, size)
            }
            None if mode == "VALID" => (0, whole),
            None => {
                let pair = pads.get(d).zip(pads.get(d + spatial)).ok_or("its pads")?;
                (*pair.0, whole - pair.0 - pair.1)
            }
        };
        before.push(start);
        dims.push(usize::try_from(size).map_err(|_| "nothing is left".to_string())?);
    }
    let mut y = vec![0.0f32; call.count(&dims)?];
    let (values, weights) = (x.to_floats(), w.to_floats());
    let (cells, places) = (x.dims[2..].iter().product::<usize>(), dims[2..].iter().product::<usize>());
    let taps: usize = w.dims[2..].iter().product();
    // These loops are slower than products of matrices, and the list of places takes memory.
    call.pay(((n * channels * each) as u64 * 8).saturating_add(256).saturating_mul((cells * taps) as u64))?;
    let per_group = channels / groups;
    let steps = walk::strides(&dims[2..]);
    // Where each cell and tap goes, the same for all channels.
    let mut places_of = Vec::with_capacity(cells * taps);
    walk::each(&x.dims[2..], |cell| {
        walk::each(&w.dims[2..], |tap| {
            let place = (0..spatial).try_fold(0, |at, d| {
                let to = (cell[d] * strides[d] + tap[d] * dilations[d]) as i64 - before[d];
                let to = usize::try_from(to).ok().filter(|&to| to < dims[d + 2])?;
                Some(at + to * steps[d])
            });
            places_of.push(place.map_or(NOWHERE, |p| p as u32));
        });
    });
    for (image, c) in (0..n).flat_map(|i| (0..channels).map(move |c| (i, c))) {
        let group = c / per_group;
        let x = &values[(image * channels + c) * cells..][..cells];
        for m in 0..each {
            let w = &weights[(c * each + m) * taps..][..taps];
            let y = &mut y[(image * each * groups + group * each + m) * places..][..places];
            for (cell, x) in x.iter().enumerate() {
                for (tap, w) in w.iter().enumerate() {
                    let place = places_of[cell * taps + tap];
                    if place != NOWHERE {
                        y[place as usize] += x * w;
                    }
                }
            }
        }
    }
    if let Some(bias) = call.optional(2) {
        let bias = bias.to_floats();
        if bias.len() != each * groups {
            return Err("its bias".into());
        }
        for (i, row) in y.chunks_mut(places.max(1)).enumerate() {
            row.iter_mut().for_each(|v| *v += bias[i % bias.len()]);
        }
    }
    Ok(Tensor::floats(dims, y))
}
