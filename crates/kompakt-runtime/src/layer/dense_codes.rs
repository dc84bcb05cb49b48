//! All weights of a layer as codes, pruned ones as zeros, against one vector.
//!
//! ```text
//! levels    -300 ··· -2 -1 1 2 ··· 127        a number of steps in a byte, converted; where there is no step, looked up
//!           far, one by one                   y = sum of codes + sum of the far
//! ```
//!
//! Few levels are far from the others, and few weights have them: those are kept apart, so that a byte is enough for the rest.
//! Rows from the file are summed in the same order, and have the same bits.

use crate::weights::{CompressedRows, RowView, StoredWeights};
use alloc::{boxed::Box, vec, vec::Vec};
use kompakt_kernels::{Codebook, HAS_STEPS, InSteps, Isa, RowWeights, dense};

/// The levels of a layer, with one for zero.
#[derive(Debug)]
pub(crate) struct DenseBook {
    /// As in the file, the far ones as zeros; after them that of pruned weights, if there are such.
    levels: Codebook,
    /// Those that are far, by their codes, if there are any.
    far: Option<Box<[f32; 256]>>,
}

impl DenseBook {
    pub(super) fn of(weights: &StoredWeights<'_>) -> Self {
        Self::and_in_steps(weights).0
    }

    /// The same, and the levels in steps.
    fn and_in_steps(weights: &StoredWeights<'_>) -> (Self, Option<InSteps>) {
        let levels = weights.codebook();
        let mut table = levels.table()[..levels.n_levels()].to_vec();
        if !weights.is_full() {
            table.push(0.0);
        }
        let levels = Codebook::new(&table);
        let in_steps = levels.in_steps();
        let Some(InSteps { codes, n_far: 1.., .. }) = &in_steps else {
            return (Self { levels, far: None }, in_steps);
        };
        let mut far = Box::new([0.0; 256]);
        for (i, level) in table.iter_mut().enumerate().filter(|(i, _)| codes[*i].is_none()) {
            far[i] = core::mem::take(level);
        }
        (Self { levels: Codebook::new(&table), far: Some(far) }, in_steps)
    }

    /// The bytes of memory that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        1024 + self.far.as_ref().map_or(0, |_| 1024)
    }

    /// A row of the file times a vector; `all` is as long as that.
    pub(super) fn dot(&self, isa: Isa, view: RowView<'_>, all: &mut [u8], x: &[f32]) -> f32 {
        match view {
            RowView::Dense(codes) => {
                let sum = dense::dot_codes(isa, codes, &self.levels, x);
                self.add_far((0..).zip(codes), x, sum)
            }
            RowView::Sparse(cols, RowWeights::Codes(codes)) => {
                all.fill((self.levels.n_levels() - 1) as u8);
                cols.iter().zip(codes).for_each(|(&col, &code)| all[col as usize] = code);
                let sum = dense::dot_codes(isa, all, &self.levels, x);
                self.add_far(cols.iter().copied().zip(codes), x, sum)
            }
            // A layer with values is not run from the file in this form.
            RowView::Sparse(_, RowWeights::Values(_)) => unreachable!("values for a codebook"),
        }
    }

    fn add_far<'a>(&self, row: impl Iterator<Item = (u32, &'a u8)>, x: &[f32], mut sum: f32) -> f32 {
        let Some(far) = self.far.as_ref().filter(|_| HAS_STEPS) else { return sum };
        for (col, &code) in row {
            let level = far[usize::from(code)];
            if level != 0.0 {
                sum += level * x[col as usize];
            }
        }
        sum
    }
}

/// See the [module page](self).
#[derive(Debug)]
pub(crate) struct DenseCodes {
    n_cols: usize,
    book: Codebook,
    /// `[rows, columns]`.
    codes: Vec<u8>,
    /// The start of each row's far weights, then the end of the last; empty where there are none.
    starts: Vec<u32>,
    /// Their columns and values.
    far: Vec<(u32, f32)>,
}

impl DenseCodes {
    pub(super) fn build(rows: &CompressedRows, weights: &StoredWeights<'_>) -> Self {
        let (n_rows, n_cols) = (rows.n_rows(), rows.n_cols());
        let (DenseBook { levels, far }, in_steps) = DenseBook::and_in_steps(weights);
        let (book, stored, zero) = match in_steps {
            Some(InSteps { book, codes, .. }) => {
                let zero = book.zero().unwrap_or(0);
                (book, codes, zero)
            }
            None => {
                let zero = (levels.n_levels() - 1) as u8;
                (levels, core::array::from_fn(|code| Some(code as u8)), zero)
            }
        };
        let mut this = Self { n_cols, book, codes: vec![zero; n_rows * n_cols], starts: vec![], far: vec![] };
        rows.for_each(&mut |row, cols, entries| {
            if HAS_STEPS {
                this.starts.push(this.far.len() as u32);
            }
            let RowWeights::Codes(kept) = entries else { return };
            for (&col, &code) in cols.iter().zip(kept) {
                match stored[usize::from(code)] {
                    // Without steps there is a code for each level.
                    None if HAS_STEPS => {
                        this.far.push((col, far.as_ref().map_or(0.0, |far| far[usize::from(code)])))
                    }
                    stored => this.codes[row * n_cols + col as usize] = stored.unwrap_or(code),
                }
            }
        });
        if this.far.is_empty() {
            this.starts = Vec::new();
        } else {
            this.starts.push(this.far.len() as u32);
            this.far.shrink_to_fit();
        }
        this
    }

    /// A row times a vector of at least so many columns.
    pub(super) fn dot(&self, isa: Isa, row: usize, x: &[f32]) -> f32 {
        let codes = &self.codes[row * self.n_cols..(row + 1) * self.n_cols];
        let sum = dense::dot_codes(isa, codes, &self.book, &x[..self.n_cols]);
        match self.starts.get(row..row + 2) {
            Some(&[start, end]) if HAS_STEPS => self.far[start as usize..end as usize]
                .iter()
                .fold(sum, |sum, &(col, level)| sum + level * x[col as usize]),
            _ => sum,
        }
    }

    /// The bytes of memory that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        self.codes.len() + 1024 + 4 * self.starts.len() + 8 * self.far.len()
    }
}
