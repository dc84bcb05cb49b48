//! The values of one layer, sorted, duplicates merged, with prefix sums: squared errors of any run in O(1).

use std::ops::Range;

/// Distinct values in ascending order, each with its weight (how often it occurs, or how much it matters).
///
/// Every method of this crate works on contiguous runs of values, because in one dimension the clusters of an
/// optimal quantiser are intervals.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// Strictly ascending, finite.
    values: Vec<f32>,
    /// Subtracted from a value before it is summed, to reduce cancellation in the squares.
    origin: f64,
    /// `moments[i]`: sums of `w`, `w x`, `w x^2` over the values before `i`; one longer than `values`.
    moments: Vec<[f64; 3]>,
}

impl Distribution {
    /// Counts the values; each has weight 1. Those that are zero, NaN or infinite are left out.
    pub fn new(values: impl IntoIterator<Item = f32>) -> Self {
        Self::weighted(values.into_iter().map(|v| (v, 1.0)))
    }

    /// Pairs of value and weight. Zeros, values that are not finite and weights that are not above 0 are left out.
    pub fn weighted(pairs: impl IntoIterator<Item = (f32, f64)>) -> Self {
        let is_used = |(v, w): &(f32, f64)| v.is_finite() && *v != 0.0 && w.is_finite() && *w > 0.0;
        let mut pairs: Vec<(f32, f64)> = pairs.into_iter().filter(is_used).collect();
        // Stable, and equal values in their original order: the sums below have one order.
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = pairs.iter().map(|(_, w)| w).sum();
        let origin = pairs.iter().map(|&(v, w)| f64::from(v) * w).sum::<f64>() / total.max(f64::MIN_POSITIVE);
        let mut values: Vec<f32> = Vec::new();
        let mut moments = vec![[0.0; 3]];
        let mut sum = [0.0; 3];
        for (value, weight) in pairs {
            let x = f64::from(value) - origin;
            sum = [sum[0] + weight, sum[1] + weight * x, sum[2] + weight * x * x];
            if values.last() == Some(&value) {
                moments.pop();
            } else {
                values.push(value);
            }
            moments.push(sum);
        }
        Self { values, origin, moments }
    }

    /// The distinct values, ascending.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
    /// How many distinct values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
    /// The weight of a run of values.
    pub fn weight(&self, run: Range<usize>) -> f64 {
        self.moments[run.end][0] - self.moments[run.start][0]
    }

    /// The weighted mean of a run, within the run's smallest and largest value.
    pub fn mean(&self, run: Range<usize>) -> f64 {
        let (first, last) = (f64::from(self.values[run.start]), f64::from(self.values[run.end - 1]));
        let [w, x, _] = self.sums(run);
        (self.origin + x / w).clamp(first, last)
    }

    /// The weighted squared error of a run around its mean: `sum w x^2 - (sum w x)^2 / sum w`.
    #[inline]
    pub fn cost(&self, run: Range<usize>) -> f64 {
        if run.len() < 2 {
            return 0.0;
        }
        let [w, x, xx] = self.sums(run);
        (xx - x * x / w).max(0.0)
    }

    /// The least of `above[t] + cost(t..end)` over `starts`, and the first `t` that attains it.
    ///
    /// `above` holds one value per start. `starts` ends before `end` and is not empty.
    pub(crate) fn cheapest_start(&self, starts: Range<usize>, end: usize, above: &[f64]) -> (f64, usize) {
        const BLOCK: usize = 64;
        let [w_end, x_end, xx_end] = self.moments[end];
        let mut least = (f64::INFINITY, starts.start);
        // Block by block, so that the arithmetic is vectorised and the comparison separate from it.
        let mut totals = [0.0; BLOCK];
        let mut first = starts.start;
        for (moments, above) in self.moments[starts].chunks(BLOCK).zip(above.chunks(BLOCK)) {
            for ((total, [w, x, xx]), above) in totals.iter_mut().zip(moments).zip(above) {
                let (w, x, xx) = (w_end - w, x_end - x, xx_end - xx);
                *total = above + (xx - x * x / w).max(0.0);
            }
            for (i, &total) in totals[..moments.len()].iter().enumerate() {
                if total < least.0 {
                    least = (total, first + i);
                }
            }
            first += moments.len();
        }
        least
    }

    /// The weighted squared error of a run around `centroid`.
    pub fn error(&self, run: Range<usize>, centroid: f64) -> f64 {
        let [w, x, xx] = self.sums(run);
        let c = centroid - self.origin;
        (xx - 2.0 * c * x + c * c * w).max(0.0)
    }

    /// Mean of the squares of all values.
    pub fn mean_square(&self) -> f64 {
        match self.len() {
            0 => 0.0,
            n => self.error(0..n, 0.0) / self.weight(0..n),
        }
    }

    #[inline]
    fn sums(&self, run: Range<usize>) -> [f64; 3] {
        let (a, b) = (self.moments[run.start], self.moments[run.end]);
        [b[0] - a[0], b[1] - a[1], b[2] - a[2]]
    }
}
