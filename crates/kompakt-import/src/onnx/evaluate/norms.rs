//! Norms and softmax.

use super::{
    call::{Call, axis},
    walk::{self, around},
};
use crate::onnx::tensor::Tensor;

/// An input with one value per channel.
fn by_channel(call: &Call<'_>, index: usize, channels: usize) -> Result<Vec<f32>, String> {
    let values = call.floats(index)?;
    if values.len() == channels {
        Ok(values)
    } else {
        Err(format!("input {index} has {} numbers for {channels} channels", values.len()))
    }
}

fn channels(x: &Tensor) -> Result<(usize, usize, usize), String> {
    if x.dims.len() < 2 { Err(format!("{:?} has no channels", x.dims)) } else { Ok(around(&x.dims, 1)) }
}

/// `(x - mean) / sqrt(variance + epsilon) scale + bias`, by channel.
pub(super) fn batch(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    if call.node.int("training_mode", 0) != 0 {
        return Err("it is in training mode".into());
    }
    let (_, c, inner) = channels(x)?;
    let [scale, bias, mean, variance] =
        [by_channel(call, 1, c)?, by_channel(call, 2, c)?, by_channel(call, 3, c)?, by_channel(call, 4, c)?];
    let epsilon = f64::from(call.node.float("epsilon", 1e-5));
    let mut y = x.to_floats();
    for (i, row) in y.chunks_mut(inner.max(1)).enumerate() {
        let k = i % c;
        let deviation = (f64::from(variance[k]) + epsilon).sqrt();
        for v in row {
            let normal = (f64::from(*v) - f64::from(mean[k])) / deviation;
            *v = (normal * f64::from(scale[k]) + f64::from(bias[k])) as f32;
        }
    }
    Ok(Tensor::floats(x.dims.clone(), y))
}

/// Brings `row` to mean 0 (if `is_centred`) and variance 1; returns the mean and the deviation.
fn normalise(row: &mut [f32], epsilon: f64, is_centred: bool) -> [f64; 2] {
    let n = row.len() as f64;
    let mean = if is_centred { row.iter().map(|&v| f64::from(v)).sum::<f64>() / n } else { 0.0 };
    let variance = row.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    let deviation = (variance + epsilon).sqrt();
    row.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) / deviation) as f32);
    [mean, deviation]
}

/// Each channel of each image independently.
pub(super) fn instance(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let (_, c, inner) = channels(x)?;
    let (scale, bias) = (by_channel(call, 1, c)?, by_channel(call, 2, c)?);
    let epsilon = f64::from(call.node.float("epsilon", 1e-5));
    let mut y = x.to_floats();
    for (i, row) in y.chunks_mut(inner.max(1)).enumerate() {
        normalise(row, epsilon, true);
        row.iter_mut().for_each(|v| *v = *v * scale[i % c] + bias[i % c]);
    }
    Ok(Tensor::floats(x.dims.clone(), y))
}

/// Groups of channels of each image; scale and bias are by group before operator set 21, by channel from there on.
pub(super) fn group(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let (_, c, inner) = channels(x)?;
    let groups = usize::try_from(call.node.int("num_groups", 0)).unwrap_or(0);
    if groups == 0 || c % groups != 0 {
        return Err(format!("{groups} groups of {c} channels"));
    }
    let (scale, bias) = (call.floats(1)?, call.floats(2)?);
    let n = if call.opset < 21 { groups } else { c };
    if scale.len() != n || bias.len() != n {
        return Err("its scale or bias".into());
    }
    let epsilon = f64::from(call.node.float("epsilon", 1e-5));
    let mut y = x.to_floats();
    for row in y.chunks_mut((c / groups * inner).max(1)) {
        normalise(row, epsilon, true);
    }
    for (i, row) in y.chunks_mut(inner.max(1)).enumerate() {
        let k = i % c * n / c;
        row.iter_mut().for_each(|v| *v = *v * scale[k] + bias[k]);
    }
    Ok(Tensor::floats(x.dims.clone(), y))
}

/// `LayerNormalization` and `RMSNormalization`, over `axis` and all dimensions after it; the former also makes the means and
/// the inverse deviations.
pub(super) fn layer(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let at = axis(call.node.int("axis", -1), x.dims.len())?;
    let epsilon = f64::from(call.node.float("epsilon", 1e-5));
    let n: usize = x.dims[at..].iter().product();
    let mut y = x.to_floats();
    let is_centred = call.node.op_type == "LayerNormalization";
    let (mut means, mut inverses) = (Vec::new(), Vec::new());
    for row in y.chunks_mut(n.max(1)) {
        let [mean, deviation] = normalise(row, epsilon, is_centred);
        means.push(mean as f32);
        inverses.push((1.0 / deviation) as f32);
    }
    for (index, is_scale) in [(1, true), (2, false)] {
        let Some(c) = call.optional(index) else { continue };
        if walk::broadcast(&[&x.dims, &c.dims])? != x.dims {
            return Err(format!("input {index} has shape {:?}", c.dims));
        }
        let c = walk::spread(c, &x.dims).to_floats();
        y.iter_mut().zip(c).for_each(|(y, c)| if is_scale { *y *= c } else { *y += c });
    }
    let mut made = vec![Tensor::floats(x.dims.clone(), y)];
    if is_centred {
        let mut dims = x.dims.clone();
        dims[at..].fill(1);
        made.extend([means, inverses].map(|values| Tensor::floats(dims.clone(), values)));
    }
    Ok(made)
}

