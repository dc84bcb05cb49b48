//! Bits of a layer's levels by how large the row and the column of a weight are, as the coder of tier `smallest` learns them.
//!
//! ```text
//! mean |w| of row r  ─┬─► class of (r, c) ──► how often each level comes in the class ──► its bits
//! mean |w| of column c┘
//! ```
//!
//! The coder tells dense rows and columns from sparse ones: a weight that is kept is cheap among many and dear among few, and a
//! dropped one the other way round.

use crate::levels::{Chooser, Levels};

/// Classes of size, half an octave apart.
pub(crate) const N_CLASSES: usize = 12;
/// The class of a row and a column of the layer's mean size.
const MIDDLE: f64 = 7.0;
/// Classes in an octave.
const PER_OCTAVE: f64 = 2.0;
/// Rows or columns below this part of the mean count as this.
const SMALLEST: f64 = 1e-4;
/// The least weight of an error that is told from none, weights in an octave, and how many there are.
const LIGHTEST: f64 = 1e-6;
const WEIGHTS_PER_OCTAVE: f64 = 4.0;
const N_WEIGHTS: usize = 128;
/// A class begins with this many weights of the layer's levels.
const PRIOR: f64 = 64.0;

/// The classes of a layer's weights.
pub(crate) struct Classes {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl Classes {
    /// Of `weights` `[rows, columns]`.
    pub(crate) fn new(weights: &[f32], n_columns: usize) -> Self {
        let n_rows = weights.len() / n_columns.max(1);
        let (mut rows, mut columns) = (vec![0f64; n_rows], vec![0f64; n_columns]);
        for (row, weights) in rows.iter_mut().zip(weights.chunks_exact(n_columns.max(1))) {
            for (column, w) in columns.iter_mut().zip(weights) {
                let size = f64::from(w.abs());
                *row += size;
                *column += size;
            }
        }
        Self { rows: classes(&rows), columns: classes(&columns) }
    }

    /// All in one class, of a layer `[rows, columns]`.
    pub(crate) fn same([rows, columns]: [usize; 2]) -> Self {
        Self { rows: vec![0.0; rows], columns: vec![0.0; columns] }
    }

    /// The class of a weight, below [`N_CLASSES`].
    #[inline(always)]
    pub(crate) fn of(&self, row: usize, column: usize) -> usize {
        (self.rows[row] + self.columns[column]).clamp(0.0, (N_CLASSES - 1) as f32) as usize
    }
}

/// The classes of a layer's weights, and the bits of its levels in each.
pub(crate) struct Lengths {
    classes: Classes,
    by_class: Vec<Vec<f64>>,
}

impl Lengths {
    /// Of `weights` `[rows, columns]`, each of the level that is best at `price` a bit, but for those that are dropped.
    pub(crate) fn new(
        weights: &[f32],
        n_columns: usize,
        dropped: &[bool],
        levels: &Levels,
        price: f64,
    ) -> Self {
        let mut this = Self { classes: Classes::new(weights, n_columns), by_class: Vec::new() };
        let choose = Chooser::new(&levels.values, &levels.lengths, price);
        let mut counts = vec![vec![0u32; levels.values.len()]; N_CLASSES];
        let rows = weights.chunks_exact(n_columns.max(1)).zip(dropped.chunks_exact(n_columns.max(1)));
        for (r, (weights, dropped)) in rows.enumerate() {
            for (c, (w, dropped)) in weights.iter().zip(dropped).enumerate() {
                if !dropped {
                    counts[this.class(r, c)][choose.level(f64::from(*w))] += 1;
                }
            }
        }
        let total = |counts: &[u32]| counts.iter().map(|&n| f64::from(n)).sum::<f64>();
        let overall: Vec<f64> = (0..levels.values.len())
            .map(|l| counts.iter().map(|c| f64::from(c[l])).sum::<f64>().max(0.5))
            .collect();
        let n = overall.iter().sum::<f64>();
        let lengths = |counts: &Vec<u32>| {
            let whole = total(counts) + PRIOR;
            let length = |l: usize| match levels.lengths[l].is_finite() {
                true => -((f64::from(counts[l]) + PRIOR * overall[l] / n) / whole).log2(),
                false => f64::INFINITY,
            };
            (0..levels.values.len()).map(length).collect()
        };
        this.by_class = counts.iter().map(lengths).collect();
        this
    }

    /// The same in all classes, of a layer `[rows, columns]`.
    pub(crate) fn same([rows, columns]: [usize; 2], levels: &Levels) -> Self {
        let by_class = vec![levels.lengths.clone(); N_CLASSES];
        Self { classes: Classes::same([rows, columns]), by_class }
    }

