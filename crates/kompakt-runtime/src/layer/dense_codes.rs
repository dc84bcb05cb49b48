//! All weights of a layer as codes, pruned ones as zeros, against one vector.
//!
//! ```text
//! levels    -300 ··· -2 -1 1 2 ··· 127        a number of steps in a byte, converted; where there is no step, looked up
//!           far, one by one                   y = sum of codes + sum of the far
//! ```
//!
//! Few levels are far from the others, and few weights have them: those are kept apart, so that a byte is enough for the rest.
//! Rows from the file are summed in the same order, and have the same bits.

use crate::{
    schedule::forms::WEIGHTS_PER_FAR,
    weights::{CompressedRows, RowView, StoredWeights},
};
use alloc::{boxed::Box, vec, vec::Vec};
use kompakt_kernels::{Codebook, HAS_STEPS, InSteps, Isa, RowWeights, dense};

/// The levels of a layer, with one for zero.
#[derive(Debug)]
pub(crate) struct DenseBook {
    /// As in the file, the far ones as zeros; after them that of pruned weights, if there are such.
    levels: Codebook,
    /// Those that are far, by their codes, if there are any.
    far: Option<Box<[f32; 256]>>,
    /// The levels in steps, for rows that are put together here.
    in_steps: Option<Box<InSteps>>,
}

impl DenseBook {
    pub(super) fn of(weights: &StoredWeights<'_>) -> Self {
        let levels = weights.codebook();
        let mut table = levels.table()[..levels.n_levels()].to_vec();
        if !weights.is_full() {
            table.push(0.0);
        }
        let levels = Codebook::new(&table);
        let in_steps = levels.in_steps().map(Box::new);
        let Some(InSteps { codes, n_far: 1.., .. }) = in_steps.as_deref() else {
            return Self { levels, far: None, in_steps };
        };
        let mut far = Box::new([0.0; 256]);
        for (i, level) in table.iter_mut().enumerate().filter(|(i, _)| codes[*i].is_none()) {
            far[i] = core::mem::take(level);
        }
        Self { levels: Codebook::new(&table), far: Some(far), in_steps }
    }

    /// The bytes of memory that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        let in_steps = self.in_steps.as_ref().map_or(0, |_| 1024 + size_of::<InSteps>());
        1024 + self.far.as_ref().map_or(0, |_| 1024) + in_steps
    }

    /// A row of the file times a vector; `all` is as long as that.
    pub(super) fn dot(&self, isa: Isa, view: RowView<'_>, all: &mut [u8], x: &[f32]) -> f32 {
        match view {
            RowView::Dense(codes) => {
                let sum = dense::dot_codes(isa, codes, &self.levels, x);
                self.add_far((0..).zip(codes), x, sum)
            }
            RowView::Sparse(cols, RowWeights::Codes(codes)) => {
                let book = match self.in_steps.as_ref().filter(|_| HAS_STEPS) {
                    None => {
                        all.fill(self.last());
                        cols.iter().zip(codes).for_each(|(&col, &code)| all[col as usize] = code);
                        &self.levels
                    }
                    Some(in_steps) => {
                        let zero = in_steps.book.zero().unwrap_or(0);
                        all.fill(zero);
                        for (&col, &code) in cols.iter().zip(codes) {
                            all[col as usize] = in_steps.codes[usize::from(code)].unwrap_or(zero);
                        }
                        &in_steps.book
                    }
                };
                let sum = dense::dot_codes(isa, all, book, x);
                self.add_far(cols.iter().copied().zip(codes), x, sum)
            }
            // A layer with values is not run from the file in this form.
            RowView::Sparse(_, RowWeights::Values(_)) => unreachable!("values for a codebook"),
        }
    }

    /// The last code: that of zero, where weights are pruned.
    fn last(&self) -> u8 {
        self.levels.n_levels().saturating_sub(1) as u8
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
    far: Far,
}

