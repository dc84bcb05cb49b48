//! The weights of one layer where the file has them.

use crate::error::RuntimeError;
use kompakt_entropy::{
    direct::{Row, TileRef},
    stream::{self, TileDecoder},
};
use kompakt_format::{Container, Decoded, FormatError, Numbers, Pool, SectionKind, Tile, rows_and_cols};
use kompakt_kernels::{Codebook, RowSource, RowWeights};
use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

/// A weight, `[rows, cols]`: rows are output units, columns all else.
#[derive(Debug)]
pub(crate) struct Weights<'m> {
    pub(crate) n_rows: usize,
    pub(crate) n_cols: usize,
    /// Kept weights; about, where only decoding would tell.
    pub(crate) n_kept: usize,
    /// The same, at most.
    most_kept: usize,
    /// How many times the usual number of rows is unpacked together.
    pub(crate) more_at_once: usize,
    /// Columns and codes of a row that are put together here; nothing where a tile's decoder has them.
    row_room: usize,
    /// Whether nothing is pruned.
    full: bool,
    /// The most that one row keeps, or more.
    pub(crate) max_row_kept: usize,
    /// Bytes of the file that hold its rows.
    pub(crate) file_bytes: usize,
    book: Codebook,
    stored: Stored<'m>,
    /// A tile that could not be decoded while all rows were visited.
    broken: OnceLock<FormatError>,
}

#[derive(Debug)]
enum Stored<'m> {
    /// Tiles of the tier `direct`, read where they lie.
    Tiles { rows_per_tile: usize, tiles: Vec<TileRef<'m>> },
    /// Tiles of the tier `stream`, each decoded whole when one of its rows is asked for.
    Streamed(Streamed<'m>),
    /// Decoded: `[rows, cols]` codes and mask.
    Codes { codes: Vec<u8>, mask: Option<Vec<bool>> },
    /// Decoded: a number for each kept weight, `row_starts[r]` of them before row `r`, and the mask.
    Values { values: Vec<f32>, mask: Option<Vec<bool>>, row_starts: Vec<usize> },
}

#[derive(Debug)]
struct Streamed<'m> {
    rows_per_tile: usize,
    tiles: Vec<Tile<'m>>,
    tables: Arc<stream::Tables>,
    /// Levels below zero.
    n_negative: usize,
    /// The most that a tile keeps.
    max_kept: usize,
    /// Bytes of a decoder that has decoded all of them.
    decoder_bytes: usize,
}

/// Tables of the tier `stream`, parsed once for all layers that need them.
#[derive(Debug, Default)]
pub(crate) struct SharedTables(Option<Arc<stream::Tables>>);

impl SharedTables {
    /// The bytes they hold; they are kept as long as a layer is run from the file.
    pub(crate) fn n_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |tables| tables.n_bytes())
    }

    fn get(&mut self, container: &Container<'_>) -> Result<Arc<stream::Tables>, RuntimeError> {
        if let Some(tables) = &self.0 {
            return Ok(tables.clone());
        }
        let tables = Arc::new(container.stream_tables()?);
        self.0 = Some(tables.clone());
        Ok(tables)
    }
}

/// What reading a row needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowScratch {
    cols: Vec<u32>,
    codes: Vec<u8>,
    decoder: Option<TileDecoder>,
    /// A tile that could not be decoded: the file has changed since it was opened.
    pub(crate) error: Option<FormatError>,
}

impl RowScratch {
    /// Room for rows of that many kept weights.
    pub(crate) fn reserve(&mut self, n: usize) {
        if self.cols.len() < n {
            self.cols.resize(n, 0);
            self.codes.resize(n, 0);
        }
    }
}

/// One row, ready to be multiplied.
pub(crate) enum RowView<'a> {
    /// Every weight has a code.
    Dense(&'a [u8]),
    /// The kept weights.
    Sparse(&'a [u32], RowWeights<'a>),
}

