//! One row of a validated tile, whatever its layout.

use super::bitmap_row::BitmapRow;
use super::dense_row::DenseRow;
use super::gaps_row::GapsRow;
use super::layout::filler;
use crate::{Isa, bits};

/// One row of a tile: an iterator over `(column, code)` of its kept weights, columns ascending, or its packed
/// bytes for callers with their own decoder.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// Of a dense tile.
    Dense(DenseRow<'a>),
    /// Of a bitmap tile.
    Bitmap(BitmapRow<'a>),
    /// Of a gaps tile.
    Gaps(GapsRow<'a>),
}

/// An invalid part of the tile, the rule that it breaks, and how.
pub(super) type Wrong<'a> = (&'a [u8], &'static str, &'static str);

impl<'a> Row<'a> {
    /// Writes the columns and codes of the row's kept weights to the front of `cols` and `codes`, columns
    /// ascending. Returns how many there are.
    ///
    /// Panics: if either slice holds fewer than that; [`max_row_kept`](super::TileRef::max_row_kept) is always enough.
    pub fn decode_into(&self, cols: &mut [u32], codes: &mut [u8]) -> usize {
        self.decode_on(Isa::SCALAR, cols, codes)
    }

    /// As [`decode_into`](Self::decode_into), on an instruction set.
    pub fn decode_on(&self, isa: Isa, cols: &mut [u32], codes: &mut [u8]) -> usize {
        match self {
            Self::Dense(row) => {
                let n = row.decode_into(cols, codes);
                debug_assert_eq!(n, row.count_kept());
                n
            }
            Self::Bitmap(row) => {
                row.columns_into(isa, cols);
                bits::unpack(row.codes, row.code_bits(), &mut codes[..row.n_kept]);
                row.n_kept
            }
            Self::Gaps(row) => {
                row.columns_into(cols);
                bits::unpack(row.codes, row.code_bits(), &mut codes[..row.n_kept]);
                row.n_kept
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Wrong<'a>> {
        match self {
            Self::Dense(row) => row.check(),
            Self::Bitmap(row) => row.check(),
            Self::Gaps(row) => row.check(),
        }
    }
}

impl<'a> IntoIterator for Row<'a> {
    type Item = (u32, u8);
    type IntoIter = RowIter<'a>;

    fn into_iter(self) -> RowIter<'a> {
        RowIter { row: self, place: 0, n_done: 0, past: 0 }
    }
}

/// The kept weights of a row, `(column, code)`, columns ascending.
#[derive(Debug, Clone)]
pub struct RowIter<'a> {
    row: Row<'a>,
    /// The next column (dense, bitmap) or field (gaps) to look at.
    place: usize,
    /// Kept weights so far.
    n_done: usize,
    /// Columns covered by the gaps so far.
    past: u32,
}

impl Iterator for RowIter<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        match self.row {
            Row::Dense(row) => {
                while self.place < row.shape.cols {
                    let (col, field) = (self.place as u32, row.field(self.place) as u8);
                    self.place += 1;
                    match (row.has_zero, field) {
                        (false, code) => return Some((col, code)),
                        (true, 0) => {}
                        (true, field) => return Some((col, field - 1)),
                    }
                }
                None
            }
            Row::Bitmap(row) => {
                if self.n_done == row.n_kept {
                    return None;
                }
                while bits::read(row.map, self.place, 1) == 0 {
                    self.place += 1;
                }
                let col = self.place as u32;
                self.place += 1;
                Some((col, self.code(row.codes, row.code_bits())))
            }
            Row::Gaps(row) => {
                if self.n_done == row.n_kept {
                    return None;
                }
                let filler = filler(row.gap_bits);
                loop {
                    let gap = row.gap(self.place);
                    self.place += 1;
                    self.past += gap;
                    if gap != filler {
                        break;
                    }
                }
                self.past += 1;
                Some((self.past - 1, self.code(row.codes, row.code_bits())))
            }
        }
    }
}

impl RowIter<'_> {
    fn code(&mut self, codes: &[u8], code_bits: u32) -> u8 {
        let code = bits::read(codes, self.n_done * code_bits as usize, code_bits);
        self.n_done += 1;
        code as u8
    }
}
