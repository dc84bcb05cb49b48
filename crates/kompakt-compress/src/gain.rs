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
mod tests {
    use super::*;

    fn energies(pairs: &[(f64, f32, f32)]) -> Energies {
        let mut energies = Energies::default();
        pairs.iter().for_each(|&(weight, w, v)| energies.add(weight, w, w - v));
        energies
    }

    /// Outputs of a row times its factor have the energy that they had.
    #[test]
    fn energy_is_what_it_was() {
        let row = [(1.0, 0.5, 0.4), (3.0, -1.2, -1.0), (0.25, 0.1, 0.0), (2.0, 0.7, 0.8)];
        let energy =
            |of: fn(&(f64, f32, f32)) -> f32| row.iter().map(|p| p.0 * f64::from(of(p)).powi(2)).sum::<f64>();
        let gain = f64::from(energies(&row).gain());
        let (before, after) = (energy(|p| p.1), energy(|p| p.2) * gain * gain);
        assert!(gain > 1.0 && (before / after - 1.0).abs() < 1e-5, "{gain}: {before} {after}");
    }

    /// A row of which nothing is left, or that was nothing, stays as it is; the factor of all rows lies between those of each.
    #[test]
    fn rows_without_anything_stay() {
        let rows = [energies(&[(1.0, 1.0, 0.0)]), energies(&[(1.0, 0.0, 0.0)]), energies(&[(1.0, 2.0, 1.6)])];
        assert_eq!(gains(&rows, true), [1.0, 1.0, 1.25]);
        let one = gains(&rows, false);
        assert!(one.len() == 3 && one[0] > 1.25 && one.iter().all(|g| *g == one[0]), "{one:?}");
    }

    #[test]
    fn a_codebook_is_multiplied_whatever_its_numbers_are() {
        let mut levels = Numbers::Scaled { scale: 0.5, integers: vec![-3, 2] };
        multiply(&mut levels, 1.5);
        assert_eq!(levels.to_f32(), [-2.25, 1.5]);
        let mut levels = Numbers::F32(vec![1.0, -2.0]);
        multiply(&mut levels, 1.5);
        assert_eq!(levels.to_f32(), [1.5, -3.0]);
    }
}
