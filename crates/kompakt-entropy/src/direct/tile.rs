//! A validated tile.

use super::layout::{Layout, MAX_GAP_BITS, TileShape, field_bits};
use super::row::Row;
use super::rows::Rows;
use crate::{EntropyError, bits};

/// A validated tile, borrowed from the bytes that it was parsed from.
///
/// Rows are read in order with [`rows`](Self::rows), or starting at any row with
/// [`rows_from`](Self::rows_from), which sums the counts of those before it. Nothing is copied, nothing is
/// allocated, and reading from a `TileRef` cannot fail: see [`parse`](Self::parse) for its guarantees.
#[derive(Debug, Clone, Copy)]
pub struct TileRef<'a> {
    shape: TileShape,
    n_kept: usize,
    max_row_kept: usize,
    /// Checked against `shape`: all guarantees of [`TileRef::parse`] hold.
    pub(super) parts: Parts<'a>,
}

/// The parts of a tile. Each row starts on a whole byte in each of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parts<'a> {
    /// `fields`: `rows` times `packed_bytes(cols, field_bits)` bytes.
    Dense { fields: &'a [u8], field_bits: u32, has_zero: bool },
    /// `map`: `rows` times `ceil(cols / 8)` bytes; the ones of row `r` are `counts[r]`.
    Bitmap { counts: Counts<'a>, map: &'a [u8], codes: &'a [u8] },
    /// `gaps`: for each row `counts[r] + fillers[r]` fields, of which `fillers[r]` are fillers.
    Gaps { counts: Counts<'a>, fillers: Counts<'a>, gap_bits: u32, gaps: &'a [u8], codes: &'a [u8] },
}

/// One number for each row, of 1, 2 or 4 bytes. Past the end, all are 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts<'a> {
    bytes: &'a [u8],
    /// 1, 2 or 4.
    width: usize,
}

impl Counts<'_> {
    #[inline]
    pub(super) fn get(&self, row: usize) -> usize {
        let at = row * self.width;
        match self.bytes.get(at..at + self.width) {
            Some(&[a]) => a.into(),
            Some(&[a, b]) => u16::from_le_bytes([a, b]).into(),
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize,
            _ => 0,
        }
    }
}

impl<'a> TileRef<'a> {
    /// Checks an entire tile, in time proportional to its size, without allocation.
    ///
    /// Afterwards all rows have the parts that their counts require, all columns are below `shape.cols`,
    /// columns ascend within a row, and every code is below `shape.n_levels`.
    ///
    /// Errors: [`EntropyError::Stream`] with the offset in `bytes` and the rule, on any bytes that are not
    /// exactly one tile of that shape. Never panics.
    pub fn parse(bytes: &'a [u8], shape: TileShape) -> Result<Self, EntropyError> {
        shape.validate().map_err(|problem| broken(0, "D-1", problem))?;
        let mut reader = Reader { bytes, at: 0 };
        let tag = reader.byte()?;
        let parts = match tag & 3 {
            t if t == Layout::Dense.tag() => dense(tag, &shape, &mut reader)?,
            t if t == Layout::Bitmap.tag() => bitmap(tag, &shape, &mut reader)?,
            t if t == Layout::Gaps.tag() => gaps(tag, &shape, &mut reader)?,
            _ => return Err(broken(0, "D-2", "the tag names no layout")),
        };
        let mut tile = Self { shape, n_kept: 0, max_row_kept: 0, parts };
        tile.check_rows(bytes)?;
        Ok(tile)
    }

    /// The shape that it was parsed with.
    pub fn shape(&self) -> TileShape {
        self.shape
    }

    /// The layout of its weights.
    pub fn layout(&self) -> Layout {
        match self.parts {
            Parts::Dense { .. } => Layout::Dense,
            Parts::Bitmap { .. } => Layout::Bitmap,
            Parts::Gaps { .. } => Layout::Gaps,
        }
    }

    /// The number of kept weights.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// The maximum number of kept weights of a row: the scratch size for [`Row::decode_into`].
    pub fn max_row_kept(&self) -> usize {
        self.max_row_kept
    }

