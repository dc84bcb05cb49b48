//! Operators that read or write at computed indices, and products of two values.

use crate::Value;
use kompakt_graph::Update;

/// The row, among `n`, that an index names.
pub(crate) fn row(index: f64, n: usize) -> usize {
    let whole = index.trunc();
    let from_front = if whole < 0.0 { whole + n as f64 } else { whole };
    // NaN is cast to 0.
    from_front.clamp(0.0, (n - 1) as f64) as usize
}

/// Gathers along `axis` of `x` at `indices`.
pub(crate) fn take(x: &[f64], shape: &[usize], axis: usize, indices: &[f64]) -> Vec<f64> {
    let (n, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let part = |outer: &[f64]| -> Vec<f64> {
        indices.iter().flat_map(|&i| outer[row(i, n) * inner..][..inner].to_vec()).collect()
    };
    x.chunks_exact(n * inner).flat_map(part).collect()
}

pub(crate) fn scatter(update: Update, x: &Value, indices: &Value, updates: &Value) -> Vec<f64> {
    let (n, m) = (x.shape[0], x.shape[1]);
    let mut y = x.data.clone();
    for (&index, values) in indices.data.iter().zip(updates.data.chunks_exact(m)) {
        let at = row(index, n) * m;
        for (y, &v) in y[at..at + m].iter_mut().zip(values) {
            *y = match update {
                Update::Set => v,
                Update::Add => *y + v,
                Update::Multiply => *y * v,
                Update::Max => y.max(v),
                Update::Min => y.min(v),
            };
        }
    }
    y
}

/// The greatest or least `k` along `axis`, or their indices.
pub(crate) fn top_k(x: &Value, axis: usize, k: usize, largest: bool, indices: bool) -> Vec<f64> {
    let (n, inner) = (x.shape[axis], x.shape[axis + 1..].iter().product::<usize>());
    let mut y = vec![0.0; x.data.len() / n * k];
    for (x, y) in x.data.chunks_exact(n * inner).zip(y.chunks_exact_mut(k * inner)) {
        for i in 0..inner {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&a, &b| {
                let (a, b) = (x[a * inner + i], x[b * inner + i]);
                if largest { b.total_cmp(&a) } else { a.total_cmp(&b) }
            });
            for (place, &from) in order.iter().take(k).enumerate() {
                y[place * inner + i] = if indices { from as f64 } else { x[from * inner + i] };
            }
        }
    }
    y
}

/// Matrix products in the last two dimensions.
pub(crate) fn mat_mul(a: &Value, b: &Value, shape: &[usize]) -> Vec<f64> {
    let rank = shape.len();
    let (m, n, k) = (shape[rank - 2], shape[rank - 1], a.shape[rank - 1]);
    let n_matrices: usize = shape[..rank - 2].iter().product();
    // The offset of the matrix with that index.
    let start = |x: &Value, number: usize| {
        let (mut rest, mut at, mut stride) = (number, 0, x.shape[rank - 2] * x.shape[rank - 1]);
        for d in (0..rank - 2).rev() {
            at += (rest % shape[d]).min(x.shape[d] - 1) * stride;
            rest /= shape[d];
            stride *= x.shape[d];
        }
        at
    };
    let mut y = Vec::with_capacity(n_matrices * m * n);
    for number in 0..n_matrices {
        let (a, b) = (&a.data[start(a, number)..], &b.data[start(b, number)..]);
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            y.push((0..k).map(|l| a[i * k + l] * b[l * n + j]).sum());
        }
    }
    y
}
