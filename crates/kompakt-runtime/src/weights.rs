//! The weights of one layer: where the file has them, and decoded.
//!
//! ```text
//! tier direct    tiles of packed rows     ─┐ for_rows: row by row, at every run (a layer that runs from the file)
//! tier stream    tiles, decoded whole     ─┤
//!                                          └ take_rows: all rows, once ─► CompressedRows ─► any form in memory
//! tier smallest  decoded when it is opened ──────────────────────────────┘
//! ```

mod kept;
mod open;
mod parameters;
mod row_view;
mod rows;
mod stream;
mod table;

pub(crate) use kept::{Kept, ScaleAndBias, Source as KeptSource};
pub use parameters::Parameters;
pub(crate) use row_view::{RowScratch, RowView};
pub use rows::CompressedRows;
pub(crate) use stream::SharedTables;
pub(crate) use table::Table;

use crate::error::RuntimeError;
use alloc::vec::Vec;
use core::ops::Range;
use kompakt_entropy::direct::TileRef;
use kompakt_kernels::{Codebook, Isa, Levels, Part};
use stream::StreamTiles;

/// The density from which the number of kept weights must be exact, given rows and columns and the levels.
pub(crate) type ExactFrom<'a> = dyn Fn([usize; 2], Levels) -> f64 + 'a;

/// A weight, `[rows, cols]`: rows are output units, columns all else.
#[derive(Debug)]
pub(crate) struct StoredWeights<'m> {
    pub(crate) n_rows: usize,
    pub(crate) n_cols: usize,
    /// Kept weights; about, where only decoding would tell.
    pub(crate) n_kept: usize,
    /// The same, at most.
    most_kept: usize,
    /// Multiplier for the number of rows unpacked together.
    pub(crate) more_at_once: usize,
    /// Columns and codes of a row that are assembled here; empty where a tile's decoder has them.
    row_room: usize,
    is_full: bool,
    /// An upper bound for the weights that a row keeps.
    max_row_kept: usize,
    /// Bytes of the file that hold its rows.
    pub(crate) file_bytes: usize,
    codebook: Codebook,
    /// Whether its levels are whole numbers of a step.
    in_steps: Part,
    is_coded: bool,
    source: Source<'m>,
    /// If kept weights were counted: how many there were before, about and at most.
    counted_from: Option<(usize, usize)>,
    /// All rows, if they have been decoded already.
    decoded: Option<CompressedRows>,
}

