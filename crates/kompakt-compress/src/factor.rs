//! `H = (I + U) D (I + U)ᵀ` with `U` strictly upper triangular: how an error in one column carries over to
//! those after it.

/// A factored matrix.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    n: usize,
    /// Column `k` of `U`, its first `k` entries, one after the other: `[n, n]` row-major, the transpose of `U`.
    columns: Vec<f32>,
    /// `D`, divided by its mean.
    pub(crate) weights: Vec<f64>,
    /// The sum of `D`, and that of the diagonal of the matrix: how much of the errors is left, and of how
    /// much.
    pub(crate) left: [f64; 2],
}

impl Factor {
    /// Factors a symmetric matrix `[n, n]` of sums of products, made safely positive definite: `damping`
    /// times its mean diagonal is added to the diagonal.
    pub(crate) fn new(h: &[f32], n: usize, damping: f64) -> Self {
        let trace: f64 = (0..n).map(|i| f64::from(h[i * n + i])).sum();
        let mean = trace / n.max(1) as f64;
        let extra = if mean > 0.0 { damping * mean } else { 1.0 };
        // Rows from the last to the first: a Cholesky factorisation of the matrix read backwards. `rows[k]` holds the
        // entries `(k, 0..=k)` still to be reduced, later the column of U.
        let mut rows: Vec<Vec<f64>> = (0..n)
            .map(|k| (0..=k).map(|j| f64::from(h[k * n + j]) + if j == k { extra } else { 0.0 }).collect())
            .collect();
        let mut weights = vec![0.0; n];
        for k in (0..n).rev() {
            let mut column = std::mem::take(&mut rows[k]);
            let d = column.pop().unwrap_or(1.0).max(extra * 1e-3);
            weights[k] = d;
            let scaled: Vec<f64> = column.iter().map(|v| v / d).collect();
            for (i, row) in rows[..k].iter_mut().enumerate() {
                let factor = column[i];
                row.iter_mut().zip(&scaled).for_each(|(r, s)| *r -= factor * s);
            }
            rows[k] = scaled;
        }
        let mut columns = vec![0.0; n * n];
        for (k, row) in rows.iter().enumerate() {
            columns[k * n..k * n + k].iter_mut().zip(row).for_each(|(c, v)| *c = *v as f32);
        }
        let total: f64 = weights.iter().sum();
        let mean = total / n.max(1) as f64;
        weights.iter_mut().for_each(|w| *w /= mean);
        Self { n, columns, weights, left: [total, trace + n as f64 * extra] }
    }

    /// What the errors of the columns before `k` add to column `k`: `errors` has at least `k` entries.
    pub(crate) fn feedback(&self, k: usize, errors: &[f32]) -> f32 {
        let column = &self.columns[k * self.n..k * self.n + k];
        let (a, ra) = column.as_chunks::<8>();
        let (b, rb) = errors[..k].as_chunks::<8>();
        let mut sums = [0f32; 8];
        for (a, b) in a.iter().zip(b) {
            for i in 0..8 {
                sums[i] += a[i] * b[i];
            }
        }
        sums.iter().sum::<f32>() + ra.iter().zip(rb).map(|(a, b)| a * b).sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(I + U) D (I + U)ᵀ` is the matrix again, up to the factor that the weights were divided by.
    #[test]
    fn factors_multiply_to_the_matrix() {
        let n = 5;
        let x: Vec<f32> = (0..60).map(|i: i32| ((i * i * 37 + i * 11) % 101) as f32 / 50.0 - 1.0).collect();
        let h: Vec<f32> =
            (0..n * n).map(|at| x.chunks(n).map(|row| row[at / n] * row[at % n]).sum()).collect();
        let factor = Factor::new(&h, n, 1e-9);
        let u = |i: usize, k: usize| {
            if i == k {
                1.0
            } else if i < k {
                f64::from(factor.columns[k * n + i])
            } else {
                0.0
            }
        };
        let product = |i: usize, j: usize| (0..n).map(|k| u(i, k) * factor.weights[k] * u(j, k)).sum::<f64>();
        let last = n - 1;
        let scale = f64::from(h[n * n - 1]) / product(last, last);
        for (at, h) in h.iter().enumerate() {
            let found = scale * product(at / n, at % n);
            assert!((found - f64::from(*h)).abs() < 1e-3, "{at}: {found} {h}");
        }
    }
}
