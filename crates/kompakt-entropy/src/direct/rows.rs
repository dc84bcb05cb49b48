//! The rows of a validated tile, in order.

use super::bitmap_row::BitmapRow;
use super::dense_row::DenseRow;
use super::gaps_row::GapsRow;
use super::row::Row;
use super::tile::{Parts, TileRef};
use crate::bits;

/// The rows of a tile in order. Made by [`TileRef::rows`].
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    tile: TileRef<'a>,
    next: usize,
    /// Where row `next` starts in the part with its map or its gaps.
    place_at: usize,
    /// Where row `next` starts in the part with its codes.
    code_at: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(tile: TileRef<'a>) -> Self {
        Self { tile, next: 0, place_at: 0, code_at: 0 }
    }

    pub(super) fn skip_to(&mut self, row: usize) {
        while self.next < row.min(self.tile.shape().rows) {
            self.advance();
        }
    }

    /// The bytes of row `next` in both parts.
    fn lengths(&self) -> (usize, usize) {
        let shape = self.tile.shape();
        match self.tile.parts {
            Parts::Dense { field_bits, .. } => (bits::packed_bytes(shape.cols, field_bits), 0),
            Parts::Bitmap { counts, .. } => {
                (shape.cols.div_ceil(8), bits::packed_bytes(counts.get(self.next), shape.code_bits()))
            }
            Parts::Gaps { counts, fillers, gap_bits, .. } => {
                let n_kept = counts.get(self.next);
                let n_fields = n_kept.saturating_add(fillers.get(self.next));
                (bits::packed_bytes(n_fields, gap_bits), bits::packed_bytes(n_kept, shape.code_bits()))
            }
        }
    }

    fn advance(&mut self) {
        let (place, code) = self.lengths();
        self.next += 1;
        self.place_at += place;
        self.code_at += code;
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    #[inline]
    fn next(&mut self) -> Option<Row<'a>> {
        let shape = self.tile.shape();
        if self.next >= shape.rows {
            return None;
        }
        let (place, code) = self.lengths();
        let row = match self.tile.parts {
            Parts::Dense { fields, field_bits, has_zero } => Row::Dense(DenseRow {
                fields: part(fields, self.place_at, place),
                shape,
                field_bits,
                has_zero,
            }),
            Parts::Bitmap { counts, map, codes } => Row::Bitmap(BitmapRow {
                map: part(map, self.place_at, place),
                codes: part(codes, self.code_at, code),
                shape,
                n_kept: counts.get(self.next),
            }),
            Parts::Gaps { counts, fillers, gap_bits, gaps, codes } => Row::Gaps(GapsRow {
                gaps: part(gaps, self.place_at, place),
                codes: part(codes, self.code_at, code),
                shape,
                gap_bits,
                n_kept: counts.get(self.next),
                n_fillers: fillers.get(self.next),
            }),
        };
        self.next += 1;
        self.place_at += place;
        self.code_at += code;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.tile.shape().rows - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}

/// The parts' lengths were checked when the tile was parsed, so it always exists.
#[inline]
fn part(bytes: &[u8], at: usize, n: usize) -> &[u8] {
    bytes.get(at..at + n).unwrap_or(&[])
}
