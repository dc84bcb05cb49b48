//! A sparse matrix whose columns are offsets in a plane: convolutions, and linear layers over a batch.
//!
//! ```text
//! y[row][p] = epilogue( sum over kept weights  w * x[offset(column) * scale + p] )        p = the positions of a window
//!
//! convolution  column = (channel, ky, kx)   offset = (channel * height + ky) * width + kx    window [oh, ow]
//! batch        column = input feature       offset = column, scale = images                 window [1, images]
//! ```
//!
//! A kept weight is loaded once and multiplied with an entire window of positions; pruned weights cost
//! nothing. Any stride, dilation and padding is handled by the layout of `x` (see [`crate::planes`]) and the
//! offsets, so one kernel runs all of them. There is no im2col.
//!
//! Columns are cut into blocks whose part of `x` stays in cache, and within a block an offset is a u16. Blocks are
//! run one after the other over all rows, with partial sums in `y`.
#![expect(
    unsafe_code,
    reason = "weights without bounds checks: entries were counted when the form was built"
)]

use crate::{
    Codebook, Epilogue, Isa, RowSource, RowWeights, TapLayout, Window,
    epilogue::RowEpilogue,
    isa::{run, run_integers},
    tile::Products,
};
#[cfg(target_arch = "x86_64")]
use crate::{arch::run_runs, int8::runs};
use alloc::{sync::Arc, vec, vec::Vec};
use core::ops::Range;

/// See the [module page](self).
#[derive(Debug, Clone)]
pub struct TapMatrix {
    layout: Arc<TapLayout>,
    n_rows: usize,
    /// Whether block 0 of all rows comes first: so it is when all rows are known, and memory is read in order. Rows
    /// that are added one by one have all their blocks side by side.
    by_block: bool,
    /// Where each block of each row starts, in that order, then the end.
    starts: Vec<u32>,
    /// Offset of each kept weight from its block's base. The base plus the offset is one of the layout's
    /// offsets, so at most its `max_offset`: kernels load there unchecked once `x` is known to be long
    /// enough. Only `build`, `push_row` and `push_full_row` write here, after [`TapLayout::check`].
    idx: Vec<u16>,
    weights: TapWeights,
    /// Whether values stand for four bytes each.
    holds_bytes: bool,
    /// Whether they are in runs. Only `in_runs` sets it.
    #[cfg(target_arch = "x86_64")]
    is_in_runs: bool,
}

#[derive(Debug, Clone)]
enum TapWeights {
    Codes(Vec<u8>, Codebook),
    Values(Vec<f32>),
}

impl TapMatrix {
    /// No rows yet. With a codebook, rows are given as codes, else as values.
    pub fn new(layout: Arc<TapLayout>, codebook: Option<Codebook>) -> Self {
        let weights = match codebook {
            Some(book) => TapWeights::Codes(Vec::new(), book),
            None => TapWeights::Values(Vec::new()),
        };
        Self {
            layout,
            n_rows: 0,
            by_block: false,
            starts: vec![0],
            idx: Vec::new(),
            weights,
            holds_bytes: false,
            #[cfg(target_arch = "x86_64")]
            is_in_runs: false,
        }
    }

    /// All rows of `source`.
    ///
    /// Panics: if the source breaks what [`RowSource::visit`] promises, or has other columns than the layout's.
    pub fn build(layout: Arc<TapLayout>, source: &dyn RowSource) -> Self {
        assert_eq!(layout.n_cols, source.n_cols(), "columns of layout and source");
        let (n_rows, n_blocks) = (source.n_rows(), layout.n_blocks());
        let mut starts = vec![0u32; n_rows * n_blocks + 1];
        source.visit(&mut |row, cols, _| {
            layout.check(cols);
            for (block, part) in layout.cut(cols) {
                starts[block * n_rows + row + 1] += part.len() as u32;
            }
        });
        let mut n_kept = 0u32;
        for start in &mut starts {
            let Some(sum) = n_kept.checked_add(*start) else { panic!("more than 2^32 entries") };
            n_kept = sum;
            *start = sum;
        }
        let n = n_kept as usize;
        let mut idx = vec![0; n];
        let is_coded = source.is_coded();
        let (mut all_codes, mut all_values) =
            (vec![0u8; if is_coded { n } else { 0 }], vec![0f32; if is_coded { 0 } else { n }]);
        source.visit(&mut |row, cols, weights| {
            layout.check(cols);
            let mut done = 0;
            for (block, part) in layout.cut(cols) {
                let at = starts[block * n_rows + row] as usize;
                for (idx, &col) in idx[at..at + part.len()].iter_mut().zip(part) {
                    *idx = layout.index(block, col);
                }
                let (from, to) = (done..done + part.len(), at..at + part.len());
                match weights {
                    RowWeights::Codes(codes) => all_codes[to].copy_from_slice(&codes[from]),
                    RowWeights::Values(values) => all_values[to].copy_from_slice(&values[from]),
                }
                done += part.len();
            }
        });
        let weights = if is_coded {
            TapWeights::Codes(all_codes, source.codebook().clone())
        } else {
            TapWeights::Values(all_values)
        };
        Self {
            layout,
            n_rows,
            by_block: true,
            starts,
            idx,
            weights,
            holds_bytes: source.holds_bytes(),
            #[cfg(target_arch = "x86_64")]
            is_in_runs: false,
        }
    }

