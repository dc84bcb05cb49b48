//! The exact optimum of one-dimensional k-means, weighted, in linear memory.
//!
//! In one dimension optimal clusters are runs of sorted values, so with `cost(t, j)` the squared error of values
//! `t..j` around their mean, the least error of the first `j` values in `i` clusters is
//!
//! ```text
//! D[i][j] = min over t of D[i-1][t] + cost(t, j)
//! ```
//!
//! The best `t` never falls as `j` grows, so a row is filled by halves: the middle `j` first, then each side within
//! the bounds it sets; O(n log n) a row. Only two rows are kept. To find the cuts without the others, a row carries
//! along where its best path crossed the middle row; that splits the problem in two of half the clusters each,
//! which are solved the same way (Hirschberg 1975). Together O(k n log n) time and O(n) memory, where keeping all
//! rows takes O(k n).
//!
//! Sources: Wang, Song 2011 (the recurrence); Grønlund et al. 2017, "Fast exact k-means, k-medians and Bregman
//! divergence clustering in 1D" (the monotone rows).

use crate::{distribution::Distribution, partition::Partition};
use std::ops::Range;

/// Runs shorter than this are filled on one thread. The result is the same either way.
const PARALLEL_FROM: usize = 1 << 14;

/// The `k` centroids of least total squared error, ascending; fewer where there are fewer distinct values.
///
/// Exact up to the rounding of sums in f64. Among equal optima the choice is fixed.
pub fn k_means_exact(d: &Distribution, k: usize) -> Vec<f64> {
    let k = k.min(d.len());
    if k == 0 {
        return Vec::new();
    }
    let mut cuts = vec![0];
    split(d, 0..d.len(), k, &mut cuts);
    cuts.push(d.len());
    Partition { cuts }.means(d)
}

/// Appends the `k - 1` inner cuts of the best clustering of a run.
fn split(d: &Distribution, run: Range<usize>, k: usize, cuts: &mut Vec<usize>) {
    if k >= run.len() {
        cuts.extend(run.start + 1..run.end);
    } else if k > 1 {
        let middle = k / 2;
        let cut = run.start + crossing(d, run.clone(), k, middle);
        split(d, run.start..cut, middle, cuts);
        cuts.push(cut);
        split(d, cut..run.end, k - middle, cuts);
    }
}

/// One row of the recurrence over the ends `0..=n` of a run.
struct Row {
    /// `D[i][j]`; infinite where there are fewer values than clusters.
    error: Vec<f64>,
    /// Where the best path to `j` crossed the middle row.
    crossed: Vec<usize>,
}

/// How many of the run's values lie in its first `middle` clusters, out of `k`, at the optimum.
fn crossing(d: &Distribution, run: Range<usize>, k: usize, middle: usize) -> usize {
    let n = run.len();
    let mut row = Row {
        error: (0..=n)
            .map(|j| if j == 0 { f64::INFINITY } else { d.cost(run.start..run.start + j) })
            .collect(),
        crossed: (0..=n).collect(),
    };
    let mut next = Row { error: vec![f64::INFINITY; n + 1], crossed: vec![0; n + 1] };
    for i in 2..=k {
        // The last row is wanted at its end alone; every other one where enough values are left for the rest.
        let ends = if i == k { n..n + 1 } else { i..n + 1 - (k - i) };
        let mut best = vec![0; ends.len()];
        fill(d, &row.error, run.start, ends.start, i - 1..n, &mut best, &mut next.error[ends.clone()]);
        for (j, &t) in ends.clone().zip(&best) {
            next.crossed[j] = if i <= middle { j } else { row.crossed[t] };
        }
        std::mem::swap(&mut row, &mut next);
    }
    row.crossed[n]
}

/// Fills `error[x] = D[i][first + x]` and where its minimum is, knowing that the minima lie within `bounds`.
fn fill(
    d: &Distribution,
    above: &[f64],
    start: usize,
    first: usize,
    bounds: Range<usize>,
    best: &mut [usize],
    error: &mut [f64],
) {
    if error.is_empty() {
        return;
    }
    let middle = error.len() / 2;
    let j = first + middle;
    let mut least = (f64::INFINITY, bounds.start);
    let range = bounds.start..bounds.end.min(j);
    for (t, error_above) in range.clone().zip(&above[range]) {
        let total = error_above + d.cost(start + t..start + j);
        if total < least.0 {
            least = (total, t);
        }
    }
    (error[middle], best[middle]) = least;
    let (best_low, best_high) = best.split_at_mut(middle);
    let (error_low, error_high) = error.split_at_mut(middle);
    let (best_high, error_high) = (&mut best_high[1..], &mut error_high[1..]);
    let low = |best: &mut [usize], error: &mut [f64]| {
        fill(d, above, start, first, bounds.start..least.1 + 1, best, error);
    };
    let high = |best: &mut [usize], error: &mut [f64]| {
        fill(d, above, start, j + 1, least.1..bounds.end, best, error);
    };
    if error_low.len() > PARALLEL_FROM {
        rayon::join(|| low(best_low, error_low), || high(best_high, error_high));
    } else {
        low(best_low, error_low);
        high(best_high, error_high);
    }
}
