//! A layer's weights as codes.

use crate::{
    blocks,
    curve::Point,
    factor::Factor,
    levels::{Chooser, Levels},
    moments::Moments,
};
use kompakt_model::{Numbers, Parameter};

/// A layer's weights, as a matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightMatrix<'w> {
    pub(crate) weights: &'w [f32],
    pub(crate) shape: &'w [usize],
    pub(crate) groups: usize,
    /// Whether a scale of its rows follows the layer.
    pub(crate) has_scale: bool,
}

/// A quantised layer, and the corrections of its bias and of the scale after it.
#[derive(Debug, Clone)]
pub(crate) struct Quantised {
    pub(crate) weight: Parameter,
    /// One per output unit; empty without calibration.
    pub(crate) shift: Vec<f32>,
    /// One per output unit, where the layer has a scale: what that is multiplied by.
    pub(crate) gain: Vec<f32>,
    /// Squared error of the weights relative to their energy.
    pub(crate) error: f64,
    /// Weights that are not zero.
    pub(crate) n_kept: usize,
}

/// Assigns to each weight the level of least error and price, with feedback from the errors of the columns
/// before it where `moments` of the layer's inputs are known.
pub(crate) fn quantise(layer: WeightMatrix<'_>, point: &Point, moments: Option<&Moments>) -> Quantised {
    let levels = &point.levels;
    let rows = layer.shape[0];
    let cols = layer.weights.len() / rows.max(1);
    let square: f64 = layer.weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    let price = point.lambda * square / layer.weights.len().max(1) as f64;
    let mut chosen = vec![0u8; layer.weights.len()];
    let per_group = (rows / layer.groups.max(1)).max(1);
    let weight_of = |i: usize| match moments {
        None => 1.0,
        Some(moments) => moments.groups[i / cols / per_group].weight(i % cols),
    };
    let dropped = blocks::dropped(layer.shape, layer.weights, levels, price, weight_of);
    let zero = levels.values.partition_point(|&v| v < 0.0) as u8;
    let mut fits = Vec::new();
    match moments {
        None => {
            let choose = Chooser::new(&levels.values, &levels.lengths, price);
            for ((to, &w), &dropped) in chosen.iter_mut().zip(layer.weights).zip(&dropped) {
                *to = if dropped { zero } else { choose.level(f64::from(w)) as u8 };
            }
        }
        Some(moments) => {
            let each = (per_group * cols).max(1);
            // Synthetic inputs have no reliable means, and tell as little of the size of the outputs.
            let is_fitted = has_means(moments);
            if is_fitted {
                fits.resize(rows, Fit::default());
            }
            let groups = layer.weights.chunks(each).zip(dropped.chunks(each)).zip(chosen.chunks_mut(each));
            for (i, ((group, chosen), inputs)) in groups.zip(&moments.groups).enumerate() {
                let fits = if is_fitted { &mut fits[i * per_group..(i + 1) * per_group] } else { &mut [] };
                for block in &inputs.blocks {
                    with_feedback(group, cols, block, levels, price, chosen, fits);
                }
            }
        }
    }
    finish(layer, levels, &chosen, cols, square, moments, &fits)
}

/// Outputs of a layer before and after: the product of the two, and the square of the latter.
///
/// A price on bits prefers small levels, and so shrinks a layer's outputs; a factor undoes that.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    product: f64,
    square: f64,
}

/// Factors are within this and its reciprocal.
const MOST_GAIN: f64 = 2.0;

impl Fit {
    /// The factor of the outputs after, of least squared error.
    fn gain(self) -> f64 {
        let gain = self.product / self.square;
        if gain.is_finite() { gain.clamp(1.0 / MOST_GAIN, MOST_GAIN) } else { 1.0 }
    }

    fn sum(all: &[Self]) -> Self {
        let sum = |of: fn(&Self) -> f64| all.iter().map(of).sum();
        Self { product: sum(|fit| fit.product), square: sum(|fit| fit.square) }
    }
}