    /// The same with the elements of each block of a row in [runs](runs), for instruction sets that are faster so.
    ///
    /// Panics: unless the matrix was built of bytes.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn in_runs(self) -> Self {
        let TapWeights::Values(values) = &self.weights else { panic!("codes as bytes") };
        assert!(self.holds_bytes && !self.is_in_runs, "a matrix of bytes");
        let (mut starts, mut list) = (vec![0], Vec::with_capacity(values.len()));
        for entries in self.starts.windows(2).map(|pair| pair[0] as usize..pair[1] as usize) {
            let places = self.idx[entries.clone()].iter().map(|&place| u32::from(place));
            let elements: Vec<_> = places.zip(values[entries].iter().map(|&value| [value])).collect();
            runs::append(&elements, &mut list);
            assert!(u32::try_from(list.len()).is_ok(), "more than 2^32 entries");
            starts.push(list.len() as u32);
        }
        // Places are those of some elements.
        let (idx, values) = list.into_iter().map(|(place, [value])| (place as u16, value)).unzip();
        Self { starts, idx, weights: TapWeights::Values(values), is_in_runs: true, ..self }
    }

    /// Room for that many rows and kept weights in all.
    pub fn reserve(&mut self, n_rows: usize, n_kept: usize) {
        let starts = n_rows * self.layout.n_blocks() + 1;
        self.starts.reserve_exact(starts.saturating_sub(self.starts.len()));
        let more = n_kept.saturating_sub(self.idx.len());
        self.idx.reserve_exact(more);
        match &mut self.weights {
            TapWeights::Codes(codes, _) => codes.reserve_exact(more),
            TapWeights::Values(values) => values.reserve_exact(more),
        }
    }

    /// Removes all rows, keeps the memory.
    pub fn clear(&mut self) {
        (self.n_rows, self.by_block) = (0, false);
        #[cfg(target_arch = "x86_64")]
        {
            self.is_in_runs = false;
        }
        self.starts.truncate(1);
        self.idx.clear();
        match &mut self.weights {
            TapWeights::Codes(codes, _) => codes.clear(),
            TapWeights::Values(values) => values.clear(),
        }
    }

    /// Removes all rows, keeps the memory, and sets a new layout and codebook.
    pub fn reset(&mut self, layout: &Arc<TapLayout>, codebook: Option<&Codebook>) {
        self.clear();
        if !Arc::ptr_eq(&self.layout, layout) {
            self.layout = layout.clone();
        }
        match (&mut self.weights, codebook) {
            (TapWeights::Codes(_, book), Some(new)) => book.copy_from(new),
            (TapWeights::Values(_), None) => {}
            (weights, Some(new)) => *weights = TapWeights::Codes(Vec::new(), new.clone()),
            (weights, None) => *weights = TapWeights::Values(Vec::new()),
        }
    }

    /// Appends a row that keeps every column, as codes.
    ///
    /// Panics: as [`push_row`](Self::push_row).
    pub fn push_full_row(&mut self, all: &[u8]) {
        assert!(!self.by_block, "rows are added to a matrix that was made whole");
        let Self { layout, starts, idx, .. } = self;
        assert_eq!(all.len(), layout.n_cols, "codes and columns");
        for block in 0..layout.n_blocks() {
            idx.extend((layout.bounds[block]..layout.bounds[block + 1]).map(|c| layout.index(block, c)));
            assert!(u32::try_from(idx.len()).is_ok(), "more than 2^32 entries");
            starts.push(idx.len() as u32);
        }
        match &mut self.weights {
            TapWeights::Codes(codes, _) => codes.extend_from_slice(all),
            TapWeights::Values(_) => panic!("codes for a matrix of values"),
        }
        self.n_rows += 1;
    }

    /// Appends a row: columns ascending, one weight each.
    ///
    /// Panics: if columns do not ascend or are not below the layout's, the lengths differ, codes come without a codebook,
    /// or there are more than 2^32 entries.
    pub fn push_row(&mut self, cols: &[u32], weights: RowWeights<'_>) {
        assert_eq!(cols.len(), weights.len(), "columns and weights");
        assert!(!self.by_block, "rows are added to a matrix that was made whole");
        let Self { layout, starts, idx, .. } = self;
        layout.check(cols);
        layout.append(cols, idx, |n| starts.push(n as u32));
        assert!(u32::try_from(idx.len()).is_ok(), "more than 2^32 entries");
        match (&mut self.weights, weights) {
            (TapWeights::Codes(all, _), RowWeights::Codes(codes)) => all.extend_from_slice(codes),
            (TapWeights::Values(all), RowWeights::Values(values)) => all.extend_from_slice(values),
            (TapWeights::Values(_), RowWeights::Codes(_)) => panic!("codes for a matrix of values"),
            (TapWeights::Codes(..), RowWeights::Values(_)) => panic!("values for a matrix of codes"),
        }
        self.n_rows += 1;
    }

    /// The bytes that [`build`](Self::build) would need, without the layout.
    pub fn estimate_bytes(layout: &TapLayout, n_rows: usize, n_kept: usize, is_coded: bool) -> usize {
        let weights = if is_coded { n_kept * 3 + 1024 } else { n_kept * 6 };
        weights + (n_rows * layout.n_blocks() + 1) * 4
    }

    /// The bytes it holds, without the layout.
    pub fn n_bytes(&self) -> usize {
        let weights = match &self.weights {
            TapWeights::Codes(codes, _) => codes.capacity() + 1024,
            TapWeights::Values(values) => values.capacity() * 4,
        };
        self.idx.capacity() * 2 + weights + self.starts.capacity() * 4
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Columns.
    pub(crate) fn n_cols(&self) -> usize {
        self.layout.n_cols
    }

    /// A row's weights, zeros among them. Panics: unless columns follow each other and lie in one block.
    #[inline(always)]
    pub(crate) fn spread_row(&self, row: usize, to: &mut [f32]) {
        assert!(self.layout.places.is_none() && self.layout.n_blocks() == 1, "a layout of one block");
        let entries = self.starts[row] as usize..self.starts[row + 1] as usize;
        match &self.weights {
            TapWeights::Codes(codes, book) => {
                let codes = &codes[entries.clone()];
                self.idx[entries].iter().zip(codes).for_each(|(&i, &c)| to[usize::from(i)] = book.value(c));
            }
            TapWeights::Values(values) => {
                let values = &values[entries.clone()];
                self.idx[entries].iter().zip(values).for_each(|(&i, &v)| to[usize::from(i)] = v);
            }
        }
    }

    /// Kept weights.
    pub fn n_kept(&self) -> usize {
        self.idx.len()
    }

    /// `y = epilogue(W x)` over a window of positions, for some rows.
    ///
    /// Shapes: see the [module page](self); `y` is one plane of `y_plane` floats for each row of `rows`, first to
    /// last; `epilogue` counts rows from the matrix's first.
    /// Panics: if `x` or `y` is too short for the window, or there are no such rows.
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
    ) {
        let window = window.flat();
        assert!(rows.start <= rows.end && rows.end <= self.n_rows, "rows {rows:?} of {}", self.n_rows);
        epilogue.check(rows.end);
        let (x_reach, y_reach) = (window.reach(window.x_stride), window.reach(window.y_stride));
        if rows.is_empty() || x_reach == 0 {
            return;
        }
        // Sums and products that do not fit are more than any slice has.
        let x_end = self.layout.max_offset.saturating_mul(scale).saturating_add(x_reach);
        let y_end = (rows.len() - 1).saturating_mul(y_plane).saturating_add(y_reach);
        assert!(x.len() >= x_end, "x is too short for its window");
        assert!(rows.len() == 1 || y_reach <= y_plane, "planes of y overlap");
        assert!(y.len() >= y_end, "y is too short for its window");
        let n_blocks = self.layout.n_blocks();
        // Strides of rows and of blocks in `starts`.
        let (row_step, block_step) = if self.by_block { (1, self.n_rows) } else { (n_blocks, 1) };
        for block in 0..n_blocks {
            let part = Part {
                starts: &self.starts[block * block_step..],
                row_step,
                x: &x[self.layout.bases[block] as usize * scale..],
                scale,
                window,
                carry: block > 0,
                epilogue: (block + 1 == n_blocks).then_some(epilogue),
                y_plane,
            };
            // The weights of one block of some rows.
            let (idx, rows) = (&self.idx[..], rows.clone());
            match &self.weights {
                TapWeights::Codes(codes, book) => {
                    run(isa, Products::new(idx, Coded { codes, table: book.table() }, rows, &part, y));
                }
                #[cfg(target_arch = "x86_64")]
                TapWeights::Values(values) if self.is_in_runs => {
                    run_runs(isa, Products::new(idx, InRuns(Plain(values)), rows, &part, y));
                }
                TapWeights::Values(values) if self.holds_bytes => {
                    run_integers(isa, Products::new(idx, Plain(values), rows, &part, y));
                }
                TapWeights::Values(values) => run(isa, Products::new(idx, Plain(values), rows, &part, y)),
            }
        }
    }
}

