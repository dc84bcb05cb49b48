//! `H = (I + U) D (I + U)ᵀ` with `U` strictly upper triangular: how an error in one column carries over to
//! those after it.

use pulp::NullaryFnOnce;

/// Rows whose effect on all rows before them is worked out together.
const PANEL: usize = 32;
/// Entries of a row that are in registers at a time.
const LANES: usize = 16;

/// A factored matrix.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    n: usize,
    /// Column `k` of `U`, its first `k` entries, one after the other: `[n, n]` row-major, the transpose of `U`. Empty where all are
    /// 0, as in tables, whose inputs are not multiplied.
    columns: Vec<f32>,
    /// `D`, divided by its mean.
    pub(crate) weights: Vec<f64>,
    /// The sum of `D`, and that of the diagonal of the matrix: how much of the errors is left, and of how
    /// much.
    pub(crate) left: [f64; 2],
}

impl Factor {
    /// Factors a symmetric matrix `[n, n]` of sums of products, made safely positive definite: `damping` times its mean diagonal is
    /// added to the diagonal. Only the diagonal and what is below it is read.
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
        let mut end = n;
        while end > 0 {
            let first = end.saturating_sub(PANEL);
            let (before, panel) = rows[..end].split_at_mut(first);
            // What the rows of the panel were before they were divided, and are now, the last first.
            let mut factors = Vec::new();
            for at in (0..panel.len()).rev() {
                let (others, this) = panel.split_at_mut(at);
                let row = &mut this[0];
                let d = row.pop().unwrap_or(1.0).max(extra * 1e-3);
                weights[first + at] = d;
                factors.push(row.clone());
                row.iter_mut().for_each(|v| *v /= d);
                for (other, factor) in others.iter_mut().zip(&factors[factors.len() - 1][first..]) {
                    other.iter_mut().zip(&*row).for_each(|(r, s)| *r -= factor * s);
                }
            }
            let scaled: Vec<&[f64]> = panel.iter().rev().map(Vec::as_slice).collect();
            reduce(before, &factors, &scaled);
            end = first;
        }
        let is_diagonal = rows.iter().flatten().all(|v| *v == 0.0);
        let mut columns = vec![0.0; if is_diagonal { 0 } else { n * n }];
        for (k, row) in rows.iter().enumerate().filter(|_| !is_diagonal) {
            columns[k * n..k * n + k].iter_mut().zip(row).for_each(|(c, v)| *c = *v as f32);
        }
        let total: f64 = weights.iter().sum();
        let mean = total / n.max(1) as f64;
        weights.iter_mut().for_each(|w| *w /= mean);
        Self { n, columns, weights, left: [total, trace + n as f64 * extra] }
    }

    /// The mean of `D`, which the weights are divided by.
    pub(crate) fn mean(&self) -> f64 {
        self.left[0] / self.n.max(1) as f64
    }

    /// What the errors of the columns before `k` add to column `k`, for some rows: `errors` of each has at least `k` entries.
    #[inline(always)]
    pub(crate) fn feedback<const R: usize>(&self, k: usize, errors: &[Vec<f32>]) -> [f32; R] {
        self.feedback_of(k, 0, k, std::array::from_fn(|r| &errors[r][..]))
    }

    /// The same of columns `from` to `to`, which are before `k`.
    #[inline(always)]
    pub(crate) fn feedback_of<const R: usize>(
        &self,
        k: usize,
        from: usize,
        to: usize,
        errors: [&[f32]; R],
    ) -> [f32; R] {
        if self.columns.is_empty() {
            return [0.0; R];
        }
        let column = &self.columns[k * self.n + from..k * self.n + to];
        let (a, ra) = column.as_chunks::<8>();
        let rows: [(&[[f32; 8]], &[f32]); R] = errors.map(|errors| errors[from..to].as_chunks::<8>());
        let mut sums = [[0f32; 8]; R];
        for (at, a) in a.iter().enumerate() {
            for (sums, (b, _)) in sums.iter_mut().zip(&rows) {
                for i in 0..8 {
                    sums[i] += a[i] * b[at][i];
                }
            }
        }
        std::array::from_fn(|r| {
            let rest: f32 = ra.iter().zip(rows[r].1).map(|(a, b)| a * b).sum();
            sums[r].iter().sum::<f32>() + rest
        })
    }
}

/// Subtracts from each row `i` the product `factors[p][i] scaled[p]` of every `p`, in this order: no product is fused with its sum.
fn reduce(rows: &mut [Vec<f64>], factors: &[Vec<f64>], scaled: &[&[f64]]) {
    let work = Reduce { rows, factors, scaled };
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V3::try_new() {
            return pulp::Simd::vectorize(simd, work);
        }
    }
    work.call();
}

struct Reduce<'r> {
    rows: &'r mut [Vec<f64>],
    factors: &'r [Vec<f64>],
    scaled: &'r [&'r [f64]],
}

impl NullaryFnOnce for Reduce<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { rows, factors, scaled } = self;
        for (i, row) in rows.iter_mut().enumerate() {
            let (blocks, rest) = row.as_chunks_mut::<LANES>();
            let n_whole = blocks.len() * LANES;
            for (b, block) in blocks.iter_mut().enumerate() {
                let mut sums = *block;
                for (factor, scaled) in factors.iter().zip(scaled) {
                    let factor = factor[i];
                    let scaled = &scaled[b * LANES..][..LANES];
                    for lane in 0..LANES {
                        sums[lane] -= factor * scaled[lane];
                    }
                }
                *block = sums;
            }
            for (factor, scaled) in factors.iter().zip(scaled) {
                let factor = factor[i];
                rest.iter_mut().zip(&scaled[n_whole..]).for_each(|(r, s)| *r -= factor * s);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(I + U) D (I + U)ᵀ` is the matrix again, up to the factor that the weights were divided by.
    #[test]
    fn factors_multiply_to_the_matrix() {
        for n in [1, 5, 31, 70, 100] {
            product_is_the_matrix(n);
        }
    }

    fn product_is_the_matrix(n: usize) {
        let number = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 8_388_608.0 - 1.0;
        let x: Vec<f32> = (0..12 * n as u64 * n as u64).map(|i| number(i * i + 1)).collect();
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
            assert!((found - f64::from(*h)).abs() < 1e-3 * n as f64, "{at}: {found} {h}");
        }
    }
}
