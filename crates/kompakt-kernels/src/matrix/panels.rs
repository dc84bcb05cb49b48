//! All weights of a matrix, pruned ones as zeros, against windows of positions: for layers that keep most of them.
//!
//! ```text
//! four rows    codes [column][row]  --look up-->  panel of f32 [column][row], in cache, for all positions
//!
//! a column     V vectors of x, each loaded once, times four weights          acc[row][v] += w[row] * x[v]
//! ```
//!
//! A [`TapMatrix`](crate::TapMatrix) loads `x` for every product; here one load serves four, so that the
//! multiplications dominate, whatever the alignment of `x`. Each row is summed column by column in order,
//! with the same bits whatever the window and the other rows.

use crate::{
    Aligned, Codebook, Epilogue, Isa, RowSource, RowWeights, TapLayout, Window,
    isa::{run, run_integers},
    matrix::rows::StoredCodes,
    tile::panel::{AllColumns, GROUP, LookUp, Panels},
};
use alloc::vec::Vec;
use core::ops::Range;

/// Floats of the panels that are expanded together: a part of an L2 cache.
const PANEL_FLOATS: usize = 1 << 15;

/// See the [module page](self).
#[derive(Debug, Clone)]
pub struct PanelMatrix {
    n_rows: usize,
    /// The offset of each column in `x`.
    offsets: Vec<u32>,
    /// The layout's largest: kernels load there unchecked once `x` is known to be long enough. Only `new` and
    /// `reset` write both.
    max_offset: usize,
    /// As in the layout.
    is_in_fours: bool,
    weights: PanelWeights,
    /// Whether values stand for four bytes each.
    holds_bytes: bool,
}

/// `[groups of four rows][columns][4]`, zeros past the last row.
#[derive(Debug, Clone)]
enum PanelWeights {
    Codes(Vec<u8>, Codebook),
    Values(Vec<f32>),
}

/// Scratch memory of [`PanelMatrix::apply`], reused between calls.
#[derive(Debug, Clone, Default)]
pub struct PanelScratch {
    pub(super) panel: Aligned,
}

impl PanelMatrix {
    /// Rows that are run together: a part of the rows should start at a multiple of this.
    pub const ROWS: usize = GROUP;

    /// No rows yet. With a codebook, rows are given as codes, else as values.
    pub fn new(layout: &TapLayout, codebook: Option<Codebook>) -> Self {
        let (offsets, max_offset) = (layout.all_offsets().collect(), layout.max_offset);
        let weights = match codebook {
            Some(book) => PanelWeights::Codes(Vec::new(), book),
            None => PanelWeights::Values(Vec::new()),
        };
        let is_in_fours = layout.is_in_fours;
        Self { n_rows: 0, offsets, max_offset, is_in_fours, weights, holds_bytes: false }
    }

    /// All rows of `source`.
    ///
    /// Panics: if the source breaks what [`RowSource::visit`] promises, has other columns than the layout's, or levels
    /// that leave [no room](Self::can_hold) for a zero.
    pub fn build(layout: &TapLayout, source: &dyn RowSource) -> Self {
        let codes = StoredCodes::of(source);
        let mut this = Self::new(layout, codes.codebook());
        this.holds_bytes = source.holds_bytes();
        this.reserve(source.n_rows());
        codes.visit(source, &mut |row, cols, weights| {
            assert_eq!(row, this.n_rows, "rows in order");
            this.push_row(cols, weights);
        });
        this
    }

    /// Whether there is a code left for pruned weights besides that many levels; `None` levels are values.
    pub fn can_hold(n_levels: Option<usize>, is_full: bool) -> bool {
        is_full || n_levels.is_none_or(|n| n < 256)
    }

    /// Room for that many rows in all.
    pub fn reserve(&mut self, n_rows: usize) {
        let n = n_rows.next_multiple_of(GROUP) * self.offsets.len();
        match &mut self.weights {
            PanelWeights::Codes(codes, _) => codes.reserve_exact(n.saturating_sub(codes.len())),
            PanelWeights::Values(values) => values.reserve_exact(n.saturating_sub(values.len())),
        }
    }

    /// Removes all rows, keeps the memory, and sets a new layout and codebook.
    pub fn reset(&mut self, layout: &TapLayout, codebook: Option<&Codebook>) {
        self.clear();
        self.offsets.clear();
        self.offsets.extend(layout.all_offsets());
        (self.max_offset, self.is_in_fours) = (layout.max_offset, layout.is_in_fours);
        match (&mut self.weights, codebook) {
            (PanelWeights::Codes(_, book), Some(new)) => book.copy_from(new),
            (PanelWeights::Values(_), None) => {}
            (weights, Some(new)) => *weights = PanelWeights::Codes(Vec::new(), new.clone()),
            (weights, None) => *weights = PanelWeights::Values(Vec::new()),
        }
    }

