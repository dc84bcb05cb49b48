//! All weights of a matrix, pruned ones as zeros, against vectors one after another: `y[v] = W x[v]`.
//!
//! ```text
//! 32 rows    codes [column][row]  --look up-->  panel of f32 [column][row], in cache, for all vectors
//! ```
//!
//! Rows are side by side in the vectors of the machine, so that a vector of numbers is read and its product written as
//! they lie in memory: for the states of a recurrent layer, and for the places of a text or picture that has its
//! features last. Each row is summed column by column in order, with the same bits whatever is run together.

use crate::{
    Codebook, Epilogue, Isa, PanelScratch, RowSource, RowWeights,
    isa::run,
    matrix::rows::StoredCodes,
    tile::{
        lanes::{GROUP, Lanes},
        panel::LookUp,
    },
};
use alloc::vec::Vec;
use core::ops::Range;

/// Floats of the panels that are expanded together: a part of an L2 cache.
const PANEL_FLOATS: usize = 1 << 15;

/// All weights of a matrix, against vectors one after another: `y[v] = W x[v]`. Rows are side by side in the vectors of the
/// machine, so that `x` is read and `y` written as they lie.
#[derive(Debug, Clone)]
pub struct LaneMatrix {
    n_rows: usize,
    n_cols: usize,
    weights: LaneWeights,
}

/// `[groups of 32 rows][columns][32]`, zeros past the last row.
#[derive(Debug, Clone)]
enum LaneWeights {
    Codes(Vec<u8>, Codebook),
    Values(Vec<f32>),
}

impl LaneMatrix {
    /// Rows that are side by side: a part of the rows starts at a multiple of this.
    pub const ROWS: usize = GROUP;

    /// No rows yet. With a codebook, rows are given as codes, else as values.
    pub fn new(n_cols: usize, codebook: Option<Codebook>) -> Self {
        let weights = match codebook {
            Some(book) => LaneWeights::Codes(Vec::new(), book),
            None => LaneWeights::Values(Vec::new()),
        };
        Self { n_rows: 0, n_cols, weights }
    }

    /// All rows of `source`.
    ///
    /// Panics: if the source breaks what [`RowSource::visit`] promises, or has levels that leave
    /// [no room](crate::PanelMatrix::can_hold) for a zero.
    pub fn build(source: &dyn RowSource) -> Self {
        let codes = StoredCodes::of(source);
        let mut this = Self::new(source.n_cols(), codes.codebook());
        this.reserve(source.n_rows());
        codes.visit(source, &mut |row, cols, weights| {
            assert_eq!(row, this.n_rows, "rows in order");
            this.push_row(cols, weights);
        });
        this
    }

    /// Room for that many rows in all.
    pub fn reserve(&mut self, n_rows: usize) {
        let n = n_rows.next_multiple_of(GROUP) * self.n_cols;
        match &mut self.weights {
            LaneWeights::Codes(codes, _) => codes.reserve_exact(n.saturating_sub(codes.len())),
            LaneWeights::Values(values) => values.reserve_exact(n.saturating_sub(values.len())),
        }
    }

    /// Removes all rows, keeps the memory, and sets new columns and codebook.
    pub fn reset(&mut self, n_cols: usize, codebook: Option<&Codebook>) {
        (self.n_rows, self.n_cols) = (0, n_cols);
        match (&mut self.weights, codebook) {
            (LaneWeights::Codes(codes, book), Some(new)) => {
                codes.clear();
                book.copy_from(new);
            }
            (LaneWeights::Values(values), None) => values.clear(),
            (weights, Some(new)) => *weights = LaneWeights::Codes(Vec::new(), new.clone()),
            (weights, None) => *weights = LaneWeights::Values(Vec::new()),
        }
    }

    /// Appends a row that keeps every column, as codes.
    ///
    /// Panics: if there are not as many as columns, or rows are values.
    pub fn push_full_row(&mut self, all: &[u8]) {
        assert_eq!(all.len(), self.n_cols, "codes and columns");
        let from = self.start_row();
        match &mut self.weights {
            LaneWeights::Codes(codes, _) => {
                codes[from..].iter_mut().step_by(GROUP).zip(all).for_each(|(to, &code)| *to = code);
            }
            LaneWeights::Values(_) => panic!("codes for a matrix of values"),
        }
    }

