//! Convolutions and transposed convolutions in any number of dimensions.

use super::{
    call::Call,
    matrix::{self, Left, add_scaled},
    walk,
    window::{Direction, directions},
};
use crate::onnx::tensor::Tensor;

/// The most input elements, repeated for each tap, in one block.
const PATCH: usize = 1 << 18;

/// Up to this many outputs per group, going tap by tap is cheaper than matrix products.
const FEW: usize = 3;

/// Marks positions outside the result; a value has fewer elements.
const NOWHERE: u32 = u32::MAX;

/// The number of groups of channels.
fn groups(call: &Call<'_>) -> Result<usize, String> {
    usize::try_from(call.node.int("group", 1)).ok().filter(|&g| g > 0).ok_or_else(|| "its groups".to_string())
}

/// `y[n, m, o] = b[m] + sum over c, t of w[m, c, t] x[n, c, o stride + t dilation - before]`, by channel
/// groups.
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
    let (values, weights) = (x.as_floats(), w.as_floats());
    if let Some(bias) = call.optional(2) {
        let bias = bias.as_floats();
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
    for group in 0..groups {
        let w = &weights[group * out_per_group * k..][..out_per_group * k];
        let left = (out_per_group > FEW).then(|| Left::new(out_per_group, k, w));
        for image in 0..n {
            let x = &values[(image * channels + group * per_group) * cells..][..per_group * cells];
            let y = &mut y[(image * out + group * out_per_group) * places..][..out_per_group * places];
            match &left {
                Some(left) => as_products(left, x, y, &directions, per_group),
                None => tap_by_tap(w, x, y, &directions, per_group),
            }
        }
    }
    Ok(Tensor::floats(dims, y))
}

/// One group of an image, as products of its weights with the input that each tap reads.
fn as_products(left: &Left, x: &[f32], y: &mut [f32], directions: &[Direction], channels: usize) {
    let places: usize = directions.iter().map(|d| d.n).product();
    if directions.iter().all(Direction::is_one_to_one) {
        left.add_product(x, places, y, 0, places);
        return;
    }
    // In blocks of windows: as many rows of the last direction as fit.
    let taps: usize = directions.iter().map(|d| d.kernel).product();
    let last = directions.last().map_or(1, |d| d.n);
    let rows = places / last.max(1);
    let at_once = (PATCH / (channels * taps * last).max(1)).clamp(1, rows.max(1));
    let mut patch = Vec::with_capacity(channels * taps * at_once * last);
    for first in (0..rows).step_by(at_once) {
        let n_rows = at_once.min(rows - first);
        lay_out(x, directions, first, n_rows, channels, &mut patch);
        left.add_product(&patch, n_rows * last, y, first * last, places);
    }
}

/// One group of an image: for each tap, the input that it reads times its weight.
fn tap_by_tap(w: &[f32], x: &[f32], y: &mut [f32], directions: &[Direction], channels: usize) {
    let cells: usize = directions.iter().map(|d| d.size).product();
    let places: usize = directions.iter().map(|d| d.n).product();
    let taps: usize = directions.iter().map(|d| d.kernel).product();
    let kernel: Vec<usize> = directions.iter().map(|d| d.kernel).collect();
    let (outer, last) = directions.split_at(directions.len() - 1);
    let last = last[0];
    let rows = places / last.n.max(1);
    for (y, w) in y.chunks_mut(places.max(1)).zip(w.chunks((channels * taps).max(1))) {
        for (x, w) in x.chunks(cells.max(1)).zip(w.chunks(taps.max(1))) {
            for row in 0..rows {
                let y = &mut y[row * last.n..][..last.n];
                let mut w = w.iter();
                walk::each(&kernel, |tap| {
                    let Some(&w) = w.next() else { return };
                    let Some(at) = row_under(outer, row, tap, last.size) else { return };
                    let (from, to) = last.inside(tap[outer.len()]);
                    let start = at
                        + (from * last.stride + tap[outer.len()] * last.dilation)
                            .saturating_add_signed(-last.before as isize);
                    if from >= to {
                    } else if last.stride == 1 {
                        add_scaled(&mut y[from..to], w, &x[start..]);
                    } else {
                        let x = x[start..].iter().step_by(last.stride);
                        y[from..to].iter_mut().zip(x).for_each(|(y, x)| *y += w * x);
                    }
                });
            }
        }
    }
}