/// The source of rows.
#[derive(Debug, Clone)]
enum Source<'m> {
    /// Tiles of the tier `direct`, read in place.
    Direct { rows_per_tile: usize, tiles: Vec<TileRef<'m>>, isa: Isa },
    /// Tiles of the tier `stream`.
    Stream(StreamTiles<'m>),
    /// Decoded completely when the weights were opened.
    Decoded,
}

#[cfg(test)]
std::thread_local! {
    /// Tiles of the tier `stream` that this thread has decoded.
    static DECODED_TILES: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

impl<'m> StoredWeights<'m> {
    /// All rows, decoded in one pass over the file unless they have been already.
    ///
    /// Errors: a tile that cannot be decoded.
    pub(crate) fn take_rows(&mut self) -> Result<CompressedRows, RuntimeError> {
        match self.decoded.take() {
            Some(rows) => Ok(rows),
            None => self.decode(),
        }
    }

    /// Whether there are rows to take.
    pub(crate) fn has_rows(&self) -> bool {
        self.decoded.is_some() || self.is_in_place()
    }

    /// The same weights, without the rows that are decoded.
    pub(crate) fn again(&self) -> Self {
        Self { codebook: self.codebook.clone(), source: self.source.clone(), decoded: None, ..*self }
    }

    /// Whether the number of kept weights must be exact; see [`open`](Self::open).
    pub(crate) fn needs_count(&self, exact_from: &ExactFrom<'_>) -> bool {
        let (shape, all) = ([self.n_rows, self.n_cols], (self.n_rows * self.n_cols) as f64);
        matches!(self.source, Source::Stream(_))
            && !self.is_full
            && self.levels().is_some_and(|levels| self.most_kept as f64 >= exact_from(shape, levels) * all)
    }

    /// How many kept weights there were before they were counted, about and at most.
    pub(crate) fn was_counted(&self) -> Option<(usize, usize)> {
        self.counted_from
    }

    /// The same weights before they were counted.
    pub(crate) fn before_count(&self, (n_kept, most_kept): (usize, usize)) -> Self {
        Self { n_kept, most_kept, is_full: false, counted_from: None, ..self.again() }
    }

    /// Gives the rows back that [`take_rows`](Self::take_rows) took.
    pub(crate) fn put_back(&mut self, rows: CompressedRows) {
        self.decoded = Some(rows);
    }

    /// Takes the exact number of kept weights from its rows.
    pub(crate) fn is_counted(&mut self, rows: &CompressedRows) {
        (self.n_kept, self.most_kept) = (rows.n_kept(), rows.n_kept());
        self.is_full = self.n_kept == self.n_rows * self.n_cols;
    }

    fn decode(&self) -> Result<CompressedRows, RuntimeError> {
        let mut rows = CompressedRows::new(self.n_cols, self.codebook.clone(), true);
        rows.reserve(self.n_rows, self.n_kept.min(self.n_rows * self.n_cols));
        self.for_all_rows(&mut |_, view| match view {
            RowView::Dense(codes) => rows.push_full(codes),
            RowView::Sparse(cols, weights) => rows.push(cols, weights),
        })?;
        Ok(rows)
    }

    fn for_all_rows(&self, visit: &mut dyn FnMut(usize, RowView<'_>)) -> Result<(), RuntimeError> {
        let mut scratch = RowScratch::default();
        self.for_rows(0..self.n_rows, &mut scratch, visit);
        scratch.error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Calls `visit` for some rows of the file, first to last, without allocating if `scratch` is large enough.
    pub(crate) fn for_rows(
        &self,
        rows: Range<usize>,
        scratch: &mut RowScratch,
        visit: &mut dyn FnMut(usize, RowView<'_>),
    ) {
        scratch.reserve(self.row_room);
        match &self.source {
            Source::Direct { rows_per_tile, tiles, isa } => {
                let mut row = rows.start;
                while row < rows.end {
                    let (tile, first) = (row / rows_per_tile, row / rows_per_tile * rows_per_tile);
                    let Some(tile) = tiles.get(tile) else { return };
                    for packed in tile.rows_from(row - first).take(rows.end - row) {
                        visit(row, scratch.unpack(*isa, packed, self.n_cols));
                        row += 1;
                    }
                }
            }
            Source::Stream(tiles) => tiles.for_rows(self.n_cols, rows, scratch, visit),
            // These never run from the file.
            Source::Decoded => {}
        }
    }

    /// Whether rows can be read from the file at every run.
    pub(crate) fn is_in_place(&self) -> bool {
        matches!(self.source, Source::Direct { .. } | Source::Stream(_))
    }

    /// Whether nothing is pruned.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The values behind codes; empty where rows carry values.
    pub(crate) fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// Whether rows carry codes.
    pub(crate) fn is_coded(&self) -> bool {
        self.is_coded
    }

    /// What costs depend on of the codebook, if there is one.
    pub(crate) fn levels(&self) -> Option<Levels> {
        self.is_coded.then_some(Levels { n: self.codebook.n_levels(), in_steps: self.in_steps })
    }

    /// How many levels the codebook has, if there is one.
    pub(crate) fn n_levels(&self) -> Option<usize> {
        self.is_coded.then_some(self.codebook.n_levels())
    }

    /// Rows that are unpacked together: complete tiles where a tile is decoded as a unit, else few enough to
    /// stay in cache.
    pub(crate) fn rows_at_once(&self) -> usize {
        const ENTRIES: usize = 1 << 14;
        let few = ENTRIES.div_ceil(self.max_row_kept.max(1));
        let rows = match &self.source {
            Source::Stream(StreamTiles { rows_per_tile, .. }) => *rows_per_tile,
            Source::Direct { rows_per_tile, .. } => few.min(*rows_per_tile),
            Source::Decoded => few,
        };
        rows * self.more_at_once.min(self.n_rows.div_ceil(rows))
    }

    /// Kept weights of the rows that are unpacked together, at most.
    pub(crate) fn max_kept_at_once(&self) -> usize {
        match &self.source {
            Source::Stream(tiles) => tiles.max_kept * self.rows_at_once() / tiles.rows_per_tile,
            Source::Direct { .. } | Source::Decoded => self.rows_at_once() * self.max_row_kept,
        }
    }

    /// Bytes that unpacking needs besides the rows themselves.
    pub(crate) fn unpack_bytes(&self) -> usize {
        let row = 5 * self.row_room;
        match &self.source {
            Source::Stream(tiles) => row + tiles.decoder_bytes,
            Source::Direct { .. } | Source::Decoded => row,
        }
    }
}