    /// Removes all rows, keeps the memory.
    pub fn clear(&mut self) {
        self.n_rows = 0;
        match &mut self.weights {
            PanelWeights::Codes(codes, _) => codes.clear(),
            PanelWeights::Values(values) => values.clear(),
        }
    }

    /// Appends a row that keeps every column, as codes.
    ///
    /// Panics: if there are not as many as columns, or rows are values.
    pub fn push_full_row(&mut self, all: &[u8]) {
        assert_eq!(all.len(), self.offsets.len(), "codes and columns");
        let (lane, place) = (self.start_row(), self.places());
        match &mut self.weights {
            PanelWeights::Codes(codes, _) => {
                let from = codes.len() - all.len() * GROUP + lane;
                let codes = &mut codes[from..];
                all.iter().enumerate().for_each(|(col, &code)| codes[place(col) * GROUP] = code);
            }
            PanelWeights::Values(_) => panic!("codes for a matrix of values"),
        }
    }

    /// Appends a row: one weight for each of its columns, zeros elsewhere.
    ///
    /// Panics: if a column is not below their number, the lengths differ, codes come without a codebook, or values with
    /// one, or columns are left out and there is [no room](Self::can_hold) for a zero.
    pub fn push_row(&mut self, cols: &[u32], weights: RowWeights<'_>) {
        let n_cols = self.offsets.len();
        assert_eq!(cols.len(), weights.len(), "columns and weights");
        let (lane, place) = (self.start_row(), self.places());
        match (&mut self.weights, weights) {
            (PanelWeights::Codes(all, book), RowWeights::Codes(codes)) => {
                assert!(cols.len() == n_cols || book.zero().is_some(), "no code for a zero");
                let from = all.len() - n_cols * GROUP + lane;
                let all = &mut all[from..];
                cols.iter().zip(codes).for_each(|(&col, &code)| all[place(col as usize) * GROUP] = code);
            }
            (PanelWeights::Values(all), RowWeights::Values(values)) => {
                let from = all.len() - n_cols * GROUP + lane;
                let all = &mut all[from..];
                cols.iter().zip(values).for_each(|(&col, &value)| all[place(col as usize) * GROUP] = value);
            }
            (PanelWeights::Values(_), RowWeights::Codes(_)) => panic!("codes for a matrix of values"),
            (PanelWeights::Codes(..), RowWeights::Values(_)) => panic!("values for a matrix of codes"),
        }
    }

    /// Where a column is among those of a row: kernels of four channels are interleaved, `[channels / 4, 9, 4]`.
    fn places(&self) -> impl Fn(usize) -> usize + use<> {
        let is_in_fours = self.is_in_fours;
        move |col| {
            let (channel, place) = (col / 9, col % 9);
            if is_in_fours { channel / 4 * 36 + place * 4 + channel % 4 } else { col }
        }
    }

    /// Channels whose kernels are interleaved.
    pub(crate) fn channels_together(&self) -> usize {
        if self.is_in_fours { 4 } else { 1 }
    }

    /// Appends a row of zeros; returns its position in its group.
    fn start_row(&mut self) -> usize {
        let (lane, more) = (self.n_rows % GROUP, self.offsets.len() * GROUP);
        if lane == 0 {
            match &mut self.weights {
                // Where no code is zero, every row is whole.
                PanelWeights::Codes(codes, book) => {
                    codes.resize(codes.len() + more, book.zero().unwrap_or(0))
                }
                PanelWeights::Values(values) => values.resize(values.len() + more, 0.0),
            }
        }
        self.n_rows += 1;
        lane
    }

    /// The bytes that [`build`](Self::build) would take.
    pub fn estimate_bytes(n_rows: usize, n_cols: usize, is_coded: bool) -> usize {
        let n = n_rows.next_multiple_of(GROUP) * n_cols;
        n_cols * 4 + if is_coded { n + 1024 } else { n * 4 }
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        self.offsets.capacity() * 4
            + match &self.weights {
                PanelWeights::Codes(codes, _) => codes.capacity() + 1024,
                PanelWeights::Values(values) => values.capacity() * 4,
            }
    }

    /// The bytes of [`PanelScratch`] for a matrix of that size.
    pub fn scratch_bytes(n_rows: usize, n_cols: usize, is_coded: bool) -> usize {
        let n = groups_at_once(n_rows.div_ceil(GROUP), n_cols) * GROUP * n_cols;
        if is_coded { Aligned::estimate_bytes(n) } else { 0 }
    }

    /// The offsets of the columns.
    pub(crate) fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The bytes of each group of rows, `[columns][4]`. Panics: if there are none.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn groups_of_bytes(&self) -> impl Iterator<Item = &[[f32; GROUP]]> {
        let PanelWeights::Values(values) = &self.weights else { panic!("codes as bytes") };
        assert!(self.holds_bytes, "a matrix of bytes");
        values.as_chunks::<GROUP>().0.chunks_exact(self.offsets.len().max(1))
    }

