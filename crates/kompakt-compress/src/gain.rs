//! What a layer's outputs have lost by rounding is given back: a factor for each row of its weights.
//!
//! ```text
//! w: a row, v: the row rounded, H = X Xᵀ: the inputs          g = √(w H w / v H v)
//! ```
//!
//! Rounding at the price of bits makes weights smaller, and most errors are those of weights that became 0. So the outputs of a
//! layer are smaller than they were, those of the next one smaller still, and the errors of all layers add up to one that is far
//! larger than each. With `g` the outputs have the energy that they had. Where a scale follows the layer it takes the
//! factors, at no cost; elsewhere all rows have one factor, which the codebook takes.

use kompakt_model::Numbers;

/// Factors further from 1 are those of rows of which hardly anything is left.
const LEAST: f64 = 0.7;
const MOST: f64 = 1.6;

/// Energies at a layer's output, of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Energies {
    original: f64,
    /// Of the product of the original's output and the error.
    product: f64,
    error: f64,
}

impl Energies {
    /// Adds one column, with what the columns before it carry over to it: an error of it counts for `weight`.
    #[inline(always)]
    pub(crate) fn add(&mut self, weight: f64, original: f32, error: f32) {
        let (original, error) = (f64::from(original), f64::from(error));
        self.original += weight * original * original;
        self.product += weight * original * error;
        self.error += weight * error * error;
    }

    fn gain(&self) -> f32 {
        let rounded = self.original - 2.0 * self.product + self.error;
        let gain = if rounded > 0.0 { (self.original / rounded).sqrt() } else { 1.0 };
        if gain.is_finite() { gain.clamp(LEAST, MOST) as f32 } else { 1.0 }
    }
}

/// The factors of all rows, or one that all of them have.
pub(crate) fn gains(rows: &[Energies], one_each: bool) -> Vec<f32> {
    if one_each {
        return rows.iter().map(Energies::gain).collect();
    }
    let sum = rows.iter().fold(Energies::default(), |a, b| Energies {
        original: a.original + b.original,
        product: a.product + b.product,
        error: a.error + b.error,
    });
    vec![sum.gain(); rows.len()]
}

/// Multiplies all levels of a codebook.
pub(crate) fn multiply(levels: &mut Numbers, gain: f32) {
    match levels {
        Numbers::Scaled { scale, .. } => *scale *= gain,
        other => *other = Numbers::F32(other.to_f32().iter().map(|level| level * gain).collect()),
    }
}

#[cfg(test)]
mod tests;
