//! Principal components: fitted once, then the first linear layer of a network.
//!
//! A fitted projection is not a step: it is a matrix, and matrices are what this format codes well.
//! [`Pca::linear`] returns weight and bias of a layer to put before all others.
//!
//! ```text
//! images ──► Covariance ──► Pca::fit (eigenvectors) ──► y = W x + b,  W = V^T,  b = -V^T mean
//! ```
//!
//! All in f64, in a fixed order: the same images in the same order give the same bits.

use crate::symmetric;
use alloc::{vec, vec::Vec};

/// The most features of a sample; the covariance matrix is this squared.
pub const MAX_FEATURES: usize = 4096;

/// Sums over samples, from which mean and covariance are computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    n_features: usize,
    n_samples: usize,
    sum: Vec<f64>,
    /// Sum of `x[i] * x[j]`; only `j >= i` is maintained.
    products: Vec<f64>,
}

impl Covariance {
    /// No samples yet, of `n_features` values each.
    ///
    /// Panics: if `n_features` is 0 or above [`MAX_FEATURES`].
    pub fn new(n_features: usize) -> Self {
        assert!((1..=MAX_FEATURES).contains(&n_features), "1 to {MAX_FEATURES} features, not {n_features}");
        let zeros = |n| vec![0.0; n];
        Self { n_features, n_samples: 0, sum: zeros(n_features), products: zeros(n_features * n_features) }
    }

    /// Adds one sample.
    ///
    /// Panics: if it has another length.
    pub fn add(&mut self, x: &[f32]) {
        assert_eq!(x.len(), self.n_features, "length of the sample");
        self.n_samples += 1;
        let n = self.n_features;
        for (i, value) in x.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            let value = f64::from(*value);
            self.sum[i] += value;
            for (product, other) in self.products[i * n + i..(i + 1) * n].iter_mut().zip(&x[i..]) {
                *product += value * f64::from(*other);
            }
        }
    }

    /// Number of samples added.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// The mean and the full covariance matrix, row-major.
    fn moments(&self) -> (Vec<f64>, Vec<f64>) {
        let n = self.n_features;
        let samples = self.n_samples.max(1) as f64;
        let mean: Vec<f64> = self.sum.iter().map(|s| s / samples).collect();
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            for j in i..n {
                let value = self.products[i * n + j] / samples - mean[i] * mean[j];
                matrix[i * n + j] = value;
                matrix[j * n + i] = value;
            }
        }
        (mean, matrix)
    }
}

/// The directions of greatest variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    mean: Vec<f64>,
    /// `[n_components, n_features]`; orthonormal rows, by decreasing variance; the entry of greatest
    /// magnitude of each (the first, if several) is positive.
    components: Vec<f64>,
    variances: Vec<f64>,
    total_variance: f64,
}

/// A linear layer: `y = W x + b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// `[n_components, n_features]`, row-major.
    pub weight: Vec<f32>,
    /// `[n_components]`.
    pub bias: Vec<f32>,
}

impl Pca {
    /// The `n_components` directions of greatest variance; fewer if samples have fewer features.
    pub fn fit(samples: &Covariance, n_components: usize) -> Self {
        let n = samples.n_features;
        let (mean, matrix) = samples.moments();
        let total_variance = (0..n).map(|i| matrix[i * n + i]).sum();
        let (values, vectors) = symmetric::eigen(matrix, n);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
        order.truncate(n_components);
        let mut components = Vec::with_capacity(order.len() * n);
        for at in &order {
            let row = &vectors[at * n..(at + 1) * n];
            let greatest = row.iter().fold(0.0f64, |a, b| if b.abs() > a.abs() { *b } else { a });
            components.extend(row.iter().map(|v| if greatest < 0.0 { -v } else { *v }));
        }
        let variances = order.iter().map(|at| values[*at].max(0.0)).collect();
        Self { mean, components, variances, total_variance }
    }

    /// The variance along each component.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// The fraction of the total variance that the components explain, 0 to 1.
    pub fn explained(&self) -> f64 {
        if self.total_variance > 0.0 { self.variances.iter().sum::<f64>() / self.total_variance } else { 1.0 }
    }

    /// The layer that projects a sample. With `whiten` every output has variance 1 over the samples.
    pub fn linear(&self, whiten: bool) -> Linear {
        let n = self.mean.len();
        let (mut weight, mut bias) = (Vec::with_capacity(self.components.len()), Vec::new());
        for (row, variance) in self.components.chunks_exact(n).zip(&self.variances) {
            let deviation = libm::sqrt(variance.max(1e-12));
            let scale = if whiten { 1.0 / deviation } else { 1.0 };
            weight.extend(row.iter().map(|v| (v * scale) as f32));
            bias.push(-(row.iter().zip(&self.mean).map(|(v, m)| v * scale * m).sum::<f64>()) as f32);
        }
        Linear { weight, bias }
    }
}
