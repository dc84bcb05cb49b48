//! How a share of all weights is spread over the layers.

use kompakt_graph::Graph;
use std::{fmt, str::FromStr};

/// Which layers keep more than others when only the overall share is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// Largest `w^2 / sum of v^2 over the layer's weights v no smaller than w` first: a layer's own last weights
    /// score 1, so small and sensitive layers (the first, the last) keep more. Source: Lee 2021, "Layer-adaptive
    /// sparsity for the magnitude-based pruning".
    #[default]
    Lamp,
    /// Largest magnitude first, all layers together.
    Global,
    /// The same share everywhere.
    Uniform,
    /// In proportion to the sum of a layer's dimensions over their product, whatever the weights; full layers
    /// pass on what they cannot hold. Source: Evci 2020 (Erdős–Rényi kernel).
    Erk,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "lamp" => Ok(Self::Lamp),
            "global" => Ok(Self::Global),
            "uniform" => Ok(Self::Uniform),
            "erk" => Ok(Self::Erk),
            _ => Err("known are lamp, global, uniform and erk".to_string()),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lamp => "lamp",
            Self::Global => "global",
            Self::Uniform => "uniform",
            Self::Erk => "erk",
        })
    }
}

/// How many weights each layer keeps when all together keep `n`.
pub(crate) fn spread(rule: Rule, graph: &Graph, weights: &[&[f32]], n: usize) -> Vec<usize> {
    match rule {
        Rule::Lamp => largest(weights, n, lamp_scores),
        Rule::Global => largest(weights, n, |sorted| sorted.to_vec()),
        Rule::Uniform => proportional(weights, &vec![1.0; weights.len()], n),
        Rule::Erk => {
            let scale = |shape: &[usize]| {
                shape.iter().map(|&d| d as f64).sum::<f64>()
                    / shape.iter().map(|&d| d as f64).product::<f64>()
            };
            let scales: Vec<f64> = graph.weights().map(|p| scale(&p.shape)).collect();
            proportional(weights, &scales, n)
        }
    }
}

/// Counts how many of the `n` largest scores are in each layer. `score` maps magnitudes, largest first, to
/// non-increasing scores; zeros have none. Ties go to the earlier layer.
fn largest(weights: &[&[f32]], n: usize, score: impl Fn(&[f32]) -> Vec<f32>) -> Vec<usize> {
    let scores: Vec<Vec<f32>> = weights
        .iter()
        .map(|weights| {
            let mut sorted: Vec<f32> = weights.iter().filter(|w| **w != 0.0).map(|w| w.abs()).collect();
            sorted.sort_unstable_by(|a, b| b.total_cmp(a));
            score(&sorted)
        })
        .collect();
    let mut all = scores.concat();
    if n == 0 || all.is_empty() {
        return vec![0; weights.len()];
    }
    let last = n.min(all.len()) - 1;
    let threshold = *all.select_nth_unstable_by(last, |a, b| b.total_cmp(a)).1;
    let mut counts: Vec<usize> = scores.iter().map(|s| s.partition_point(|v| *v > threshold)).collect();
    let mut left = last + 1 - counts.iter().sum::<usize>();
    for (count, scores) in counts.iter_mut().zip(&scores) {
        let ties = scores[*count..].partition_point(|v| *v >= threshold).min(left);
        *count += ties;
        left -= ties;
    }
    counts
}

/// `w^2` over the sum of squares from the largest weight down to it.
fn lamp_scores(sorted: &[f32]) -> Vec<f32> {
    let mut sum = 0.0;
    let score = |w: &f32| {
        let square = f64::from(*w).powi(2);
        sum += square;
        // Rounded to f32, scores may tie but not swap.
        (square / sum) as f32
    };
    sorted.iter().map(score).collect()
}

/// Densities in proportion to `scales`, none above 1, as many as fit into `n` together.
fn proportional(weights: &[&[f32]], scales: &[f64], n: usize) -> Vec<usize> {
    let sizes: Vec<f64> = weights.iter().map(|w| w.len() as f64).collect();
    let mut is_full = vec![false; sizes.len()];
    loop {
        let full: f64 = sizes.iter().zip(&is_full).filter(|(_, full)| **full).map(|(s, _)| s).sum();
        let open = || (0..sizes.len()).filter(|&i| !is_full[i]);
        let unit = (n as f64 - full).max(0.0) / open().map(|i| sizes[i] * scales[i]).sum::<f64>();
        let over: Vec<usize> = open().filter(|&i| unit * scales[i] > 1.0).collect();
        if over.is_empty() {
            let count = |i: usize| if is_full[i] { sizes[i] } else { sizes[i] * (unit * scales[i]).min(1.0) };
            return (0..sizes.len()).map(|i| count(i).round() as usize).collect();
        }
        over.into_iter().for_each(|i| is_full[i] = true);
    }
}
