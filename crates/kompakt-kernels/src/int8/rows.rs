//! Weights as bytes, four columns side by side.

use crate::{Codebook, Isa, RowSource, RowWeights};
#[cfg(target_arch = "x86_64")]
use crate::{arch::is_fast_in_runs, int8::runs};
use alloc::{vec, vec::Vec};

/// The largest weight: symmetric, so that there is no zero point.
const MOST: f32 = 127.0;
/// How far a level may be from a multiple of the step, in steps, for all levels to be on a grid.
const ON_GRID: f32 = 1e-3;
/// The least level may be so many steps.
const MAX_LEAST: u32 = 32;

/// A matrix of signed bytes `[rows, channels / 4, taps, 4]`: an element is four channels of one kernel position, or four
/// inputs of a linear layer. Each row has a scale.
///
/// As a [`RowSource`], an element is a value, whose bits are the four bytes; elements of four zeros are left out.
#[derive(Debug, Clone)]
pub struct Int8Rows {
    n_rows: usize,
    /// Elements of a row.
    n_cols: usize,
    elements: Vec<f32>,
    n_kept: usize,
    scales: Vec<f32>,
    sums: Vec<i32>,
    error: f64,
    no_codebook: Codebook,
}

impl Int8Rows {
    /// The bytes of a matrix `[rows, channels, taps]`: the integers that the levels are, where they are multiples of a step,
    /// up to 127 of them; else the nearest of 255 evenly spaced values that reach to each row's largest.
    ///
    /// Panics: if the columns are no multiple of `taps`, or the source breaks what [`RowSource::visit`] promises.
    pub fn new(source: &dyn RowSource, taps: usize) -> Self {
        let (n_rows, columns) = (source.n_rows(), source.n_cols());
        assert!(columns.is_multiple_of(taps), "columns and taps");
        let n_cols = (columns / taps).div_ceil(4) * taps;
        let mut this = Self {
            n_rows,
            n_cols,
            elements: vec![0.0; n_rows * n_cols],
            n_kept: 0,
            scales: vec![1.0; n_rows],
            sums: vec![0; n_rows],
            error: 0.0,
            no_codebook: Codebook::new(&[]),
        };
        let book = source.codebook();
        let step = source.is_coded().then(|| step_of(&book.table()[..book.n_levels()], MOST)).flatten();
        let (mut error, mut energy) = (0.0, 0.0);
        source.visit(&mut |row, cols, weights| {
            let values = (0..cols.len()).map(|i| weights.value(book, i));
            let largest = values.clone().fold(0.0, |most: f32, w| most.max(w.abs()));
            let scale = step.unwrap_or(largest / MOST);
            let scale = if scale.is_normal() { scale } else { 1.0 };
            this.scales[row] = scale;
            let elements = &mut this.elements[row * n_cols..(row + 1) * n_cols];
            for (&col, weight) in cols.iter().zip(values) {
                let (channel, tap) = (col as usize / taps, col as usize % taps);
                let byte = libm::rintf(weight / scale).clamp(-MOST, MOST) as i8;
                let element = &mut elements[channel / 4 * taps + tap];
                let mut bytes = element.to_bits().to_le_bytes();
                bytes[channel % 4] = byte.cast_unsigned();
                *element = f32::from_bits(u32::from_le_bytes(bytes));
                this.sums[row] += i32::from(byte);
                let off = f64::from(weight) - f64::from(byte) * f64::from(scale);
                error += off * off;
                energy += f64::from(weight) * f64::from(weight);
            }
        });
        this.n_kept = this.elements.iter().filter(|e| e.to_bits() != 0).count();
        this.error = libm::sqrt(error / f64::max(energy, f64::MIN_POSITIVE));
        this
    }

    /// Elements that are not four zeros.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// All elements, `[rows, columns]`.
    pub fn elements(&self) -> &[f32] {
        &self.elements
    }

    /// The same, alone.
    pub fn into_elements(self) -> Vec<f32> {
        self.elements
    }

    /// The value of a step in each row.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The sum of each row's bytes.
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// The cost of its products over windows on an instruction set, relative to the one by the table, which is of small weights.
    pub fn relative_cost(&self, isa: Isa) -> f64 {
        #[cfg(target_arch = "x86_64")]
        if is_fast_in_runs(isa) {
            return runs::relative_cost(&self.elements);
        }
        let _ = isa;
        1.0
    }

    /// The root of the squared error of all weights, relative to the weights.
    pub fn error(&self) -> f64 {
        self.error
    }
}

impl RowSource for Int8Rows {
    fn n_rows(&self) -> usize {
        self.n_rows
    }
    fn n_cols(&self) -> usize {
        self.n_cols
    }
    fn codebook(&self) -> &Codebook {
        &self.no_codebook
    }
    fn is_coded(&self) -> bool {
        false
    }
    fn holds_bytes(&self) -> bool {
        true
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        let (mut cols, mut values) = (Vec::new(), Vec::new());
        for row in 0..self.n_rows {
            cols.clear();
            values.clear();
            for (col, &element) in
                self.elements[row * self.n_cols..(row + 1) * self.n_cols].iter().enumerate()
            {
                if element.to_bits() != 0 {
                    cols.push(col as u32);
                    values.push(element);
                }
            }
            visit(row, &cols, RowWeights::Values(&values));
        }
    }
}

/// The step of which all levels are multiples, at most `limit` of them.
pub(crate) fn step_of(levels: &[f32], limit: f32) -> Option<f32> {
    let sizes = levels.iter().map(|level| level.abs()).filter(|size| *size != 0.0);
    let (least, most) = (sizes.clone().reduce(f32::min)?, sizes.clone().reduce(f32::max)?);
    let fits = |step: f32| {
        let on_grid = |level: f32| (level / step - libm::rintf(level / step)).abs() <= ON_GRID;
        step.is_normal() && most / step <= limit + ON_GRID && levels.iter().all(|&level| on_grid(level))
    };
    (1..=MAX_LEAST).map(|n| least / n as f32).find(|&step| fits(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_found_where_there_is_one() {
        assert_eq!(step_of(&[-0.75, 0.5, 1.25], MOST), Some(0.25));
        assert_eq!(step_of(&[-0.5, 0.5], MOST), Some(0.5));
        assert_eq!(step_of(&[-0.5, 0.0, 0.25], MOST), Some(0.25));
        assert_eq!(step_of(&[0.01, 1.28], MOST), None);
        assert_eq!(step_of(&[0.1, 0.2718], MOST), None);
        assert_eq!(step_of(&[], MOST), None);
        assert_eq!(step_of(&[0.0], MOST), None);
    }
}
