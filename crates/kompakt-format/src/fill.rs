//! Fills a complete tensor from decoded tiles.

use crate::{
    error::{FormatError, broken},
    tiles::Tile,
};
use kompakt_entropy::{MaskedCodesBuf, stream};

/// The part of a tensor that a tile fills.
pub(crate) struct TileTarget<'w> {
    codes: &'w mut [u8],
    mask: Option<&'w mut [bool]>,
    cols: usize,
    /// Number of weights written.
    n: usize,
    offset: usize,
}

impl<'w> TileTarget<'w> {
    pub(crate) fn new(weights: &'w mut MaskedCodesBuf, tile: &Tile<'_>) -> Self {
        let cols = tile.shape.cols;
        let from = tile.first_row.saturating_mul(cols);
        let to = from.saturating_add(tile.shape.rows.saturating_mul(cols));
        Self {
            codes: weights.codes.get_mut(from..to).unwrap_or(&mut []),
            mask: weights.mask.as_mut().map(|m| m.get_mut(from..to).unwrap_or(&mut [])),
            cols,
            n: 0,
            offset: tile.offset,
        }
    }

    pub(crate) fn put(&mut self, row: usize, col: u32, code: u8) {
        let index = row.saturating_mul(self.cols).saturating_add(col as usize);
        if let Some(slot) = self.codes.get_mut(index) {
            *slot = code;
        }
        if let Some(slot) = self.mask.as_mut().and_then(|m| m.get_mut(index)) {
            *slot = true;
        }
        self.n = self.n.saturating_add(1);
    }

    /// Without a mask, all weights must be present.
    pub(crate) fn finish(self) -> Result<(), FormatError> {
        if self.mask.is_none() && self.n != self.codes.len() {
            return broken("F-24", self.offset, "a weight is pruned in a parameter without a mask");
        }
        Ok(())
    }
}

pub(crate) fn fill_stream(target: &mut TileTarget<'_>, decoded: &stream::Tile<'_>) {
    let n_cols = target.cols.max(1);
    match decoded {
        stream::Tile::Dense { symbols, has_zero } => {
            for (row, symbols) in symbols.chunks_exact(n_cols).enumerate() {
                for (col, &symbol) in (0u32..).zip(symbols) {
                    if let Some(code) = symbol.checked_sub(u8::from(*has_zero)) {
                        target.put(row, col, code);
                    }
                }
            }
        }
        stream::Tile::Sparse(tile) => {
            for (row, (cols, codes)) in tile.rows().enumerate() {
                for (&col, &code) in cols.iter().zip(codes) {
                    target.put(row, col, code);
                }
            }
        }
    }
}