/// One block of columns, with the data common to its rows. Checked by [`TapMatrix::apply`]: the windows of
/// all taps of the block are within `x`.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// Row `r` has the entries `starts[r * row_step] .. starts[r * row_step + 1]`.
    pub(crate) starts: &'a [u32],
    pub(crate) row_step: usize,
    pub(crate) x: &'a [f32],
    pub(crate) scale: usize,
    pub(crate) window: Window,
    /// Whether `y` holds the sums so far.
    pub(crate) carry: bool,
    /// The epilogue, after the last block.
    pub(crate) epilogue: Option<Epilogue<'a>>,
    pub(crate) y_plane: usize,
}

impl Part<'_> {
    #[inline(always)]
    pub(crate) fn taps(&self, row: usize) -> Range<usize> {
        let at = row * self.row_step;
        self.starts[at] as usize..self.starts[at + 1] as usize
    }

    #[inline(always)]
    pub(crate) fn epilogue(&self, row: usize) -> RowEpilogue {
        self.epilogue.as_ref().map_or(RowEpilogue::NONE, |e| e.row(row))
    }
}

/// Weights by number.
pub(crate) trait IndexedWeights: Copy {
    /// Whether they are looked up in a codebook.
    const ARE_CODED: bool;
    /// Whether they are bytes in stretches of runs, after their heads.
    const ARE_RUNS: bool = false;
    /// How many.
    fn len(self) -> usize;
    /// # Safety
    /// `i` is below their number.
    unsafe fn get(self, i: usize) -> f32;
}

