//! Rows of the tier `stream`, whose tiles are decoded as a unit when one of their rows is needed.

use super::row_view::{RowScratch, RowView};
use crate::error::RuntimeError;
use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;
use kompakt_entropy::stream::{self, TileDecoder};
use kompakt_format::{Container, Tile};
use kompakt_kernels::RowWeights;

/// The tiles of a matrix.
#[derive(Debug, Clone)]
pub(super) struct StreamTiles<'m> {
    pub(super) rows_per_tile: usize,
    pub(super) tiles: Vec<Tile<'m>>,
    pub(super) tables: Arc<stream::Tables>,
    /// Levels below zero.
    pub(super) n_negative: usize,
    /// The largest number of kept weights of a tile.
    pub(super) max_kept: usize,
    /// Bytes of a decoder that has decoded all of them.
    pub(super) decoder_bytes: usize,
}

/// Tables of the tier, parsed once for all layers that need them.
#[derive(Debug, Default)]
pub(crate) struct SharedTables(Option<Arc<stream::Tables>>);

impl SharedTables {
    /// The bytes they hold; they are kept as long as a layer runs from the file.
    pub(crate) fn n_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |tables| tables.n_bytes())
    }

    pub(super) fn get(&mut self, container: &Container<'_>) -> Result<Arc<stream::Tables>, RuntimeError> {
        if let Some(tables) = &self.0 {
            return Ok(tables.clone());
        }
        let tables = Arc::new(container.stream_tables()?);
        self.0 = Some(tables.clone());
        Ok(tables)
    }
}

impl StreamTiles<'_> {
    /// Calls `visit` for some rows, first to last; ends early, with an error in `scratch`, at a tile that is broken.
    pub(super) fn for_rows(
        &self,
        n_cols: usize,
        rows: Range<usize>,
        scratch: &mut RowScratch,
        visit: &mut dyn FnMut(usize, RowView<'_>),
    ) {
        let RowScratch { cols, codes, decoder, error } = scratch;
        let decoder = decoder.get_or_insert_with(|| TileDecoder::new(self.tables.isa()));
        let mut row = rows.start;
        while row < rows.end {
            let Some(tile) = self.tiles.get(row / self.rows_per_tile) else { return };
            let end = rows.end.min(tile.first_row + tile.shape.rows).max(row + 1);
            let local = row.saturating_sub(tile.first_row)..end.saturating_sub(tile.first_row);
            #[cfg(test)]
            super::DECODED_TILES.with(|n| n.set(n.get() + 1));
            match tile.stream(decoder, self.n_negative, &self.tables) {
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
                    let rows = symbols.chunks_exact(n_cols.max(1)).enumerate();
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

/// Symbol `c + 1` is code `c`, 0 is a pruned weight: writes columns and codes of the rest. Returns how many.
fn nonzero(symbols: &[u8], cols: &mut [u32], codes: &mut [u8]) -> usize {
    let mut n = 0;
    for (col, &symbol) in symbols.iter().enumerate().filter(|(_, s)| **s > 0) {
        (cols[n], codes[n]) = (col as u32, symbol - 1);
        n += 1;
    }
    n
}