    /// Appends a row: one weight for each of its columns, zeros elsewhere.
    ///
    /// Panics: if a column is not below their number, the lengths differ, codes come without a codebook, or values with
    /// one, or columns are left out and there is [no room](crate::PanelMatrix::can_hold) for a zero.
    pub fn push_row(&mut self, cols: &[u32], weights: RowWeights<'_>) {
        assert_eq!(cols.len(), weights.len(), "columns and weights");
        let from = self.start_row();
        match (&mut self.weights, weights) {
            (LaneWeights::Codes(all, book), RowWeights::Codes(codes)) => {
                assert!(cols.len() == self.n_cols || book.zero().is_some(), "no code for a zero");
                let all = &mut all[from..];
                cols.iter().zip(codes).for_each(|(&col, &code)| all[col as usize * GROUP] = code);
            }
            (LaneWeights::Values(all), RowWeights::Values(values)) => {
                let all = &mut all[from..];
                cols.iter().zip(values).for_each(|(&col, &value)| all[col as usize * GROUP] = value);
            }
            (LaneWeights::Values(_), RowWeights::Codes(_)) => panic!("codes for a matrix of values"),
            (LaneWeights::Codes(..), RowWeights::Values(_)) => panic!("values for a matrix of codes"),
        }
    }

    /// Appends a row of zeros; returns the place of its first weight.
    fn start_row(&mut self) -> usize {
        let (lane, a_group) = (self.n_rows % GROUP, self.n_cols * GROUP);
        let end = (self.n_rows / GROUP + 1) * a_group;
        match &mut self.weights {
            // Where no code is 0, every row is whole, and rows past the last are not used.
            LaneWeights::Codes(codes, book) if lane == 0 => codes.resize(end, book.zero().unwrap_or(0)),
            LaneWeights::Values(values) if lane == 0 => values.resize(end, 0.0),
            LaneWeights::Codes(..) | LaneWeights::Values(_) => {}
        }
        self.n_rows += 1;
        end - a_group + lane
    }

    /// The bytes that [`build`](Self::build) would take.
    pub fn estimate_bytes(n_rows: usize, n_cols: usize, is_coded: bool) -> usize {
        let n = n_rows.next_multiple_of(GROUP) * n_cols;
        if is_coded { n + 1024 } else { n * 4 }
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        match &self.weights {
            LaneWeights::Codes(codes, _) => codes.capacity() + 1024,
            LaneWeights::Values(values) => values.capacity() * 4,
        }
    }

    /// The bytes of [`PanelScratch`] for a matrix of that size.
    pub fn scratch_bytes(n_rows: usize, n_cols: usize, is_coded: bool) -> usize {
        let n = groups_at_once(n_rows.div_ceil(GROUP), n_cols) * GROUP * n_cols;
        if is_coded { crate::Aligned::estimate_bytes(n) } else { 0 }
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// `y[v] = epilogue(W x[v])` for `n` vectors and some rows, the first a multiple of [`ROWS`](Self::ROWS).
    ///
    /// Shapes: `x` `[n, n_cols]`; `y` `[n, y_step]`, of which the first are the rows. Panics: if `x` or `y` is too short,
    /// or there are no such rows.
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn apply(
        &self,
        isa: Isa,
        rows: Range<usize>,
        x: &[f32],
        n: usize,
        epilogue: Epilogue<'_>,
        y: &mut [f32],
        y_step: usize,
        scratch: &mut PanelScratch,
    ) {
        assert!(rows.start.is_multiple_of(GROUP) && rows.end <= self.n_rows, "rows {rows:?}");
        epilogue.check(rows.end);
        if rows.is_empty() || n == 0 {
            return;
        }
        assert!(x.len() >= n.saturating_mul(self.n_cols), "x is too short");
        assert!(rows.len() <= y_step, "vectors of y overlap");
        assert!(y.len() >= (n - 1).saturating_mul(y_step).saturating_add(rows.len()), "y is too short");
        let (first, end) = (rows.start / GROUP, rows.end.div_ceil(GROUP));
        let at_once = match self.weights {
            LaneWeights::Codes(..) => groups_at_once(end - first, self.n_cols),
            LaneWeights::Values(_) => end - first,
        };
        for group in (first..end).step_by(at_once) {
            let groups = group..end.min(group + at_once);
            let part = groups.start * GROUP..rows.end.min(groups.end * GROUP);
            let entries = groups.start * GROUP * self.n_cols..groups.end * GROUP * self.n_cols;
            let panels = match &self.weights {
                LaneWeights::Codes(codes, book) => {
                    let panel = scratch.panel.room(entries.len());
                    run(isa, LookUp { codes: &codes[entries], book, panel });
                    &*panel
                }
                LaneWeights::Values(values) => &values[entries],
            };
            let y = &mut y[part.start - rows.start..];
            let (n_cols, x_step) = (self.n_cols, self.n_cols);
            run(isa, Lanes { panels, n_cols, rows: part, x, x_step, n, epilogue, y, y_step });
        }
    }
}

/// Groups whose panels are looked up together.
fn groups_at_once(n_groups: usize, n_cols: usize) -> usize {
    (PANEL_FLOATS / (GROUP * n_cols.max(1))).clamp(1, n_groups.max(1))
}