    /// The class of a weight.
    #[inline(always)]
    fn class(&self, row: usize, column: usize) -> usize {
        self.classes.of(row, column)
    }
}

/// Choices of a level, for each class and for each weight of an error, rounded to quarters of an octave.
pub(crate) struct Choices<'l> {
    levels: &'l Levels,
    lengths: Lengths,
    price: f64,
    by_weight: Vec<Vec<Chooser>>,
}

impl<'l> Choices<'l> {
    pub(crate) fn new(levels: &'l Levels, lengths: Lengths, price: f64) -> Self {
        Self { levels, lengths, price, by_weight: vec![Vec::new(); N_WEIGHTS] }
    }

    /// The number of a weight, which can be chosen for from now on.
    pub(crate) fn number(&mut self, weight: f64) -> usize {
        let octaves = weight.max(LIGHTEST).log2() - LIGHTEST.log2();
        let number = ((octaves * WEIGHTS_PER_OCTAVE).round() as usize).min(N_WEIGHTS - 1);
        if self.by_weight[number].is_empty() {
            // An error of less weight may cost more bits.
            let price = self.price / (LIGHTEST * (number as f64 / WEIGHTS_PER_OCTAVE).exp2());
            let chooser = |lengths: &Vec<f64>| Chooser::new(&self.levels.values, lengths, price);
            self.by_weight[number] = self.lengths.by_class.iter().map(chooser).collect();
        }
        number
    }

    /// The choice at a place, where an error counts for the weight of this number.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, column: usize, number: usize) -> &Chooser {
        &self.by_weight[number][self.lengths.class(row, column)]
    }
}

/// Half of each size's class, which is added to that of the other dimension.
fn classes(sums: &[f64]) -> Vec<f32> {
    let mean = sums.iter().sum::<f64>() / sums.len().max(1) as f64;
    let class = |sum: &f64| {
        let part = if mean > 0.0 { (sum / mean).max(SMALLEST) } else { 1.0 };
        (PER_OCTAVE * part.log2() + (MIDDLE + 0.5) / 2.0) as f32
    };
    sums.iter().map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_model::Numbers;

    /// In rows and columns of small weights zero is cheaper than in those of large ones, and as cheap as it comes often.
    #[test]
    fn zero_is_cheap_where_weights_are_small() {
        let (rows, columns) = (64, 32);
        let size = |r: usize, c: usize| if (r | c).is_multiple_of(2) { 1.0f32 } else { 0.05 };
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let weights: Vec<f32> =
            (0..rows * columns).map(|i| size(i / columns, i % columns) * number(i)).collect();
        let levels = Levels {
            values: vec![-0.6, 0.0, 0.6],
            lengths: vec![3.0, 0.5, 3.0],
            codebook: Numbers::F32(vec![-0.6, 0.6]),
            flags: None,
            trellis: false,
        };
        let lengths = Lengths::new(&weights, columns, &vec![false; weights.len()], &levels, 0.0);
        let zero = |r: usize, c: usize| lengths.by_class[lengths.class(r, c)][1];
        assert!(zero(1, 1) < 0.1 && zero(0, 0) > 1.0, "{} {}", zero(1, 1), zero(0, 0));
        for lengths in &lengths.by_class {
            let sum: f64 = lengths.iter().map(|bits| (-bits).exp2()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{lengths:?}");
        }
        let same = Lengths::same([rows, columns], &levels);
        assert_eq!(same.by_class[same.class(0, 0)], levels.lengths);
    }

    #[test]
    fn weights_of_errors_are_told_apart_by_quarters_of_octaves() {
        let levels = Levels {
            values: vec![0.0, 1.0],
            lengths: vec![0.0, 4.0],
            codebook: Numbers::F32(vec![1.0]),
            flags: None,
            trellis: false,
        };
        let mut choices = Choices::new(&levels, Lengths::same([1, 1], &levels), 0.1);
        let [light, whole, heavy] = [0.0, 1.0, 1e9].map(|weight| choices.number(weight));
        // At a price of 0.1 four bits are worth it from 0.7 on where an error counts whole.
        assert_eq!([0.65, 0.75].map(|value| choices.at(0, 0, whole).level(value)), [0, 1]);
        assert_eq!(choices.at(0, 0, light).level(1.0), 0);
        assert_eq!(choices.at(0, 0, heavy).level(0.51), 1);
        assert_eq!(choices.number(1.05), whole);
    }
}
