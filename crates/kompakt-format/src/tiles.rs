//! The weights of one parameter as tiles: blocks of rows, each readable independently.

use crate::{error::FormatError, section::Section};
use kompakt_entropy::{
    direct::{TileRef, TileShape},
    stream,
};

/// All tiles of one parameter. Rows are output units, columns all else: `[rows, cols]`.
#[derive(Debug, Clone, Copy)]
pub struct Tiles<'a> {
    pub(crate) section: &'a Section,
    /// The section's.
    pub(crate) bytes: &'a [u8],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) n_levels: usize,
    pub(crate) blocks: stream::Blocks,
}

/// One block of rows.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// Its first row in the parameter.
    pub first_row: usize,
    /// Rows, columns and levels, as the coder expects them.
    pub shape: TileShape,
    /// What the mask keeps or removes together.
    pub blocks: stream::Blocks,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where they begin in the file.
    pub offset: usize,
}

impl<'a> Tiles<'a> {
    /// Rows of each tile, except possibly the last.
    pub fn rows_per_tile(&self) -> usize {
        self.section.rows_per_tile.unwrap_or(self.rows)
    }

    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.section.tile_lengths.len().max(1)
    }

    /// Never true: a parameter has at least one row.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The tiles, in row order.
    pub fn iter(&self) -> impl Iterator<Item = Tile<'a>> + use<'a> {
        let this = *self;
        let single = this.section.tile_lengths.is_empty().then_some(this.section.length);
        let lengths = this.section.tile_lengths.iter().copied().chain(single);
        let mut offset = this.section.offset;
        let mut first_row = 0usize;
        lengths.map(move |length| {
            let tile = this.tile(offset, length, first_row);
            offset = offset.saturating_add(length);
            first_row = first_row.saturating_add(this.rows_per_tile());
            tile
        })
    }

    fn tile(&self, offset: usize, length: usize, first_row: usize) -> Tile<'a> {
        let rows = self.rows.saturating_sub(first_row).min(self.rows_per_tile());
        let start = offset.saturating_sub(self.section.offset);
        let end = start.saturating_add(length);
        Tile {
            first_row,
            shape: TileShape { rows, cols: self.cols, n_levels: self.n_levels },
            blocks: self.blocks,
            // The lengths of the tiles were checked to add up to the section's.
            bytes: self.bytes.get(start..end).unwrap_or(&[]),
            offset,
        }
    }
}

impl<'a> Tile<'a> {
    /// The tile of a section [`crate::SectionKind::DirectTiles`], fully checked, to be used in place.
    pub fn direct(&self) -> Result<TileRef<'a>, FormatError> {
        TileRef::parse(self.bytes, self.shape).map_err(|e| FormatError::coded(e, self.offset))
    }

    /// What the front of a tile of the tier `stream` says of it.
    ///
    /// Errors: as [`Tile::stream`], as far as the front shows.
    pub fn stream_size(&self, tables: &stream::Tables) -> Result<stream::TileSize, FormatError> {
        stream::TileSize::read(self.bytes, self.shape, self.blocks, tables)
            .map_err(|e| FormatError::coded(e, self.offset))
    }

    /// The runs of symbols of a tile of the tier `stream`, for decoders on other machines than this processor. With
    /// [blocks](Self::blocks) its gaps count those.
    ///
    /// Errors: as [`Tile::stream`], as far as the front shows.
    pub fn stream_front(&self, tables: &stream::Tables) -> Result<stream::Front, FormatError> {
        stream::Front::read(self.bytes, self.shape, tables).map_err(|e| FormatError::coded(e, self.offset))
    }

    /// The tile of a section [`crate::SectionKind::StreamTiles`], decoded into `decoder`'s memory.
    ///
    /// `n_negative`: how many entries of the codebook are below zero ([`crate::Numbers::n_negative`]); `tables`:
    /// [`crate::Container::stream_tables`].
    pub fn stream<'d>(
        &self,
        decoder: &'d mut stream::TileDecoder,
        n_negative: usize,
        tables: &stream::Tables,
    ) -> Result<stream::Tile<'d>, FormatError> {
        decoder
            .decode_blocks(self.bytes, self.shape, self.blocks, n_negative, tables)
            .map_err(|e| FormatError::coded(e, self.offset))
    }
}