/// Where the input row begins that a tap of a row of windows reads, if there is one; rows have `size` cells.
fn row_under(outer: &[Direction], row: usize, tap: &[usize], size: usize) -> Option<usize> {
    let (mut rest, mut at, mut step) = (row, 0, size);
    for (direction, &t) in outer.iter().zip(tap).rev() {
        at += direction.cell(rest % direction.n, t)? * step;
        rest /= direction.n;
        step *= direction.size;
    }
    Some(at)
}

/// The input that each tap of each channel reads, one row each, for `n_rows` rows of windows from `first` on.
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
            let (from, to) = last.inside(tap[outer.len()]);
            let ahead = (from * last.stride + tap[outer.len()] * last.dilation)
                .saturating_add_signed(-last.before as isize);
            for row in first..first + n_rows {
                let end = patch.len() + last.n;
                if let Some(at) = row_under(outer, row, tap, last.size).filter(|_| from < to) {
                    patch.resize(patch.len() + from, 0.0);
                    let x = &channel[at + ahead..];
                    match last.stride {
                        1 => patch.extend_from_slice(&x[..to - from]),
                        stride => patch.extend(x.iter().step_by(stride).take(to - from)),
                    }
                }
                patch.resize(end, 0.0);
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
    let (values, weights) = (x.as_floats(), w.as_floats());
    let (cells, places) = (x.dims[2..].iter().product::<usize>(), dims[2..].iter().product::<usize>());
    let taps: usize = w.dims[2..].iter().product();
    // The list of positions takes time and memory too.
    call.pay(((n * channels * each) as u64).saturating_add(256).saturating_mul((cells * taps) as u64))?;
    let (per_group, width) = (channels / groups, each * taps);
    let steps = walk::strides(&dims[2..]);
    // The destination of each tap and cell, the same for all channels.
    let mut places_of = Vec::with_capacity(cells * taps);
    walk::each(&w.dims[2..], |tap| {
        walk::each(&x.dims[2..], |cell| {
            let place = (0..spatial).try_fold(0, |at, d| {
                let to = (cell[d] * strides[d] + tap[d] * dilations[d]) as i64 - before[d];
                let to = usize::try_from(to).ok().filter(|&to| to < dims[d + 2])?;
                Some(at + to * steps[d])
            });
            places_of.push(place.map_or(NOWHERE, |p| p as u32));
        });
    });
    for group in 0..groups {
        // [each taps, channels of the group]
        let left =
            matrix::turned(&weights[group * per_group * width..][..per_group * width], per_group, width);
        let left = Left::new(width, per_group, &left);
        for image in 0..n {
            let x = &values[(image * channels + group * per_group) * cells..][..per_group * cells];
            let mut spread = vec![0.0; width * cells];
            left.add_product(x, cells, &mut spread, 0, cells);
            let y = &mut y[(image * groups + group) * each * places..][..each * places];
            for (y, spread) in y.chunks_mut(places.max(1)).zip(spread.chunks((taps * cells).max(1))) {
                for (place, v) in places_of.iter().zip(spread).filter(|(place, _)| **place != NOWHERE) {
                    y[*place as usize] += v;
                }
            }
        }
    }
    if let Some(bias) = call.optional(2) {
        let bias = bias.as_floats();
        if bias.len() != each * groups {
            return Err("its bias".into());
        }
        for (i, row) in y.chunks_mut(places.max(1)).enumerate() {
            row.iter_mut().for_each(|v| *v += bias[i % bias.len()]);
        }
    }
    Ok(Tensor::floats(dims, y))
}