impl<'m> Weights<'m> {
    /// Finds parameter `index` in the file. Tiles stay where they are; anything else is decoded.
    ///
    /// `exact_from`: the density from which on the number of kept weights has to be exact, by how many levels there
    /// are.
    ///
    /// Errors: its sections are broken.
    pub(crate) fn open(
        container: &Container<'m>,
        index: usize,
        exact_from: &dyn Fn(usize) -> f64,
        pool: &mut Pool,
        tables: &mut SharedTables,
    ) -> Result<Self, RuntimeError> {
        let (n_rows, n_cols) = rows_and_cols(&container.graph().params()[index].shape);
        let in_tiles = tiles(container, index).zip(pool.codebook(index));
        if let Some((TilesOf { kind, rows_per_tile, tiles }, codebook)) = in_tiles {
            let mut this = Self {
                n_rows,
                n_cols,
                n_kept: 0,
                most_kept: 0,
                more_at_once: 1,
                row_room: 0,
                full: false,
                max_row_kept: 0,
                file_bytes: tiles.iter().map(|t| t.bytes.len()).sum(),
                book: Codebook::new(&codebook.to_f32()),
                stored: Stored::Tiles { rows_per_tile, tiles: Vec::new() },
                broken: OnceLock::new(),
            };
            match kind {
                TileKind::Direct => this.open_direct(rows_per_tile, tiles)?,
                TileKind::Stream => {
                    this.open_stream(rows_per_tile, tiles, tables.get(container)?, codebook)?;
                    let exact_from = exact_from(this.book.n_levels());
                    if !this.full && this.most_kept as f64 >= exact_from * (n_rows * n_cols) as f64 {
                        this.count()?;
                    }
                }
            }
            return Ok(this);
        }
        let decoded = match pool.take(index) {
            Some(decoded) => decoded,
            None => container.decode_parameter(index, pool)?,
        };
        Ok(Self::decoded(decoded, n_rows, n_cols))
    }

    fn open_direct(&mut self, rows_per_tile: usize, tiles: Vec<Tile<'m>>) -> Result<(), RuntimeError> {
        let tiles: Vec<TileRef<'m>> = tiles.iter().map(Tile::direct).collect::<Result<_, _>>()?;
        self.n_kept = tiles.iter().map(TileRef::n_kept).sum();
        self.most_kept = self.n_kept;
        self.full = self.n_kept == self.n_rows * self.n_cols;
        self.max_row_kept = tiles.iter().map(TileRef::max_row_kept).max().unwrap_or(0);
        self.row_room = if self.full { self.n_cols } else { self.max_row_kept };
        self.stored = Stored::Tiles { rows_per_tile, tiles };
        Ok(())
    }

    /// Reads what tiles say of themselves. Nothing is decoded: opening costs the same whatever is in them.
    fn open_stream(
        &mut self,
        rows_per_tile: usize,
        tiles: Vec<Tile<'m>>,
        tables: Arc<stream::Tables>,
        codebook: &Numbers,
    ) -> Result<(), RuntimeError> {
        let n_negative = codebook.n_negative();
        let (mut max_kept, mut decoder_bytes) = (0, 0);
        self.full = true;
        let mut has_zeros = false;
        for tile in &tiles {
            let size = tile.stream_size(&tables)?;
            self.full &= size.is_full;
            has_zeros |= size.is_dense && !size.is_full;
            self.n_kept += size.about_kept;
            self.most_kept += size.max_kept;
            max_kept = max_kept.max(size.about_kept + size.about_kept / 64);
            decoder_bytes = decoder_bytes.max(size.decoder_bytes);
        }
        self.max_row_kept = self.n_cols.min(max_kept);
        self.row_room = if has_zeros { self.n_cols } else { 0 };
        self.stored =
            Stored::Streamed(Streamed { rows_per_tile, tiles, tables, n_negative, max_kept, decoder_bytes });
        Ok(())
    }

    /// Decodes all to count what is kept.
    fn count(&mut self) -> Result<(), RuntimeError> {
        let mut n_kept = 0;
        self.visit(&mut |_, cols, _| n_kept += cols.len());
        (self.n_kept, self.most_kept) = (n_kept, n_kept);
        self.full = n_kept == self.n_rows * self.n_cols;
        self.check()
    }

    /// Whether all rows were there when they were visited.
    ///
    /// Errors: a tile that could not be decoded.
    pub(crate) fn check(&self) -> Result<(), RuntimeError> {
        self.broken.get().map_or(Ok(()), |error| Err(error.clone().into()))
    }

    /// Kept weights of the rows that are unpacked together, at most.
    pub(crate) fn max_kept_at_once(&self) -> usize {
        match &self.stored {
            Stored::Streamed(streamed) => streamed.max_kept * self.rows_at_once() / streamed.rows_per_tile,
            _ => self.rows_at_once() * self.max_row_kept,
        }
    }

    fn decoded(decoded: Decoded, n_rows: usize, n_cols: usize) -> Self {
        let kept_in_row = |mask: &Option<Vec<bool>>, row: usize| match mask {
            None => n_cols,
            Some(mask) => mask[row * n_cols..(row + 1) * n_cols].iter().filter(|&&k| k).count(),
        };
        let counts =
            |mask: &Option<Vec<bool>>| -> Vec<usize> { (0..n_rows).map(|r| kept_in_row(mask, r)).collect() };
        let (book, stored, counts) = match decoded {
            Decoded::Shared { codebook, weights } => {
                let counts = counts(&weights.mask);
                let book = Codebook::new(&codebook.to_f32());
                (book, Stored::Codes { codes: weights.codes, mask: weights.mask }, counts)
            }
            Decoded::Dense { numbers, mask } => {
                let counts = counts(&mask);
                let mut row_starts = vec![0];
                for &n in &counts {
                    row_starts.push(row_starts[row_starts.len() - 1] + n);
                }
                (Codebook::new(&[]), Stored::Values { values: numbers.to_f32(), mask, row_starts }, counts)
            }
        };
        Self {
            n_rows,
            n_cols,
            n_kept: counts.iter().sum(),
            most_kept: counts.iter().sum(),
            more_at_once: 1,
            row_room: n_cols,
            full: counts.iter().sum::<usize>() == n_rows * n_cols,
            max_row_kept: counts.iter().copied().max().unwrap_or(0),
            file_bytes: 0,
            book,
            stored,
            broken: OnceLock::new(),
        }
    }

