//! The effect of clustering on each layer.

use kompakt_model::Parameter;
use serde::Serialize;
use std::fmt::Write as _;

/// One layer's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerReport {
    /// The weight's name.
    pub name: String,
    /// Weights, kept or not.
    pub n_weights: usize,
    /// Weights that the mask keeps.
    pub n_kept: usize,
    /// Entries of the codebook.
    pub n_levels: usize,
    /// Bits of a code of fixed length: `log2 n_levels`, rounded up.
    pub bits: u32,
    /// Entropy of the kept weights' codes, in bits per weight: the rate of an ideal coder without context.
    pub entropy_bits: f64,
    /// Mean squared error of the kept weights.
    pub mse: f64,
    /// The same relative to the kept weights' mean square.
    pub relative_mse: f64,
    /// [`paper_ratio`] of the kept weights at 32 bits each.
    pub paper_ratio: f64,
}

impl LayerReport {
    /// Compares the original weights with the shared ones.
    pub(crate) fn new(name: &str, before: &[f32], shared: &Parameter) -> Self {
        let (mut error, mut square) = (0.0, 0.0);
        for (&old, new) in before.iter().zip(shared.to_f32()) {
            error += (f64::from(old) - f64::from(new)).powi(2);
            square += f64::from(old).powi(2);
        }
        let (n_levels, counts) = match shared {
            Parameter::Shared { codebook, codes, mask, .. } => {
                let mut counts = vec![0usize; codebook.len()];
                for (i, &code) in codes.iter().enumerate() {
                    counts[usize::from(code)] += usize::from(mask.as_ref().is_none_or(|m| m[i]));
                }
                (codebook.len(), counts)
            }
            Parameter::Dense { .. } => (1, vec![]),
        };
        let n_kept = shared.n_kept();
        Self {
            name: name.to_string(),
            n_weights: shared.len(),
            n_kept,
            n_levels,
            bits: index_bits(n_levels),
            entropy_bits: entropy(&counts),
            mse: error / n_kept.max(1) as f64,
            relative_mse: if square > 0.0 { error / square } else { 0.0 },
            paper_ratio: paper_ratio(n_kept, n_levels, 32),
        }
    }
}

/// The paper's compression ratio of weight sharing: `n b / (n log2 k + k b)`.
///
/// `n` connections of `b` bits each, `k` shared values; `log2 k` is rounded up to whole bits. Source: Han 2015,
/// section 3, whose example of 16 connections and 4 values gives 3.2.
pub fn paper_ratio(n: usize, k: usize, b: u32) -> f64 {
    let (n, k, b) = (n as f64, k as f64, f64::from(b));
    n * b / (n * k.log2().ceil() + k * b)
}

fn index_bits(n_levels: usize) -> u32 {
    n_levels.next_power_of_two().trailing_zeros()
}

fn entropy(counts: &[usize]) -> f64 {
    let total = counts.iter().sum::<usize>() as f64;
    counts.iter().filter(|&&c| c > 0).map(|&c| c as f64 / total).map(|p| -p * p.log2()).sum()
}

/// The figures as text, one line per layer and one for all of them.
pub fn table(layers: &[LayerReport]) -> String {
    let mut text = format!(
        "{:<20} {:>10} {:>10} {:>6} {:>5} {:>8} {:>9} {:>7}\n",
        "layer", "weights", "kept", "levels", "bits", "entropy", "rel. mse", "ratio"
    );
    for l in layers {
        let _ = writeln!(
            text,
            "{:<20} {:>10} {:>10} {:>6} {:>5} {:>8.3} {:>9.2e} {:>7.2}",
            l.name, l.n_weights, l.n_kept, l.n_levels, l.bits, l.entropy_bits, l.relative_mse, l.paper_ratio
        );
    }
    let kept: usize = layers.iter().map(|l| l.n_kept).sum();
    let shared_bits: f64 = layers.iter().map(|l| (l.n_kept * l.bits as usize + l.n_levels * 32) as f64).sum();
    let _ = writeln!(
        text,
        "{:<20} {:>10} {:>10} {:>6} {:>5} {:>8} {:>9} {:>7.2}",
        "all",
        layers.iter().map(|l| l.n_weights).sum::<usize>(),
        kept,
        "",
        "",
        "",
        "",
        kept as f64 * 32.0 / shared_bits.max(1.0)
    );
    text.push_str(
        "ratio = n b / (n log2 k + k b): n kept weights of b = 32 bits, k shared values (Han 2015)",
    );
    text
}
