//! Locates the weights of a layer in the file, and collects the properties that planning needs.

use super::{CompressedRows, ExactFrom, RowView, SharedTables, Source, StoredWeights, stream::StreamTiles};
use crate::{error::RuntimeError, program::ParameterId};
use alloc::{sync::Arc, vec::Vec};
use kompakt_entropy::{direct::TileRef, stream::Tables};
use kompakt_format::{Container, Numbers, Pool, SectionKind, Tile, rows_and_cols};
use kompakt_kernels::{Codebook, Isa};

impl<'m> StoredWeights<'m> {
    /// Locates parameter `index` in the file. Tiles stay in the file; anything else is decoded.
    ///
    /// `exact_from`: the density from which the number of kept weights must be exact, given rows, columns and
    /// levels; where that requires decoding, the rows are kept if `keep_counted`.
    ///
    /// Errors: its sections are broken.
    pub(super) fn open(
        container: &Container<'m>,
        index: ParameterId,
        exact_from: &ExactFrom<'_>,
        keep_counted: bool,
        pool: &mut Pool,
        tables: &mut SharedTables,
    ) -> Result<Self, RuntimeError> {
        let (n_rows, n_cols) = rows_and_cols(&container.graph().params()[index].shape);
        let in_tiles = tiles(container, index).zip(pool.codebook(index));
        let Some((TilesOf { kind, rows_per_tile, tiles }, codebook)) = in_tiles else {
            let decoded = match pool.take(index) {
                Some(decoded) => decoded,
                None => container.decode_parameter(index, pool)?,
            };
            return Ok(Self::of_decoded(CompressedRows::from_decoded(decoded, n_rows, n_cols)));
        };
        let levels = Codebook::new(&codebook.to_f32());
        let mut this = Self {
            n_rows,
            n_cols,
            n_kept: 0,
            most_kept: 0,
            more_at_once: 1,
            row_room: 0,
            is_full: false,
            max_row_kept: 0,
            file_bytes: tiles.iter().map(|t| t.bytes.len()).sum(),
            in_steps: levels.levels().in_steps,
            codebook: levels,
            is_coded: true,
            source: Source::Decoded,
            counted_from: None,
            decoded: None,
        };
        match kind {
            TileKind::Direct => this.open_direct(rows_per_tile, &tiles, container.isa())?,
            TileKind::Stream => {
                this.open_stream(rows_per_tile, tiles, tables.get(container)?, codebook)?;
                if this.needs_count(exact_from) {
                    this.count(keep_counted)?;
                }
            }
        }
        Ok(this)
    }

    fn of_decoded(rows: CompressedRows) -> Self {
        let (n_rows, n_cols, n_kept) = (rows.n_rows(), rows.n_cols(), rows.n_kept());
        Self {
            n_rows,
            n_cols,
            n_kept,
            most_kept: n_kept,
            more_at_once: 1,
            row_room: n_cols,
            is_full: n_kept == n_rows * n_cols,
            max_row_kept: rows.max_row_kept(),
            file_bytes: 0,
            codebook: rows.codebook().clone(),
            in_steps: rows.codebook().levels().in_steps,
            is_coded: rows.is_coded(),
            source: Source::Decoded,
            counted_from: None,
            decoded: Some(rows),
        }
    }