    /// Whether rows can be read from the file at every run.
    pub(crate) fn is_in_place(&self) -> bool {
        matches!(self.stored, Stored::Tiles { .. } | Stored::Streamed(_))
    }

    /// Whether nothing is pruned.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Rows that are unpacked together: whole tiles where a tile is decoded as a whole, else few enough to stay in
    /// cache.
    pub(crate) fn rows_at_once(&self) -> usize {
        const ENTRIES: usize = 1 << 14;
        let few = ENTRIES.div_ceil(self.max_row_kept.max(1));
        let rows = match &self.stored {
            Stored::Streamed(Streamed { rows_per_tile, .. }) => *rows_per_tile,
            Stored::Tiles { rows_per_tile, .. } => few.min(*rows_per_tile),
            _ => few,
        };
        rows * self.more_at_once.min(self.n_rows.div_ceil(rows))
    }

    /// Bytes that unpacking takes beside the rows themselves.
    pub(crate) fn unpack_bytes(&self) -> usize {
        let row = 5 * self.row_room;
        match &self.stored {
            Stored::Streamed(streamed) => row + streamed.decoder_bytes,
            _ => row,
        }
    }

    /// How many levels the codebook has, if there is one.
    pub(crate) fn n_levels(&self) -> Option<usize> {
        self.is_coded().then_some(self.book.n_levels())
    }

