//! One layer: from a dense parameter to codes.

use crate::{
    MAX_LEVELS,
    codebook::settle,
    distribution::Distribution,
    entropy_constrained::{Levels, entropy_constrained},
    error::ClusterError,
    exact::k_means_exact,
    init::CentroidInit,
    kmeans::k_means,
    number_format::NumberFormat,
    partition::Partition,
    report::LayerReport,
};
use kompakt_model::{Numbers, Parameter};

/// How centroids are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Lloyd's k-means, as in the paper.
    KMeans(CentroidInit),
    /// The optimum of the same objective.
    Exact,
    /// Squared error plus code length; see [`entropy_constrained()`] for the unit of `lambda`.
    EntropyConstrained {
        /// The price of one bit per weight, in mean squared weights.
        lambda: f64,
    },
}

impl Method {
    fn levels(self, d: &Distribution, k: usize, seed: u64) -> Levels {
        let plain = |centroids: Vec<f64>| Levels { lengths: vec![0.0; centroids.len()], centroids };
        match self {
            Self::KMeans(init) => plain(k_means(d, k, init, seed)),
            Self::Exact => plain(k_means_exact(d, k)),
            Self::EntropyConstrained { lambda } => entropy_constrained(d, k, lambda),
        }
    }

    /// The price of a bit in squared weights.
    fn price(self, d: &Distribution) -> f64 {
        match self {
            Self::EntropyConstrained { lambda } => lambda * d.mean_square(),
            Self::KMeans(_) | Self::Exact => 0.0,
        }
    }
}

/// Replaces a dense parameter by a codebook of at most `n_levels` entries and codes.
///
/// Kept weights that are exactly zero join the masked ones: the function is unchanged and no entry is zero.
/// Codes are assigned after the codebook is rounded to `format`, each weight taking the entry that is best
/// for it then; unused entries are left out, so the codebook may be shorter than `n_levels`. A layer that
/// keeps nothing gets the codebook `[1]`.
///
/// Errors: a parameter that is shared already; `n_levels` not in 1..=256; `lambda` not a number of at least 0.
pub fn share(
    name: &str,
    parameter: &Parameter,
    method: Method,
    n_levels: usize,
    format: NumberFormat,
    seed: u64,
) -> Result<(Parameter, LayerReport), ClusterError> {
    let Parameter::Dense { shape, values, mask } = parameter else {
        return Err(ClusterError::AlreadyShared { name: name.to_string() });
    };
    if !(1..=MAX_LEVELS).contains(&n_levels) {
        return Err(ClusterError::Levels { name: name.to_string(), found: n_levels });
    }
    if let Method::EntropyConstrained { lambda } = method
        && !(lambda >= 0.0 && lambda.is_finite())
    {
        return Err(ClusterError::Lambda(lambda.to_string()));
    }
    let values = values.to_f32();
    let kept: Vec<bool> =
        values.iter().enumerate().map(|(i, &v)| v != 0.0 && mask.as_ref().is_none_or(|m| m[i])).collect();
    let distribution =
        Distribution::new(values.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(v, _)| *v));
    let (codebook, uppers) = levels(&distribution, method, n_levels, format, seed);
    let code = |v: f32| uppers.partition_point(|&upper| upper < v) as u8;
    let codes: Vec<u8> = values.iter().zip(&kept).map(|(&v, &kept)| if kept { code(v) } else { 0 }).collect();
    let mask = kept.contains(&false).then_some(kept);
    let shared = Parameter::shared(shape.clone(), &codebook, &codes, mask.as_deref());
    let report = LayerReport::new(name, &values, &shared);
    Ok((shared, report))
}

/// The codebook, and for each of its entries but the last the largest value assigned to it.
fn levels(
    d: &Distribution,
    method: Method,
    n_levels: usize,
    format: NumberFormat,
    seed: u64,
) -> (Numbers, Vec<f32>) {
    if d.is_empty() {
        return (format.round(&Numbers::F32(vec![1.0])), Vec::new());
    }
    let found = method.levels(d, n_levels, seed);
    let centroids: Vec<f32> = found.centroids.iter().map(|&c| c as f32).collect();
    let settled = settle(&centroids, format);
    // An entry shared by several centroids costs as much as the cheapest of them.
    let mut penalties = vec![f64::INFINITY; settled.codebook.len()];
    for (&entry, length) in settled.entry_of.iter().zip(&found.lengths) {
        let penalty = &mut penalties[usize::from(entry)];
        *penalty = penalty.min(length * method.price(d));
    }
    let entries: Vec<f64> = settled.codebook.to_f32().into_iter().map(f64::from).collect();
    let partition = Partition::nearest(d, &entries, &penalties);
    let uppers = partition.cuts[1..entries.len()]
        .iter()
        .map(|&cut| if cut == 0 { f32::NEG_INFINITY } else { d.values()[cut - 1] })
        .collect();
    (settled.codebook, uppers)
}
