//! How the weights of one parameter come from the values that are trained.
//!
//! ```text
//! latent values ─── effective() ──► weights that the network computes with
//! latent gradient ◄── pull_back() ── gradient by those weights
//! ```
//!
//! A dense weight is its own latent value. A masked one is, too, but pruned places stay zero. A shared one has one
//! latent value per codebook entry, whose gradient is the sum (Han 2015, equation 3) or the mean of the
//! gradients of the weights that carry its code. Anything else (a straight-through quantiser, a low-rank
//! product) is a [`Parameterization`].

use std::fmt::Debug;

/// A way to compute weights from latent values; see [`Trainable::Custom`].
pub trait Parameterization: Debug + Send + Sync {
    /// The trained values.
    fn latent(&self) -> &[f32];
    /// The same, mutable for the optimiser. Their count must not change.
    fn latent_mut(&mut self) -> &mut [f32];
    /// Writes the weights, `out.len()` of them in row-major order.
    fn effective(&self, out: &mut [f32]);
    /// Writes the latent gradient from the gradient by the weights.
    fn pull_back(&self, by_weight: &[f32], by_latent: &mut [f32]);
    /// A copy of it.
    fn boxed_clone(&self) -> Box<dyn Parameterization>;
}

/// How the gradient of a codebook entry is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CentroidGradient {
    /// The sum of its weights' gradients, as in the paper.
    #[default]
    Sum,
    /// Their mean: large clusters move no faster than small ones.
    Mean,
}

/// The trained values of one parameter, and how its weights come from them.
#[derive(Debug)]
pub enum Trainable {
    /// Every weight is trained on its own.
    Dense(Vec<f32>),
    /// As dense, but weights whose mask is false are zero and stay so.
    Masked {
        /// Row-major; zero where the mask is false.
        values: Vec<f32>,
        /// True = kept.
        mask: Vec<bool>,
    },
    /// Weights that share the entries of a codebook.
    Shared {
        /// The entries.
        codebook: Vec<f32>,
        /// One per weight; index into the codebook.
        codes: Vec<u8>,
        /// True = kept; `None` when all are.
        mask: Option<Vec<bool>>,
        /// How an entry's gradient is computed.
        gradient: CentroidGradient,
    },
    /// Any other parameterisation.
    Custom(Box<dyn Parameterization>),
}

impl Clone for Trainable {
    fn clone(&self) -> Self {
        match self {
            Self::Dense(values) => Self::Dense(values.clone()),
            Self::Masked { values, mask } => Self::Masked { values: values.clone(), mask: mask.clone() },
            Self::Shared { codebook, codes, mask, gradient } => Self::Shared {
                codebook: codebook.clone(),
                codes: codes.clone(),
                mask: mask.clone(),
                gradient: *gradient,
            },
            Self::Custom(custom) => Self::Custom(custom.boxed_clone()),
        }
    }
}

impl Trainable {
    /// The trained values.
    pub fn latent(&self) -> &[f32] {
        match self {
            Self::Dense(values) | Self::Masked { values, .. } => values,
            Self::Shared { codebook, .. } => codebook,
            Self::Custom(custom) => custom.latent(),
        }
    }

    /// The same, mutable; call [`Trainable::hold`] afterwards.
    pub fn latent_mut(&mut self) -> &mut [f32] {
        match self {
            Self::Dense(values) | Self::Masked { values, .. } => values,
            Self::Shared { codebook, .. } => codebook,
            Self::Custom(custom) => custom.latent_mut(),
        }
    }

    /// True = kept; `None` when all are, or when the parameterisation decides.
    pub fn mask(&self) -> Option<&[bool]> {
        match self {
            Self::Masked { mask, .. } => Some(mask),
            Self::Shared { mask, .. } => mask.as_deref(),
            Self::Dense(_) | Self::Custom(_) => None,
        }
    }

    /// Puts zeros back where the mask is false.
    pub fn hold(&mut self) {
        if let Self::Masked { values, mask } = self {
            values.iter_mut().zip(mask).for_each(|(v, &mut kept)| {
                if !kept {
                    *v = 0.0;
                }
            });
        }
    }

    /// The weights that the network computes with, `n` of them in row-major order.
    pub fn effective(&self, n: usize) -> Vec<f32> {
        match self {
            Self::Dense(values) | Self::Masked { values, .. } => values.clone(),
            Self::Shared { codebook, codes, mask, .. } => match mask {
                None => codes.iter().map(|&c| codebook[usize::from(c)]).collect(),
                Some(mask) => codes
                    .iter()
                    .zip(mask)
                    .map(|(&c, &kept)| if kept { codebook[usize::from(c)] } else { 0.0 })
                    .collect(),
            },
            Self::Custom(custom) => {
                let mut out = vec![0.0; n];
                custom.effective(&mut out);
                out
            }
        }
    }

    /// Turns a gradient by the weights into one by the latent values.
    pub fn pull_back(&self, mut by_weight: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Dense(_) => by_weight,
            Self::Masked { mask, .. } => {
                by_weight.iter_mut().zip(mask).for_each(|(g, &kept)| {
                    if !kept {
                        *g = 0.0;
                    }
                });
                by_weight
            }
            Self::Shared { codebook, codes, mask, gradient } => {
                gather(codebook.len(), codes, mask.as_deref(), *gradient, &by_weight)
            }
            Self::Custom(custom) => {
                let mut by_latent = vec![0.0; custom.latent().len()];
                custom.pull_back(&by_weight, &mut by_latent);
                by_latent
            }
        }
    }
}

/// Sums (or averages) gradients by code. In f64: a cluster may hold most of a layer.
fn gather(
    k: usize,
    codes: &[u8],
    mask: Option<&[bool]>,
    gradient: CentroidGradient,
    by_weight: &[f32],
) -> Vec<f32> {
    let mut sums = vec![0.0f64; k];
    let mut counts = vec![0u32; k];
    for (i, (&code, &g)) in codes.iter().zip(by_weight).enumerate() {
        if mask.is_none_or(|m| m[i]) {
            sums[usize::from(code)] += f64::from(g);
            counts[usize::from(code)] += 1;
        }
    }
    match gradient {
        CentroidGradient::Sum => sums.iter().map(|&s| s as f32).collect(),
        CentroidGradient::Mean => {
            sums.iter().zip(counts).map(|(&s, n)| (s / f64::from(n.max(1))) as f32).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_weights_sum_their_gradients() {
        let mut weights = Trainable::Shared {
            codebook: vec![-1.0, 2.0],
            codes: vec![0, 1, 1, 0],
            mask: Some(vec![true, true, true, false]),
            gradient: CentroidGradient::Sum,
        };
        assert_eq!(weights.effective(4), [-1.0, 2.0, 2.0, 0.0]);
        assert_eq!(weights.pull_back(vec![1.0, 2.0, 3.0, 100.0]), [1.0, 5.0]);
        if let Trainable::Shared { gradient, .. } = &mut weights {
            *gradient = CentroidGradient::Mean;
        }
        assert_eq!(weights.pull_back(vec![1.0, 2.0, 3.0, 100.0]), [1.0, 2.5]);
    }

    #[test]
    fn masked_weights_pass_no_gradient_where_pruned() {
        let mut weights = Trainable::Masked { values: vec![1.0, 5.0], mask: vec![true, false] };
        weights.hold();
        assert_eq!(weights.effective(2), [1.0, 0.0]);
        assert_eq!(weights.pull_back(vec![3.0, 4.0]), [3.0, 0.0]);
    }
}
