//! The weights of one layer where the file has them.

use crate::error::RuntimeError;
use kompakt_entropy::direct::{Row, TileRef};
use kompakt_format::{Container, Decoded, Form, Pool, rows_and_cols};
use kompakt_kernels::{Codebook, RowSource, RowWeights};
use std::ops::Range;

/// A weight, `[rows, cols]`: rows are output units, columns all else.
#[derive(Debug)]
pub(crate) struct Weights<'m> {
    pub(crate) n_rows: usize,
    pub(crate) n_cols: usize,
    pub(crate) n_kept: usize,
    /// The most that one row keeps.
    pub(crate) max_row_kept: usize,
    /// Bytes of the file that hold its rows.
    pub(crate) file_bytes: usize,
    book: Codebook,
    stored: Stored<'m>,
}

#[derive(Debug)]
enum Stored<'m> {
    /// Tiles of the tier `direct`, read where they lie.
    Tiles { rows_per_tile: usize, tiles: Vec<TileRef<'m>> },
    /// Decoded: `[rows, cols]` codes and mask.
    Codes { codes: Vec<u8>, mask: Option<Vec<bool>> },
    /// Decoded: a number for each kept weight, `row_starts[r]` of them before row `r`, and the mask.
    Values { values: Vec<f32>, mask: Option<Vec<bool>>, row_starts: Vec<usize> },
}

/// What reading a row needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowScratch {
    cols: Vec<u32>,
    codes: Vec<u8>,
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
    /// Finds parameter `index` in the file. Only tiles of the tier `direct` stay where they are.
    ///
    /// Errors: its sections are broken.
    pub(crate) fn open(
        container: &Container<'m>,
        index: usize,
        pool: &mut Pool,
    ) -> Result<Self, RuntimeError> {
        let (n_rows, n_cols) = rows_and_cols(&container.graph().params()[index].shape);
        let file_bytes = container.section_of(index).map_or(0, |s| s.length);
        let tiles = tiles_in_place(container, index)?;
        if let (Some((rows_per_tile, tiles)), Some(codebook)) = (tiles, pool.codebook(index)) {
            return Ok(Self {
                n_rows,
                n_cols,
                n_kept: tiles.iter().map(TileRef::n_kept).sum(),
                max_row_kept: tiles.iter().map(TileRef::max_row_kept).max().unwrap_or(0),
                file_bytes,
                book: Codebook::new(&codebook.to_f32()),
                stored: Stored::Tiles { rows_per_tile, tiles },
            });
        }
        let decoded = match pool.take(index) {
            Some(decoded) => decoded,
            None => container.decode_parameter(index, pool)?,
        };
        Ok(Self::decoded(decoded, n_rows, n_cols))
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
            max_row_kept: counts.iter().copied().max().unwrap_or(0),
            file_bytes: 0,
            book,
            stored,
        }
    }

    /// Whether rows can be read from the file at every run.
    pub(crate) fn is_in_place(&self) -> bool {
        matches!(self.stored, Stored::Tiles { .. })
    }

    /// Whether nothing is pruned.
    pub(crate) fn is_full(&self) -> bool {
        self.n_kept == self.n_rows * self.n_cols
    }

    /// Rows that are best read together.
    pub(crate) fn rows_per_tile(&self) -> usize {
        match &self.stored {
            Stored::Tiles { rows_per_tile, .. } => *rows_per_tile,
            _ => self.n_rows,
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
        scratch.reserve(self.max_row_kept.max(if self.is_full() { self.n_cols } else { 0 }));
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

/// The tiles of a parameter, if they can be run as they lie.
fn tiles_in_place<'m>(
    container: &Container<'m>,
    index: usize,
) -> Result<Option<(usize, Vec<TileRef<'m>>)>, RuntimeError> {
    use kompakt_format::SectionKind;
    let is_direct =
        container.section_of(index).is_some_and(|s| matches!(s.kind, SectionKind::DirectTiles { .. }));
    let is_shared = container.descriptors().get(index).is_some_and(|d| matches!(d.form, Form::Shared { .. }));
    if !is_direct || !is_shared {
        return Ok(None);
    }
    let Some(tiles) = container.tiles(index) else { return Ok(None) };
    let rows_per_tile = tiles.rows_per_tile().max(1);
    let mut all = Vec::with_capacity(tiles.len());
    for tile in tiles.iter() {
        // The bytes live as long as the model, not as long as this view of its directory.
        let bytes = container.bytes().get(tile.offset..tile.offset + tile.bytes.len()).unwrap_or(&[]);
        let tile = TileRef::parse(bytes, tile.shape).map_err(|_| tile.direct().err());
        match tile {
            Ok(tile) => all.push(tile),
            Err(Some(error)) => return Err(error.into()),
            Err(None) => return Ok(None),
        }
    }
    Ok(Some((rows_per_tile, all)))
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
        let all: Vec<u32> = if self.is_full() { (0..self.n_cols as u32).collect() } else { Vec::new() };
        self.for_rows(0..self.n_rows, &mut RowScratch::default(), &mut |row, view| match view {
            RowView::Dense(codes) => visit(row, &all, RowWeights::Codes(codes)),
            RowView::Sparse(cols, weights) => visit(row, cols, weights),
        });
    }
}