#[derive(Clone, Copy)]
pub(crate) struct Coded<'a> {
    codes: &'a [u8],
    table: &'a [f32; 256],
}

#[derive(Clone, Copy)]
pub(crate) struct Plain<'a>(&'a [f32]);

/// Bytes in [runs](crate::int8::runs).
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct InRuns<'a>(Plain<'a>);

#[cfg(target_arch = "x86_64")]
impl IndexedWeights for InRuns<'_> {
    const ARE_CODED: bool = false;
    const ARE_RUNS: bool = true;
    #[inline(always)]
    fn len(self) -> usize {
        self.0.len()
    }
    #[inline(always)]
    unsafe fn get(self, i: usize) -> f32 {
        // SAFETY: passed on.
        unsafe { self.0.get(i) }
    }
}

impl IndexedWeights for Coded<'_> {
    const ARE_CODED: bool = true;
    #[inline(always)]
    fn len(self) -> usize {
        self.codes.len()
    }
    #[inline(always)]
    unsafe fn get(self, i: usize) -> f32 {
        // SAFETY: promised by the caller; a byte is an index of 256 entries.
        unsafe { *self.table.get_unchecked(usize::from(*self.codes.get_unchecked(i))) }
    }
}

impl IndexedWeights for Plain<'_> {
    const ARE_CODED: bool = false;
    #[inline(always)]
    fn len(self) -> usize {
        self.0.len()
    }
    #[inline(always)]
    unsafe fn get(self, i: usize) -> f32 {
        // SAFETY: promised by the caller.
        unsafe { *self.0.get_unchecked(i) }
    }
}