    /// Calls `visit` for some rows, first to last, without allocating if `scratch` is large enough.
    pub(crate) fn for_rows(
        &self,
        rows: Range<usize>,
        scratch: &mut RowScratch,
        visit: &mut dyn FnMut(usize, RowView<'_>),
    ) {
        scratch.reserve(self.row_room);
        match &self.stored {
            Stored::Tiles { rows_per_tile, tiles } => {
                let mut row = rows.start;
                while row < rows.end {
                    let (tile, first) = (row / rows_per_tile, row / rows_per_tile * rows_per_tile);
                    let Some(tile) = tiles.get(tile) else { return };
                    for packed in tile.rows_from(row - first).take(rows.end - row) {
                        visit(row, unpack(packed, scratch, self.n_cols));
                        row += 1;
                    }
                }
            }
            Stored::Streamed(streamed) => self.for_streamed_rows(streamed, rows, scratch, visit),
            Stored::Codes { codes, mask } => {
                for row in rows {
                    let at = row * self.n_cols..(row + 1) * self.n_cols;
                    let codes = &codes[at.clone()];
                    match mask {
                        None => visit(row, RowView::Dense(codes)),
                        Some(mask) => {
                            let n =
                                gather(&mask[at], scratch, |scratch, n, col| scratch.codes[n] = codes[col]);
                            visit(
                                row,
                                RowView::Sparse(&scratch.cols[..n], RowWeights::Codes(&scratch.codes[..n])),
                            );
                        }
                    }
                }
            }
            Stored::Values { values, mask, row_starts } => {
                for row in rows {
                    let at = row * self.n_cols..(row + 1) * self.n_cols;
                    let n = match mask {
                        Some(mask) => gather(&mask[at], scratch, |_, _, _| {}),
                        None => {
                            (0..self.n_cols).for_each(|col| scratch.cols[col] = col as u32);
                            self.n_cols
                        }
                    };
                    let values = &values[row_starts[row]..row_starts[row + 1]];
                    visit(row, RowView::Sparse(&scratch.cols[..n], RowWeights::Values(values)));
                }
            }
        }
    }
}

impl Weights<'_> {
    fn for_streamed_rows(
        &self,
        streamed: &Streamed<'_>,
        rows: Range<usize>,
        scratch: &mut RowScratch,
        visit: &mut dyn FnMut(usize, RowView<'_>),
    ) {
        let RowScratch { cols, codes, decoder, error } = scratch;
        let decoder = decoder.get_or_insert_with(|| TileDecoder::new(streamed.tables.isa()));
        let mut row = rows.start;
        while row < rows.end {
            let Some(tile) = streamed.tiles.get(row / streamed.rows_per_tile) else { return };
            let end = rows.end.min(tile.first_row + tile.shape.rows).max(row + 1);
            let local = row.saturating_sub(tile.first_row)..end.saturating_sub(tile.first_row);
            match tile.stream(decoder, streamed.n_negative, &streamed.tables) {
                Err(broken) => {
                    *error = Some(broken);
                    return;
                }
                Ok(stream::Tile::Sparse(sparse)) => {
                    for (r, (cols, codes)) in sparse.rows().enumerate().take(local.end).skip(local.start) {
                        visit(tile.first_row + r, RowView::Sparse(cols, RowWeights::Codes(codes)));
                    }
                }
                Ok(stream::Tile::Dense { symbols, has_zero }) => {
                    let rows = symbols.chunks_exact(self.n_cols.max(1)).enumerate();
                    for (r, symbols) in rows.take(local.end).skip(local.start) {
                        if has_zero {
                            let n = nonzero(symbols, cols, codes);
                            let entries = RowWeights::Codes(&codes[..n]);
                            visit(tile.first_row + r, RowView::Sparse(&cols[..n], entries));
                        } else {
                            visit(tile.first_row + r, RowView::Dense(symbols));
                        }
                    }
                }
            }
            row = end;
        }
    }
}

/// Symbol `c + 1` is code `c`, 0 is a pruned weight: writes columns and codes of the rest. Says how many.
fn nonzero(symbols: &[u8], cols: &mut [u32], codes: &mut [u8]) -> usize {
    let mut n = 0;
    for (col, &symbol) in symbols.iter().enumerate().filter(|(_, s)| **s > 0) {
        (cols[n], codes[n]) = (col as u32, symbol - 1);
        n += 1;
    }
    n
}

/// Writes the columns that a mask keeps to the front of `scratch.cols`.
fn gather(
    mask: &[bool],
    scratch: &mut RowScratch,
    mut also: impl FnMut(&mut RowScratch, usize, usize),
) -> usize {
    let mut n = 0;
    for (col, &kept) in mask.iter().enumerate() {
        if kept {
            scratch.cols[n] = col as u32;
            also(scratch, n, col);
            n += 1;
        }
    }
    n
}

fn unpack<'s>(row: Row<'_>, scratch: &'s mut RowScratch, n_cols: usize) -> RowView<'s> {
    if let Row::Dense(dense) = row
        && !dense.has_zero()
    {
        let codes = &mut scratch.codes[..n_cols];
        dense.unpack(codes);
        return RowView::Dense(codes);
    }
    let n = row.decode_into(&mut scratch.cols, &mut scratch.codes);
    RowView::Sparse(&scratch.cols[..n], RowWeights::Codes(&scratch.codes[..n]))
}

/// The tiles of a parameter, whose bytes live as long as the model.
struct TilesOf<'m> {
    kind: TileKind,
    rows_per_tile: usize,
    tiles: Vec<Tile<'m>>,
}

enum TileKind {
    Direct,
    Stream,
}

fn tiles<'m>(container: &Container<'m>, index: usize) -> Option<TilesOf<'m>> {
    let kind = match container.section_of(index)?.kind {
        SectionKind::DirectTiles { .. } => TileKind::Direct,
        SectionKind::StreamTiles { .. } => TileKind::Stream,
        _ => return None,
    };
    let tiles = container.tiles(index)?;
    // What a view of the directory gives lives as long as the view; the file's bytes live longer.
    let longer = |tile: Tile<'_>| {
        let bytes = container.bytes().get(tile.offset..tile.offset.checked_add(tile.bytes.len())?)?;
        Some(Tile { first_row: tile.first_row, shape: tile.shape, bytes, offset: tile.offset })
    };
    let all = tiles.iter().map(longer).collect::<Option<_>>()?;
    Some(TilesOf { kind, rows_per_tile: tiles.rows_per_tile().max(1), tiles: all })
}

impl RowSource for Weights<'_> {
    fn n_rows(&self) -> usize {
        self.n_rows
    }
    fn n_cols(&self) -> usize {
        self.n_cols
    }
    fn codebook(&self) -> &Codebook {
        &self.book
    }
    fn is_coded(&self) -> bool {
        !matches!(self.stored, Stored::Values { .. })
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        let all: Vec<u32> = (0..self.n_cols as u32).collect();
        let mut scratch = RowScratch::default();
        self.for_rows(0..self.n_rows, &mut scratch, &mut |row, view| match view {
            RowView::Dense(codes) => visit(row, &all, RowWeights::Codes(codes)),
            RowView::Sparse(cols, weights) => visit(row, cols, weights),
        });
        if let Some(error) = scratch.error {
            // Visitors count rows that are missing as empty; whoever asked has to `check`.
            let _ = self.broken.set(error);
        }
    }
}