    fn open_direct(
        &mut self,
        rows_per_tile: usize,
        tiles: &[Tile<'m>],
        isa: Isa,
    ) -> Result<(), RuntimeError> {
        let tiles: Vec<TileRef<'m>> = tiles.iter().map(Tile::direct).collect::<Result<_, _>>()?;
        self.n_kept = tiles.iter().map(TileRef::n_kept).sum();
        self.most_kept = self.n_kept;
        self.is_full = self.n_kept == self.n_rows * self.n_cols;
        self.max_row_kept = tiles.iter().map(TileRef::max_row_kept).max().unwrap_or(0);
        self.row_room = if self.is_full { self.n_cols } else { self.max_row_kept };
        self.source = Source::Direct { rows_per_tile, tiles, isa };
        Ok(())
    }

    /// Reads the headers of tiles. Nothing is decoded, so the cost does not depend on their contents.
    fn open_stream(
        &mut self,
        rows_per_tile: usize,
        tiles: Vec<Tile<'m>>,
        tables: Arc<Tables>,
        codebook: &Numbers,
    ) -> Result<(), RuntimeError> {
        let n_negative = codebook.n_negative();
        let (mut max_kept, mut decoder_bytes) = (0, 0);
        self.is_full = true;
        let mut has_zeros = false;
        for tile in &tiles {
            let size = tile.stream_size(&tables)?;
            self.is_full &= size.is_full;
            has_zeros |= size.is_dense && !size.is_full;
            self.n_kept += size.about_kept;
            self.most_kept += size.max_kept;
            max_kept = max_kept.max(size.about_kept + size.about_kept / 64);
            decoder_bytes = decoder_bytes.max(size.decoder_bytes);
        }
        self.max_row_kept = self.n_cols.min(max_kept);
        self.row_room = if has_zeros { self.n_cols } else { 0 };
        self.source =
            Source::Stream(StreamTiles { rows_per_tile, tiles, tables, n_negative, max_kept, decoder_bytes });
        Ok(())
    }

    /// Decodes all tiles to count the kept weights.
    fn count(&mut self, keep: bool) -> Result<(), RuntimeError> {
        let n_kept = if keep {
            let rows = self.decode()?;
            let n_kept = rows.n_kept();
            self.decoded = Some(rows);
            n_kept
        } else {
            let mut n_kept = 0;
            self.for_all_rows(&mut |_, view| {
                n_kept += match view {
                    RowView::Dense(codes) => codes.len(),
                    RowView::Sparse(cols, _) => cols.len(),
                }
            })?;
            n_kept
        };
        self.counted_from = Some((self.n_kept, self.most_kept));
        (self.n_kept, self.most_kept) = (n_kept, n_kept);
        self.is_full = n_kept == self.n_rows * self.n_cols;
        Ok(())
    }
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
    // Slices from a view of the directory live as long as the view; the file's bytes live longer.
    let longer = |tile: Tile<'_>| {
        let bytes = container.bytes().get(tile.offset..tile.offset.checked_add(tile.bytes.len())?)?;
        Some(Tile {
            first_row: tile.first_row,
            shape: tile.shape,
            blocks: tile.blocks,
            bytes,
            offset: tile.offset,
        })
    };
    let all = tiles.iter().map(longer).collect::<Option<_>>()?;
    Some(TilesOf { kind, rows_per_tile: tiles.rows_per_tile().max(1), tiles: all })
}

#[cfg(test)]
mod tests {
    use super::super::DECODED_TILES;
    use super::*;
    use crate::{Model, Session, SessionOptions};
    use kompakt_format::Tier;
    use kompakt_graph::networks;
    use kompakt_testing::models::{checkpoint, pack};

    #[test]
    fn every_form_in_memory_decodes_the_file_once() {
        for (density, max_batch) in [(0.1, 1), (0.9, 1), (0.1, 4), (0.9, 4), (1.0, 1)] {
            let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
            let bytes = pack(&checkpoint(graph, 1, |_| (density, 16)), Tier::Stream);
            let model = Model::from_bytes(&bytes).unwrap();
            let container = model.container().unwrap();
            let n_params = container.graph().params().len();
            let n_tiles: usize =
                (0..n_params).filter_map(|i| tiles(&container, i)).map(|found| found.tiles.len()).sum();
            assert!(n_tiles > 0);
            let options = SessionOptions { max_batch, ..SessionOptions::default() };
            let before = DECODED_TILES.get();
            let session = Session::new(&model, &options).unwrap();
            let forms: Vec<&str> = session.plan().layers.iter().map(|l| l.form).collect();
            assert_eq!(DECODED_TILES.get() - before, n_tiles, "density {density}: {forms:?}");
        }
    }
}