/// `x / (bias + alpha / size * sum x^2)^beta` over the channels around each.
pub(super) fn response(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let (n, c, inner) = channels(x)?;
    let size = usize::try_from(call.node.int("size", 0)).ok().filter(|&s| s > 0).ok_or("its size")?;
    call.pay((x.len() as u64).saturating_mul(size.min(c) as u64))?;
    let number = |name: &str, default: f32| f64::from(call.node.float(name, default));
    let (alpha, beta, bias) = (number("alpha", 1e-4), number("beta", 0.75), number("bias", 1.0));
    let values = x.to_floats();
    let mut y = values.clone();
    for (image, k) in (0..n).flat_map(|i| (0..c).map(move |k| (i, k))) {
        let first = k.saturating_sub((size - 1) / 2);
        let last = k.saturating_add(size / 2).min(c - 1);
        for p in 0..inner {
            let at = |k: usize| (image * c + k) * inner + p;
            let sum: f64 = (first..=last).map(|k| f64::from(values[at(k)]).powi(2)).sum();
            y[at(k)] = (f64::from(values[at(k)]) / (bias + alpha / size as f64 * sum).powf(beta)) as f32;
        }
    }
    Ok(Tensor::floats(x.dims.clone(), y))
}

/// Along one dimension; before operator set 13 along all from `axis` on.
/// Mean 0 and variance 1 over some axes: all but the channels unless others are named.
pub(super) fn mean_variance(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let rank = x.dims.len();
    let over = super::call::axes(call.node.ints("axes").unwrap_or(&[0, 2, 3]), rank)?;
    let values = x.to_floats();
    let group =
        |index: &[usize]| (0..rank).filter(|d| !over.contains(d)).fold(0, |at, d| at * x.dims[d] + index[d]);
    let mut sums: Vec<[f64; 3]> = vec![[0.0; 3]; values.len()];
    let mut at = 0;
    walk::each(&x.dims, |index| {
        let (sum, v) = (&mut sums[group(index)], f64::from(values[at]));
        *sum = [sum[0] + 1.0, sum[1] + v, sum[2] + v * v];
        at += 1;
    });
    let mut y = Vec::with_capacity(values.len());
    walk::each(&x.dims, |index| {
        let [n, sum, squares] = sums[group(index)];
        let (mean, v) = (sum / n, f64::from(values[y.len()]));
        let deviation = (squares / n - mean * mean).max(0.0).sqrt();
        y.push(((v - mean) / (deviation + 1e-9)) as f32);
    });
    Ok(Tensor::floats(x.dims.clone(), y))
}

/// Divided by the sum of magnitudes, or the root of the sum of squares, along an axis.
pub(super) fn lp(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let (outer, n, inner) = around(&x.dims, axis(call.node.int("axis", -1), x.dims.len())?);
    let values = x.to_floats();
    let mut y = values.clone();
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let place = |k: usize| (o * n + k) * inner + i;
        let all = (0..n).map(|k| f64::from(values[place(k)]));
        let norm = match call.node.int("p", 2) {
            1 => all.map(f64::abs).sum::<f64>(),
            2 => all.map(|v| v * v).sum::<f64>().sqrt(),
            p => return Err(format!("p is {p}")),
        };
        for k in 0..n {
            y[place(k)] = if norm == 0.0 { 0.0 } else { (f64::from(values[place(k)]) / norm) as f32 };
        }
    }
    Ok(Tensor::floats(x.dims.clone(), y))
}

pub(super) fn softmax(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let is_old = call.opset < 13;
    let at = axis(call.node.int("axis", if is_old { 1 } else { -1 }), x.dims.len())?;
    let (outer, n, inner) = if is_old {
        (x.dims[..at].iter().product(), x.dims[at..].iter().product(), 1)
    } else {
        around(&x.dims, at)
    };
    let values = x.to_floats();
    let mut y = values.clone();
    let is_log = call.node.op_type == "LogSoftmax";
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let place = |k: usize| (o * n + k) * inner + i;
        let most = (0..n).map(|k| values[place(k)]).fold(f32::NEG_INFINITY, f32::max);
        let above = |k: usize| f64::from(values[place(k)]) - f64::from(most);
        let sum: f64 = (0..n).map(|k| above(k).exp()).sum();
        for k in 0..n {
            y[place(k)] = if is_log { above(k) - sum.ln() } else { above(k).exp() / sum } as f32;
        }
    }
    Ok(Tensor::floats(x.dims.clone(), y))
}
