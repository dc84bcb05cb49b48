//! Operators on an entire vector or channel by channel.

use crate::Value;

pub(crate) fn linear(x: &[f64], params: &[&[f64]], n: usize) -> Vec<f64> {
    let row =
        |r: usize| -> f64 { params[0][r * x.len()..][..x.len()].iter().zip(x).map(|(w, x)| w * x).sum() };
    (0..n).map(|r| row(r) + params.get(1).map_or(0.0, |bias| bias[r])).collect()
}

pub(crate) fn per_channel(x: &Value, f: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let area = x.data.len() / x.shape[0];
    x.data.iter().enumerate().map(|(i, &v)| f(i / area, v)).collect()
}

pub(crate) fn softmax(x: &Value) -> Vec<f64> {
    let area = x.data.len() / x.shape[0];
    let column = |i: usize| x.data.iter().skip(i % area).step_by(area);
    let sums = |i: usize| {
        let max = column(i).copied().fold(f64::NEG_INFINITY, f64::max);
        (max, column(i).map(|v| (v - max).exp()).sum::<f64>())
    };
    x.data
        .iter()
        .enumerate()
        .map(|(i, v)| {
            let (max, sum) = sums(i);
            (v - max).exp() / sum
        })
        .collect()
}
