//! Sorted values cut into runs, one per cluster.

use crate::distribution::Distribution;
use std::ops::Range;

/// `cuts[i]..cuts[i + 1]` is cluster `i`, possibly empty; the first cut is 0 and the last the number of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) cuts: Vec<usize>,
}

impl Partition {
    /// Assigns every value `x` to the centroid `i` for which `(x - centroids[i])^2 + penalties[i]` is least,
    /// the lower one on a tie.
    ///
    /// `centroids` strictly ascending. Without the common `x^2`, these are lines in `x`; the clusters are the
    /// intervals of their lower envelope, found in one pass with a stack.
    pub(crate) fn nearest(d: &Distribution, centroids: &[f64], penalties: &[f64]) -> Self {
        let crossing = |i: usize, j: usize| {
            0.5 * (centroids[i] + centroids[j])
                + 0.5 * (penalties[j] - penalties[i]) / (centroids[j] - centroids[i])
        };
        // Lines of the lower envelope, each with where it begins.
        let mut lowest: Vec<(usize, f64)> = Vec::with_capacity(centroids.len());
        for j in 0..centroids.len() {
            let mut start = f64::NEG_INFINITY;
            while let Some(&(i, begin)) = lowest.last() {
                start = crossing(i, j);
                if start > begin {
                    break;
                }
                lowest.pop();
                start = f64::NEG_INFINITY;
            }
            lowest.push((j, start));
        }
        let mut cuts = vec![0; centroids.len() + 1];
        for &(i, start) in &lowest {
            cuts[i] = d.values().partition_point(|&v| f64::from(v) <= start);
        }
        cuts[centroids.len()] = d.len();
        // Those not on the envelope get empty runs.
        let mut after = d.len();
        let mut kept = lowest.iter().rev().peekable();
        for i in (0..centroids.len()).rev() {
            if kept.next_if(|(k, _)| *k == i).is_none() {
                cuts[i] = after;
            }
            after = cuts[i];
        }
        Self { cuts }
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.cuts.windows(2).map(|w| w[0]..w[1])
    }

    /// The mean of every run; none may be empty.
    pub(crate) fn means(&self, d: &Distribution) -> Vec<f64> {
        self.runs().map(|run| d.mean(run)).collect()
    }

    /// Removes every empty run and cuts the run of largest squared error at its mean instead, until none is
    /// empty. There must be at least as many values as runs.
    pub(crate) fn fill_empty(&mut self, d: &Distribution) {
        while let Some(empty) = self.cuts.windows(2).position(|w| w[0] == w[1]) {
            self.cuts.remove(empty);
            let mut worst = (0, -1.0);
            for (i, run) in self.runs().enumerate().filter(|(_, run)| run.len() > 1) {
                let cost = d.cost(run);
                if cost > worst.1 {
                    worst = (i, cost);
                }
            }
            let run = self.cuts[worst.0]..self.cuts[worst.0 + 1];
            let mean = d.mean(run.clone());
            let cut = d.values().partition_point(|&v| f64::from(v) <= mean);
            self.cuts.insert(worst.0 + 1, cut.clamp(run.start + 1, run.end - 1));
        }
    }
}
