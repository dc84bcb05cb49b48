//! Batch norm in training and its gradients on slices.
//!
//! ```text
//! xhat = (x - mean) / sqrt(variance + eps)        mean and variance by channel, over the batch
//! y    = weight xhat + bias
//! dx   = weight / sqrt(variance + eps) * (dy - mean(dy) - xhat mean(dy xhat))
//! ```
//!
//! Sums over the batch are taken plane by plane in f32, over the planes in f64.

use rayon::prelude::*;

/// A batch norm over `[n, channels, plane]`.
#[derive(Debug, Clone)]
pub(crate) struct Normalisation {
    pub(crate) channels: usize,
    /// Elements per channel in one example.
    pub(crate) plane: usize,
    pub(crate) eps: f32,
}

/// Mean and biased variance by channel.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f32>,
    pub(crate) variance: Vec<f32>,
}

impl Normalisation {
    fn example(&self) -> usize {
        self.channels * self.plane
    }

    /// The planes of one channel, example after example.
    fn planes<'a>(&'a self, x: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> {
        x.chunks_exact(self.example()).map(move |x| &x[channel * self.plane..][..self.plane])
    }

    /// Mean and variance of the batch, and `y`.
    pub(crate) fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> (Vec<f32>, Moments) {
        let count = (x.len() / self.channels) as f64;
        let (mean, variance): (Vec<f32>, Vec<f32>) = (0..self.channels)
            .into_par_iter()
            .map(|c| {
                let total: f64 = self.planes(x, c).map(|x| f64::from(sum(x, |x| x))).sum();
                let mean = (total / count) as f32;
                let square = |x: &[f32]| f64::from(sum(x, |x| (x - mean) * (x - mean)));
                let squares: f64 = self.planes(x, c).map(square).sum();
                (mean, (squares / count) as f32)
            })
            .unzip();
        let moments = Moments { mean, variance };
        let inverse = self.inverse_deviation(&moments);
        let mut y = vec![0.0; x.len()];
        let examples = y.par_chunks_mut(self.example()).zip(x.par_chunks(self.example()));
        examples.for_each(|(y, x)| {
            let planes = y.chunks_exact_mut(self.plane).zip(x.chunks_exact(self.plane));
            for (c, (y, x)) in planes.enumerate() {
                let scale = weight[c] * inverse[c];
                let shift = bias[c] - scale * moments.mean[c];
                y.iter_mut().zip(x).for_each(|(y, x)| *y = scale * x + shift);
            }
        });
        (y, moments)
    }

    /// Gradients by input, weight and bias from the gradient by the result.
    pub(crate) fn backward(&self, x: &[f32], weight: &[f32], moments: &Moments, dy: &[f32]) -> [Vec<f32>; 3] {
        let count = (x.len() / self.channels) as f64;
        let inverse = self.inverse_deviation(moments);
        let (by_weight, by_bias): (Vec<f64>, Vec<f64>) = (0..self.channels)
            .into_par_iter()
            .map(|c| {
                let (mean, inverse) = (moments.mean[c], inverse[c]);
                let planes = self.planes(x, c).zip(self.planes(dy, c));
                planes.fold((0.0, 0.0), |(by_weight, by_bias), (x, dy)| {
                    let product = sum_of_products(x, dy, mean);
                    (by_weight + f64::from(product * inverse), by_bias + f64::from(sum(dy, |dy| dy)))
                })
            })
            .unzip();
        let mut dx = vec![0.0; x.len()];
        let examples = dx.par_chunks_mut(self.example()).zip(x.par_chunks(self.example()));
        examples.zip(dy.par_chunks(self.example())).for_each(|((dx, x), dy)| {
            let planes = dx.chunks_exact_mut(self.plane).zip(x.chunks_exact(self.plane));
            for (c, ((dx, x), dy)) in planes.zip(dy.chunks_exact(self.plane)).enumerate() {
                // dx = scale * dy - slope * (x - mean) - rest
                let scale = weight[c] * inverse[c];
                let slope = scale * inverse[c] * (by_weight[c] / count) as f32;
                let rest = scale * (by_bias[c] / count) as f32 - slope * moments.mean[c];
                dx.iter_mut().zip(x.iter().zip(dy)).for_each(|(dx, (x, dy))| {
                    *dx = scale * dy - slope * x - rest;
                });
            }
        });
        let f32s = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect();
        [dx, f32s(by_weight), f32s(by_bias)]
    }

    fn inverse_deviation(&self, moments: &Moments) -> Vec<f32> {
        moments.variance.iter().map(|v| 1.0 / (v + self.eps).sqrt()).collect()
    }
}

const LANES: usize = 8;

/// The sum of `f` over the values, in lanes.
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for values in whole {
        lanes.iter_mut().zip(values).for_each(|(lane, &value)| *lane += f(value));
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&value| f(value)).sum::<f32>()
}

/// The sum of `(x - mean) dy`, in lanes.
fn sum_of_products(x: &[f32], dy: &[f32], mean: f32) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let (dy_whole, dy_rest) = dy.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for (x, dy) in whole.iter().zip(dy_whole) {
        for (lane, (x, dy)) in lanes.iter_mut().zip(x.iter().zip(dy)) {
            *lane += (x - mean) * dy;
        }
    }
    let rest: f32 = rest.iter().zip(dy_rest).map(|(x, dy)| (x - mean) * dy).sum();
    lanes.iter().sum::<f32>() + rest
}