/// Columns of some rows from the first of a block on, as many as are factored together; some weights are dropped for certain.
/// With `fits`, one for each row, those too.
fn with_feedback(
    (weights, dropped): (&[f32], &[bool]),
    cols: usize,
    (first, factor): &(usize, Factor),
    levels: &Levels,
    price: f64,
    chosen: &mut [u8],
    fits: &mut [Fit],
) {
    let values: Vec<f32> = levels.values.iter().map(|&v| v as f32).collect();
    // An error in a column of less weight may cost more bits.
    let chooser = |&w: &f64| Chooser::new(&levels.values, &levels.lengths, price / w.max(1e-6));
    let choosers: Vec<Chooser> = factor.weights.iter().map(chooser).collect();
    let mut errors = vec![0.0; choosers.len()];
    let size = factor.left[0] / choosers.len().max(1) as f64;
    let zero = levels.values.partition_point(|&v| v < 0.0);
    let rows = weights.chunks_exact(cols).zip(dropped.chunks_exact(cols)).zip(chosen.chunks_exact_mut(cols));
    for (row, ((weights, dropped), chosen)) in rows.enumerate() {
        let (weights, dropped, chosen) = (&weights[*first..], &dropped[*first..], &mut chosen[*first..]);
        for (k, choose) in choosers.iter().enumerate() {
            let carried = factor.feedback(k, &errors);
            let wanted = f64::from(weights[k] + carried);
            let level = if dropped[k] { zero } else { choose.level(wanted) };
            chosen[k] = level as u8;
            errors[k] = weights[k] - values[level];
            if let Some(fit) = fits.get_mut(row) {
                // Column k of (I + U)ᵀ W, and of that after.
                let before = weights[k] + factor.feedback(k, weights);
                let after = f64::from(before - errors[k] - carried);
                fit.product += size * factor.weights[k] * f64::from(before) * after;
                fit.square += size * factor.weights[k] * after * after;
            }
        }
    }
}

/// Whether the means of a layer's inputs are reliable.
fn has_means(moments: &Moments) -> bool {
    moments.groups.iter().all(|g| !g.mean.is_empty())
}

fn finish(
    layer: WeightMatrix<'_>,
    levels: &Levels,
    chosen: &[u8],
    cols: usize,
    square: f64,
    moments: Option<&Moments>,
    fits: &[Fit],
) -> Quantised {
    let gain: Vec<f64> = if layer.has_scale && !fits.is_empty() {
        fits.iter().map(|fit| fit.gain()).collect()
    } else {
        Vec::new()
    };
    let whole = if gain.is_empty() { Fit::sum(fits).gain() as f32 } else { 1.0 };
    let values: Vec<f64> = levels.values.iter().map(|v| v * f64::from(whole)).collect();
    let zero = levels.values.partition_point(|&v| v < 0.0);
    let mask: Vec<bool> = chosen.iter().map(|&l| usize::from(l) != zero).collect();
    let n_kept = mask.iter().filter(|k| **k).count();
    let difference = |i: usize| {
        let gain = gain.get(i / cols.max(1)).copied().unwrap_or(1.0);
        f64::from(layer.weights[i]) - gain * values[usize::from(chosen[i])]
    };
    let error: f64 = (0..chosen.len()).map(|i| difference(i).powi(2)).sum();
    let shift = moments.filter(|m| has_means(m)).map(|moments| {
        let rows = layer.shape[0];
        let per_group = (rows / layer.groups.max(1)).max(1);
        let sum = |row: usize| {
            let mean = &moments.groups[(row / per_group).min(moments.groups.len() - 1)].mean;
            (0..cols).map(|c| difference(row * cols + c) * f64::from(mean[c])).sum::<f64>() as f32
        };
        (0..rows).map(sum).collect()
    });
    let code = |level: u8| level - u8::from(usize::from(level) > zero);
    let codes: Vec<u8> = chosen.iter().zip(&mask).map(|(&l, &kept)| if kept { code(l) } else { 0 }).collect();
    let codebook = match levels.codebook.clone() {
        codebook if codebook.is_empty() => Numbers::F32(vec![1.0]),
        Numbers::Scaled { scale, integers } => Numbers::Scaled { scale: scale * whole, integers },
        other => Numbers::F32(other.to_f32().iter().map(|v| v * whole).collect()),
    };
    let mask = mask.contains(&false).then_some(mask);
    let weight = Parameter::shared(layer.shape.to_vec(), &codebook, &codes, mask.as_deref());
    let error = if square > 0.0 { error / square } else { 0.0 };
    let gain = gain.iter().map(|g| *g as f32).collect();
    Quantised { weight, shift: shift.unwrap_or_default(), gain, error, n_kept }
}