    /// All rows, first to last.
    pub fn rows(&self) -> Rows<'a> {
        Rows::new(*self)
    }

    /// The rows from `row` on; none if there are fewer. Takes time proportional to `row`.
    pub fn rows_from(&self, row: usize) -> Rows<'a> {
        let mut rows = self.rows();
        rows.skip_to(row);
        rows
    }

    /// Checks the rows' bytes, and counts the kept weights.
    fn check_rows(&mut self, bytes: &[u8]) -> Result<(), EntropyError> {
        for row in self.rows() {
            row.check().map_err(|(part, rule, problem)| broken(offset_of(bytes, part), rule, problem))?;
            let n = match row {
                Row::Dense(row) => row.count_kept(),
                Row::Bitmap(row) => row.n_kept(),
                Row::Gaps(row) => row.n_kept(),
            };
            self.n_kept += n;
            self.max_row_kept = self.max_row_kept.max(n);
        }
        Ok(())
    }
}

fn dense<'a>(tag: u8, shape: &TileShape, reader: &mut Reader<'a>) -> Result<Parts<'a>, EntropyError> {
    let has_zero = tag & 4 != 0;
    let field_bits = field_bits(shape.n_levels + usize::from(has_zero));
    if tag >> 3 != 0 || field_bits > 8 {
        return Err(broken(0, "D-2", "the tag of a dense tile has bits that are not used"));
    }
    let stride = bits::packed_bytes(shape.cols, field_bits);
    let fields = reader.rest(stride.saturating_mul(shape.rows))?;
    Ok(Parts::Dense { fields, field_bits, has_zero })
}

fn bitmap<'a>(tag: u8, shape: &TileShape, reader: &mut Reader<'a>) -> Result<Parts<'a>, EntropyError> {
    if tag >> 4 != 0 {
        return Err(broken(0, "D-2", "the tag of a bitmap tile has bits that are not used"));
    }
    let counts = reader.counts(tag, shape.rows)?;
    let map = reader.take(shape.cols.div_ceil(8).saturating_mul(shape.rows))?;
    let code_bits = shape.code_bits();
    let codes = reader.rest(sum((0..shape.rows).map(|r| bits::packed_bytes(counts.get(r), code_bits))))?;
    Ok(Parts::Bitmap { counts, map, codes })
}

fn gaps<'a>(tag: u8, shape: &TileShape, reader: &mut Reader<'a>) -> Result<Parts<'a>, EntropyError> {
    if tag >> 5 != 0 {
        return Err(broken(0, "D-2", "the tag of a gaps tile has bits that are not used"));
    }
    let gap_bits = u32::from(reader.byte()?);
    if !(1..=MAX_GAP_BITS).contains(&gap_bits) {
        return Err(broken(1, "D-2", "a gap has 1 to 16 bits"));
    }
    let counts = reader.counts(tag, shape.rows)?;
    let fillers =
        if tag & 16 != 0 { reader.counts(tag, shape.rows)? } else { Counts { bytes: &[], width: 1 } };
    let n_fields = |r| counts.get(r).saturating_add(fillers.get(r));
    let gaps = reader.take(sum((0..shape.rows).map(|r| bits::packed_bytes(n_fields(r), gap_bits))))?;
    let code_bits = shape.code_bits();
    let codes = reader.rest(sum((0..shape.rows).map(|r| bits::packed_bytes(counts.get(r), code_bits))))?;
    Ok(Parts::Gaps { counts, fillers, gap_bits, gaps, codes })
}

fn sum(bytes: impl Iterator<Item = usize>) -> usize {
    bytes.fold(0, usize::saturating_add)
}

/// Splits a tile into its parts, front to back.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, EntropyError> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], EntropyError> {
        let end = self.at.checked_add(n);
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or(broken(self.bytes.len(), "D-3", "the tile ends too soon"))?;
        self.at += n;
        Ok(part)
    }

    /// The last part: exactly `n` bytes.
    fn rest(&mut self, n: usize) -> Result<&'a [u8], EntropyError> {
        let part = self.take(n)?;
        if self.at == self.bytes.len() {
            Ok(part)
        } else {
            Err(broken(self.at, "D-3", "the tile is longer than its parts"))
        }
    }

    fn counts(&mut self, tag: u8, rows: usize) -> Result<Counts<'a>, EntropyError> {
        let width = match tag >> 2 & 3 {
            3 => return Err(broken(0, "D-2", "a count takes 1, 2 or 4 bytes")),
            log2 => 1 << log2,
        };
        Ok(Counts { bytes: self.take(rows.saturating_mul(width))?, width })
    }
}

#[inline(always)]
fn broken(offset: usize, rule: &'static str, problem: &'static str) -> EntropyError {
    EntropyError::stream(offset, rule, problem)
}

/// Where `part`, a piece of `bytes`, starts in it.
fn offset_of(bytes: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize)
}