    /// The largest offset.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn max_offset(&self) -> usize {
        self.max_offset
    }

    /// The weights of some groups of rows, `[groups, columns, 4]`.
    pub(crate) fn look_up<'a>(
        &'a self,
        isa: Isa,
        groups: Range<usize>,
        scratch: &'a mut PanelScratch,
    ) -> &'a [f32] {
        let a_group = GROUP * self.offsets.len();
        self.look_up_entries(isa, groups.start * a_group..groups.end * a_group, scratch)
    }

    /// The same of one group, and of some columns in the order in which it has them.
    pub(crate) fn look_up_columns<'a>(
        &'a self,
        isa: Isa,
        group: usize,
        columns: Range<usize>,
        scratch: &'a mut PanelScratch,
    ) -> &'a [f32] {
        let first = group * self.offsets.len();
        self.look_up_entries(isa, GROUP * (first + columns.start)..GROUP * (first + columns.end), scratch)
    }

    fn look_up_entries<'a>(
        &'a self,
        isa: Isa,
        entries: Range<usize>,
        scratch: &'a mut PanelScratch,
    ) -> &'a [f32] {
        match &self.weights {
            PanelWeights::Codes(codes, book) => {
                let panel = scratch.panel.room(entries.len());
                run(isa, LookUp { codes: &codes[entries], book, panel });
                panel
            }
            PanelWeights::Values(values) => &values[entries],
        }
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// `y = epilogue(W x)` over a window of positions, for some rows.
    ///
    /// Shapes: as [`TapMatrix::apply`](crate::TapMatrix::apply). Panics: if `x` or `y` is too short for the window, or there
    /// are no such rows.
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn apply(
        &self,
        isa: Isa,
        rows: Range<usize>,
        x: &[f32],
        scale: usize,
        window: Window,
        epilogue: Epilogue<'_>,
        y: &mut [f32],
        y_plane: usize,
        scratch: &mut PanelScratch,
    ) {
        let size = [self.n_rows, self.max_offset];
        let Some(window) = checked(size, &rows, x, scale, window, epilogue, y, y_plane) else { return };
        let n_cols = self.offsets.len();
        let (first, end) = (rows.start / GROUP, rows.end.div_ceil(GROUP));
        let at_once = groups_at_once(end - first, n_cols);
        for group in (first..end).step_by(at_once) {
            let groups = group..end.min(group + at_once);
            let (panels, _) = self.look_up(isa, groups.clone(), scratch).as_chunks::<GROUP>();
            let first_row = groups.start * GROUP;
            let part = rows.start.max(first_row)..rows.end.min(groups.end * GROUP);
            let y = &mut y[(part.start - rows.start) * y_plane..];
            let (offsets, window) = (&self.offsets[..], &window);
            let rows = part;
            let carry = false;
            let columns = AllColumns { panels, offsets, scale };
            let job = Panels { columns, first_row, rows, x, window, carry, epilogue, y, y_plane };
            if self.holds_bytes { run_integers(isa, job) } else { run(isa, job) }
        }
    }
}

/// The window of a product in as few rows as possible; `None` if there is nothing to do.
///
/// Panics: as [`PanelMatrix::apply`] of a matrix of so many rows, whose largest offset is the second of `size`.
#[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
#[inline(always)]
pub(super) fn checked(
    [n_rows, max_offset]: [usize; 2],
    rows: &Range<usize>,
    x: &[f32],
    scale: usize,
    window: Window,
    epilogue: Epilogue<'_>,
    y: &[f32],
    y_plane: usize,
) -> Option<Window> {
    let window = window.flat();
    assert!(rows.start <= rows.end && rows.end <= n_rows, "rows {rows:?} of {n_rows}");
    epilogue.check(rows.end);
    let (x_reach, y_reach) = (window.reach(window.x_stride), window.reach(window.y_stride));
    if rows.is_empty() || x_reach == 0 {
        return None;
    }
    // Sums and products that do not fit are more than any slice has.
    let y_end = (rows.len() - 1).saturating_mul(y_plane).saturating_add(y_reach);
    let x_end = max_offset.saturating_mul(scale).saturating_add(x_reach);
    assert!(x.len() >= x_end, "x is too short for its window");
    assert!(rows.len() == 1 || y_reach <= y_plane, "planes of y overlap");
    assert!(y.len() >= y_end, "y is too short for its window");
    Some(window)
}

/// Groups whose panels are looked up together.
fn groups_at_once(n_groups: usize, n_cols: usize) -> usize {
    (PANEL_FLOATS / (GROUP * n_cols.max(1))).clamp(1, n_groups.max(1))
}
