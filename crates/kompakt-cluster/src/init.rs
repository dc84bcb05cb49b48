//! Initial centroids of k-means.

use crate::distribution::Distribution;
use kompakt_numbers::SplitMix64;

/// The paper's three ways to initialise centroids (section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CentroidInit {
    /// `k` of the values, drawn at random.
    Forgy,
    /// Evenly spaced in rank: many centroids where there are many weights.
    Density,
    /// Evenly spaced between the smallest and the largest weight: large weights, which are few and matter most,
    /// get centroids too. The paper finds this one best.
    #[default]
    Linear,
}

impl CentroidInit {
    /// The first centroids, ascending and distinct; `k` is at most the number of distinct values.
    pub(crate) fn place(self, d: &Distribution, k: usize, seed: u64) -> Vec<f64> {
        let values = d.values();
        let (first, last) = (f64::from(values[0]), f64::from(values[values.len() - 1]));
        if k == 1 {
            return vec![d.mean(0..d.len())];
        }
        match self {
            Self::Forgy => draw(values.len(), k, seed).into_iter().map(|i| f64::from(values[i])).collect(),
            Self::Linear => (0..k).map(|i| first + (last - first) * i as f64 / (k - 1) as f64).collect(),
            Self::Density => {
                let total = d.weight(0..d.len());
                // Rank (i + 1/2) / k; equal ranks move up, and down again where the end is reached.
                let mut picks: Vec<usize> = Vec::with_capacity(k);
                let mut rank = 0;
                for i in 0..k {
                    while d.weight(0..rank + 1) < total * (i as f64 + 0.5) / k as f64 {
                        rank += 1;
                    }
                    let lowest = picks.last().map_or(0, |p| p + 1);
                    picks.push(rank.max(lowest).min(values.len() - (k - i)));
                }
                picks.into_iter().map(|i| f64::from(values[i])).collect()
            }
        }
    }
}

/// `k` different numbers below `n`, ascending.
fn draw(n: usize, k: usize, seed: u64) -> Vec<usize> {
    let mut random = SplitMix64::new(seed);
    let mut picks = std::collections::BTreeSet::new();
    // Floyd's algorithm: every subset is equally likely, after exactly k draws.
    for top in n - k..n {
        let pick = (random.bits() % (top as u64 + 1)) as usize;
        if !picks.insert(pick) {
            picks.insert(top);
        }
    }
    picks.into_iter().collect()
}

impl std::fmt::Display for CentroidInit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Forgy => "forgy",
            Self::Density => "density",
            Self::Linear => "linear",
        })
    }
}
