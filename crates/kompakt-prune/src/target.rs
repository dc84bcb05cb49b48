//! How many weights each layer keeps.

use crate::{
    error::PruneError,
    rule::{self, Rule},
};
use kompakt_graph::Graph;

/// How much is kept, and how it is spread over the layers.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A share of all weights together; the rule spreads it over the layers.
    Overall {
        /// 0 (excluded) to 1.
        density: f64,
        /// How it is spread over the layers.
        rule: Rule,
    },
    /// A share of each layer, in the order of [`Graph::weights`]; each 0 to 1.
    Layers(Vec<f64>),
}

impl Target {
    /// Densities of the layers at which a weight is kept if its magnitude exceeds `quality` times the standard
    /// deviation of its layer's weights (Han 2015, "Learning both weights and connections", section 3.4).
    ///
    /// The deviation is that of the weights not pruned yet, around their mean.
    pub fn from_quality(weights: &[&[f32]], quality: &[f64]) -> Result<Self, PruneError> {
        let densities = weights.iter().zip(quality).map(|(weights, &quality)| {
            if !(quality >= 0.0 && quality.is_finite()) {
                return Err(PruneError::Quality(quality.to_string()));
            }
            let threshold = quality * standard_deviation(weights);
            let kept = weights.iter().filter(|w| **w != 0.0 && f64::from(w.abs()) >= threshold).count();
            Ok(kept as f64 / weights.len() as f64)
        });
        Ok(Self::Layers(densities.collect::<Result<_, _>>()?))
    }

    /// The densities that Han 2015 ("Deep Compression", tables 2 and 3) reports for its two MNIST networks.
    ///
    /// Errors: any other network.
    pub fn paper(graph: &Graph) -> Result<Self, PruneError> {
        let units: Vec<(&str, usize)> =
            graph.weights().map(|p| (graph.nodes()[p.node].op.stem(), p.shape[0])).collect();
        match units.as_slice() {
            [("fc", 300), ("fc", 100), ("fc", _)] => Ok(Self::Layers(vec![0.08, 0.09, 0.26])),
            [("conv", 20), ("conv", 50), ("fc", 500), ("fc", _)] => {
                Ok(Self::Layers(vec![0.66, 0.12, 0.08, 0.19]))
            }
            _ => Err(PruneError::NoPaperDensities),
        }
    }

    /// Refuses shares out of range.
    pub fn check(&self, graph: &Graph) -> Result<(), PruneError> {
        match self {
            Self::Overall { density, .. } if !(*density > 0.0 && *density <= 1.0) => {
                Err(PruneError::Density(density.to_string()))
            }
            Self::Layers(densities) if densities.len() != graph.weights().count() => {
                Err(PruneError::Count { found: densities.len(), expected: graph.weights().count() })
            }
            Self::Layers(densities) => match densities.iter().find(|d| !(0.0..=1.0).contains(*d)) {
                Some(density) => Err(PruneError::Density(density.to_string())),
                None => Ok(()),
            },
            Self::Overall { .. } => Ok(()),
        }
    }

    /// How many weights each layer keeps. `weights` in the order of [`Graph::weights`].
    pub fn n_kept(&self, graph: &Graph, weights: &[&[f32]]) -> Vec<usize> {
        match self {
            Self::Layers(densities) => {
                weights.iter().zip(densities).map(|(w, d)| (w.len() as f64 * d).round() as usize).collect()
            }
            Self::Overall { density, rule } => {
                let total: usize = weights.iter().map(|w| w.len()).sum();
                rule::spread(*rule, graph, weights, (total as f64 * density).round() as usize)
            }
        }
    }

    /// The target that changes nothing, of the same kind as this one and never below it.
    pub fn of_now(&self, weights: &[&[f32]]) -> Self {
        let kept = |weights: &[f32]| weights.iter().filter(|w| **w != 0.0).count() as f64;
        match self {
            Self::Layers(to) => {
                let density = |(w, to): (&&[f32], &f64)| (kept(w) / w.len() as f64).max(*to);
                Self::Layers(weights.iter().zip(to).map(density).collect())
            }
            Self::Overall { density, rule } => {
                let all: usize = weights.iter().map(|w| w.len()).sum();
                let now = weights.iter().map(|w| kept(w)).sum::<f64>() / all as f64;
                Self::Overall { density: now.max(*density), rule: *rule }
            }
        }
    }

    /// Interpolates between two targets of the same kind, density by density.
    pub fn between(from: &Self, to: &Self, density: impl Fn(f64, f64) -> f64) -> Self {
        match (from, to) {
            (Self::Layers(from), Self::Layers(to)) => {
                Self::Layers(from.iter().zip(to).map(|(&from, &to)| density(from, to)).collect())
            }
            (Self::Overall { density: from, .. }, Self::Overall { density: to, rule }) => {
                Self::Overall { density: density(*from, *to), rule: *rule }
            }
            _ => to.clone(),
        }
    }
}

/// Of the weights that are not zero.
fn standard_deviation(weights: &[f32]) -> f64 {
    let alive = || weights.iter().filter(|w| **w != 0.0).map(|&w| f64::from(w));
    let n = alive().count().max(1) as f64;
    let mean = alive().sum::<f64>() / n;
    (alive().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt()
}
