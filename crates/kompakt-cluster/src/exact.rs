//! The exact optimum of one-dimensional k-means, weighted, in linear memory.
//!
//! In one dimension optimal clusters are runs of sorted values, so with `cost(t, j)` the squared error of values
//! `t..j` around their mean, the least error of the first `j` values in `i` clusters is
//!
//! ```text
//! D[i][j] = min over t of D[i-1][t] + cost(t, j)
//! ```
//!
//! The best `t` never decreases as `j` or `i` grows, so a row is filled by divide and conquer: the middle `j`
//! first, then each side within the bounds set by it and the row above; O(n log n) per row. Only two rows are
//! kept. To find the cuts without the others, a row carries along where its best path crossed the middle row;
//! that splits the problem into two of half the clusters each, which are solved the same way (Hirschberg
//! 1975). In total O(k n log n) time and O(n) memory, where keeping all rows takes O(k n).
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
    /// Where the last cluster of the best path to `j` starts.
    start: Vec<usize>,
    /// Where the best path to `j` crossed the middle row.
    crossed: Vec<usize>,
}

/// How many of the run's values are in its first `middle` clusters, out of `k`, at the optimum.
fn crossing(d: &Distribution, run: Range<usize>, k: usize, middle: usize) -> usize {
    let n = run.len();
    let mut row = Row {
        error: (0..=n)
            .map(|j| if j == 0 { f64::INFINITY } else { d.cost(run.start..run.start + j) })
            .collect(),
        start: vec![0; n + 1],
        crossed: (0..=n).collect(),
    };
    let mut next = Row { error: vec![f64::INFINITY; n + 1], start: vec![0; n + 1], crossed: vec![0; n + 1] };
    for i in 2..=k {
        // The last row is needed at its end only; every other one where enough values are left for the rest.
        let ends = if i == k { n..n + 1 } else { i..n + 1 - (k - i) };
        let above = Above { d, origin: run.start, error: &row.error, start: &row.start };
        above.fill(ends.start, i - 1..n, &mut next.start[ends.clone()], &mut next.error[ends.clone()]);
        for j in ends {
            next.crossed[j] = if i <= middle { j } else { row.crossed[next.start[j]] };
        }
        std::mem::swap(&mut row, &mut next);
    }
    row.crossed[n]
}

/// The row above the one being filled.
struct Above<'a> {
    d: &'a Distribution,
    /// Where the run begins among the values.
    origin: usize,
    error: &'a [f64],
    start: &'a [usize],
}

impl Above<'_> {
    /// Fills `error[x] = D[i][first + x]` and where its last cluster starts, knowing that it starts within `bounds`
    /// and not before that of the row above.
    fn fill(&self, first: usize, bounds: Range<usize>, start: &mut [usize], error: &mut [f64]) {
        if error.is_empty() {
            return;
        }
        let middle = error.len() / 2;
        let j = first + middle;
        let range = bounds.start.max(self.start[j])..bounds.end.min(j);
        let starts = self.origin + range.start..self.origin + range.end;
        let (least, at) = self.d.cheapest_start(starts, self.origin + j, &self.error[range]);
        let at = at - self.origin;
        (error[middle], start[middle]) = (least, at);
        let (start_low, start_high) = start.split_at_mut(middle);
        let (error_low, error_high) = error.split_at_mut(middle);
        let (start_high, error_high) = (&mut start_high[1..], &mut error_high[1..]);
        if error_low.len() > PARALLEL_FROM {
            rayon::join(
                || self.fill(first, bounds.start..at + 1, start_low, error_low),
                || self.fill(j + 1, at..bounds.end, start_high, error_high),
            );
        } else {
            self.fill(first, bounds.start..at + 1, start_low, error_low);
            self.fill(j + 1, at..bounds.end, start_high, error_high);
        }
    }
}