/// The weights whose levels are far.
#[derive(Debug)]
enum Far {
    None,
    /// The start of each row's, then the end of the last; their columns and values.
    Apart(Vec<u32>, Vec<(u32, f32)>),
    /// More than one of [`WEIGHTS_PER_FAR`] weights: codes are those of the file.
    AsInFile(DenseBook),
}

impl DenseCodes {
    pub(super) fn build(rows: &CompressedRows, weights: &StoredWeights<'_>) -> Self {
        let (n_cols, total) = (rows.n_cols(), rows.n_rows() * rows.n_cols());
        let mut of_file = DenseBook::of(weights);
        let (last, in_steps) = (of_file.last(), of_file.in_steps.take());
        let as_in_file = |far| Self {
            n_cols,
            book: of_file.levels.clone(),
            codes: all_codes(rows, last, &mut |_, _, code| Some(code)),
            far,
        };
        let Some(in_steps) = in_steps else { return as_in_file(Far::None) };
        let InSteps { book, codes, n_far } = *in_steps;
        let zero = book.zero().unwrap_or(0);
        let Some(levels) = of_file.far.as_ref().filter(|_| n_far > 0) else {
            let codes = all_codes(rows, zero, &mut |_, _, code| codes[usize::from(code)]);
            return Self { n_cols, book, codes, far: Far::None };
        };
        let mut n = 0;
        let is_far = |code: &u8| codes[usize::from(*code)].is_none();
        rows.for_each(&mut |_, _, kept| {
            if let RowWeights::Codes(kept) = kept {
                n += kept.iter().filter(|code| is_far(code)).count();
            }
        });
        if n > total / WEIGHTS_PER_FAR {
            let this = as_in_file(Far::None);
            return Self { far: Far::AsInFile(of_file), ..this };
        }
        let (mut starts, mut apart) = (Vec::with_capacity(rows.n_rows() + 1), Vec::with_capacity(n));
        let codes = all_codes(rows, zero, &mut |row, col, code| {
            let stored = codes[usize::from(code)];
            if stored.is_none() {
                starts.resize(row + 1, apart.len() as u32);
                apart.push((col, levels[usize::from(code)]));
            }
            stored
        });
        starts.resize(rows.n_rows() + 1, apart.len() as u32);
        Self { n_cols, book, codes, far: Far::Apart(starts, apart) }
    }

    /// A row times a vector of at least so many columns.
    pub(super) fn dot(&self, isa: Isa, row: usize, x: &[f32]) -> f32 {
        let codes = &self.codes[row * self.n_cols..(row + 1) * self.n_cols];
        let sum = dense::dot_codes(isa, codes, &self.book, &x[..self.n_cols]);
        match &self.far {
            Far::Apart(starts, far) if HAS_STEPS => far[starts[row] as usize..starts[row + 1] as usize]
                .iter()
                .fold(sum, |sum, &(col, level)| sum + level * x[col as usize]),
            Far::AsInFile(book) if HAS_STEPS => book.add_far((0..).zip(codes), x, sum),
            _ => sum,
        }
    }

    /// The bytes of memory that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        let far = match &self.far {
            Far::None => 0,
            Far::Apart(starts, far) => 4 * starts.len() + 8 * far.len(),
            Far::AsInFile(book) => book.n_bytes(),
        };
        self.codes.len() + 1024 + far
    }
}

/// A code for each weight of all rows: `zero` where `stored` has none for a row, a column and a code.
fn all_codes(
    rows: &CompressedRows,
    zero: u8,
    stored: &mut dyn FnMut(usize, u32, u8) -> Option<u8>,
) -> Vec<u8> {
    let n_cols = rows.n_cols();
    let mut codes = vec![zero; rows.n_rows() * n_cols];
    rows.for_each(&mut |row, cols, entries| {
        let RowWeights::Codes(kept) = entries else { return };
        for (&col, &code) in cols.iter().zip(kept) {
            if let Some(code) = stored(row, col, code) {
                codes[row * n_cols + col as usize] = code;
            }
        }
    });
    codes
}
