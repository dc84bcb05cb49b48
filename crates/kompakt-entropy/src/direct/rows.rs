//! The rows of a validated tile.

use super::layout::{TileShape, filler};
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

/// One row of a tile: an iterator over `(column, code)` of its kept weights, columns ascending, or its packed
/// bytes for those who have their own way with them.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// Of a dense tile.
    Dense(DenseRow<'a>),
    /// Of a bitmap tile.
    Bitmap(BitmapRow<'a>),
    /// Of a gaps tile.
    Gaps(GapsRow<'a>),
}

/// A row with a field for every weight.
#[derive(Debug, Clone, Copy)]
pub struct DenseRow<'a> {
    fields: &'a [u8],
    shape: TileShape,
    field_bits: u32,
    has_zero: bool,
}

/// A row with a bit for every weight.
#[derive(Debug, Clone, Copy)]
pub struct BitmapRow<'a> {
    map: &'a [u8],
    codes: &'a [u8],
    shape: TileShape,
    n_kept: usize,
}

/// A row with a gap for every kept weight.
#[derive(Debug, Clone, Copy)]
pub struct GapsRow<'a> {
    gaps: &'a [u8],
    codes: &'a [u8],
    shape: TileShape,
    gap_bits: u32,
    n_kept: usize,
    n_fillers: usize,
}

/// A piece of the tile that is wrong, the rule that it breaks, and how.
type Wrong<'a> = (&'a [u8], &'static str, &'static str);

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

/// The parts' lengths were checked when the tile was parsed, so it is always there.
#[inline]
fn part(bytes: &[u8], at: usize, n: usize) -> &[u8] {
    bytes.get(at..at + n).unwrap_or(&[])
}

impl<'a> DenseRow<'a> {
    /// `cols` fields of [`field_bits`](Self::field_bits) bits, packed as in [`crate::bits`].
    pub fn fields(&self) -> &'a [u8] {
        self.fields
    }

    /// 1 to 8.
    pub fn field_bits(&self) -> u32 {
        self.field_bits
    }

    /// Whether field 0 is a pruned weight and field `c + 1` is code `c`; if not, fields are codes.
    pub fn has_zero(&self) -> bool {
        self.has_zero
    }

    /// Unpacks the fields, `fields.len()` of them from the first column on.
    pub fn unpack(&self, fields: &mut [u8]) {
        bits::unpack(self.fields, self.field_bits, fields);
    }

    #[inline]
    fn field(&self, col: usize) -> u32 {
        bits::read(self.fields, col * self.field_bits as usize, self.field_bits)
    }

    pub(super) fn count_kept(&self) -> usize {
        if !self.has_zero {
            return self.shape.cols;
        }
        self.count(|field| field != 0)
    }

    /// How many fields are so.
    fn count(&self, so: impl Fn(u8) -> bool) -> usize {
        let mut n = 0;
        blocks(self.fields, self.field_bits, self.shape.cols, |_, fields| {
            n += fields.iter().filter(|&&field| so(field)).count();
        });
        n
    }

    fn decode_into(&self, cols: &mut [u32], codes: &mut [u8]) -> usize {
        if !self.has_zero {
            let n = self.shape.cols;
            cols[..n].iter_mut().zip(0..).for_each(|(to, col)| *to = col);
            self.unpack(&mut codes[..n]);
            return n;
        }
        let mut n = 0;
        blocks(self.fields, self.field_bits, self.shape.cols, |first, fields| {
            for (&field, col) in fields.iter().zip(first as u32..).filter(|&(&field, _)| field != 0) {
                (cols[n], codes[n]) = (col, field - 1);
                n += 1;
            }
        });
        n
    }

    fn check(&self) -> Result<(), Wrong<'a>> {
        let n_values = self.shape.n_levels + usize::from(self.has_zero);
        if !bits::padding_is_zero(self.fields, self.shape.cols, self.field_bits) {
            return Err((self.fields, "D-5", "the bits after a row's last field are not zero"));
        }
        if n_values < 1 << self.field_bits && self.count(|field| usize::from(field) >= n_values) > 0 {
            return Err((self.fields, "D-4", "a code is outside the codebook"));
        }
        Ok(())
    }
}

impl<'a> BitmapRow<'a> {
    /// A bit for every column, column 0 the lowest bit of the first byte; 1 = kept. Bits past the last are 0.
    pub fn map(&self) -> &'a [u8] {
        self.map
    }

    /// The codes of the kept weights, packed as in [`crate::bits`].
    pub fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// 1 to 8.
    pub fn code_bits(&self) -> u32 {
        self.shape.code_bits()
    }

    /// How many weights are kept: the ones in the map.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    fn check(&self) -> Result<(), Wrong<'a>> {
        if !bits::padding_is_zero(self.map, self.shape.cols, 1) {
            return Err((self.map, "D-5", "the bits after a row's map are not zero"));
        }
        let n_ones: usize = words(self.map).map(|(_, word)| word.count_ones() as usize).sum();
        if n_ones != self.n_kept {
            return Err((self.map, "D-6", "a row's count is not the number of ones in its map"));
        }
        check_codes(self.codes, self.n_kept, &self.shape)
    }

    fn columns_into(&self, cols: &mut [u32]) {
        let mut n = 0;
        for (base, mut word) in words(self.map) {
            while word != 0 {
                cols[n] = base + word.trailing_zeros();
                n += 1;
                word &= word - 1;
            }
        }
    }
}

impl<'a> GapsRow<'a> {
    /// [`n_fields`](Self::n_fields) gaps of [`gap_bits`](Self::gap_bits) bits, packed as in [`crate::bits`].
    /// All ones is a filler: that many pruned weights and no kept one.
    pub fn gaps(&self) -> &'a [u8] {
        self.gaps
    }

    /// 1 to 16.
    pub fn gap_bits(&self) -> u32 {
        self.gap_bits
    }

    /// The codes of the kept weights, packed as in [`crate::bits`]. Fillers have none.
    pub fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// 1 to 8.
    pub fn code_bits(&self) -> u32 {
        self.shape.code_bits()
    }

    /// How many weights are kept.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// How many of the gaps are fillers. None: gaps and codes go in step.
    pub fn n_fillers(&self) -> usize {
        self.n_fillers
    }

    /// Kept weights and fillers.
    pub fn n_fields(&self) -> usize {
        self.n_kept.saturating_add(self.n_fillers)
    }

    fn gap(&self, field: usize) -> u32 {
        bits::read(self.gaps, field * self.gap_bits as usize, self.gap_bits)
    }

    fn check(&self) -> Result<(), Wrong<'a>> {
        if !bits::padding_is_zero(self.gaps, self.n_fields(), self.gap_bits) {
            return Err((self.gaps, "D-5", "the bits after a row's last gap are not zero"));
        }
        let filler = filler(self.gap_bits);
        // `past`: columns spoken for. Each field adds at most 2^16 to it, and a row has less than 2^33 fields.
        let (mut past, mut n_fillers, mut last_is_filler) = (0u64, 0, false);
        self.each_gap(|gap| {
            last_is_filler = gap == filler;
            n_fillers += usize::from(last_is_filler);
            past += u64::from(gap) + u64::from(!last_is_filler);
        });
        if past > self.shape.cols as u64 {
            return Err((self.gaps, "D-7", "a row's gaps lead past its last column"));
        }
        if n_fillers != self.n_fillers || last_is_filler {
            return Err((self.gaps, "D-8", "a row's fillers are not as many as counted, or one comes last"));
        }
        check_codes(self.codes, self.n_kept, &self.shape)
    }

    fn columns_into(&self, cols: &mut [u32]) {
        let filler = filler(self.gap_bits);
        let (mut past, mut n) = (0, 0);
        self.each_gap(|gap| {
            past += gap;
            if gap != filler {
                cols[n] = past;
                n += 1;
                past += 1;
            }
        });
    }

    /// All gaps and fillers, in order.
    fn each_gap(&self, mut visit: impl FnMut(u32)) {
        if self.gap_bits <= 8 {
            blocks(self.gaps, self.gap_bits, self.n_fields(), |_, gaps| {
                gaps.iter().for_each(|&gap| visit(gap.into()));
            });
        } else {
            (0..self.n_fields()).for_each(|field| visit(self.gap(field)));
        }
    }
}

/// Unpacks `n` fields of at most 8 bits, 256 at a time, each time with the number of the first.
fn blocks(packed: &[u8], width: u32, n: usize, mut visit: impl FnMut(usize, &[u8])) {
    let mut scratch = [0; 256];
    // 256 fields are a whole number of bytes, whatever their width.
    for (first, packed) in (0..n).step_by(256).zip(packed.chunks(32 * width as usize)) {
        let fields = &mut scratch[..(n - first).min(256)];
        bits::unpack(packed, width, fields);
        visit(first, fields);
    }
}

impl<'a> Row<'a> {
    /// Writes the columns and codes of the row's kept weights to the front of `cols` and `codes`, columns
    /// ascending. Returns how many there are.
    ///
    /// Panics: if either slice holds fewer than that; [`TileRef::max_row_kept`] is always enough.
    pub fn decode_into(&self, cols: &mut [u32], codes: &mut [u8]) -> usize {
        match self {
            Self::Dense(row) => {
                let n = row.decode_into(cols, codes);
                debug_assert_eq!(n, row.count_kept());
                n
            }
            Self::Bitmap(row) => {
                row.columns_into(cols);
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

fn check_codes<'a>(codes: &'a [u8], n: usize, shape: &TileShape) -> Result<(), Wrong<'a>> {
    // Codes are dense fields without a zero.
    let code_bits = shape.code_bits();
    if n == 0 {
        return Ok(());
    }
    let fields = DenseRow {
        fields: codes,
        shape: TileShape { cols: n, ..*shape },
        field_bits: code_bits,
        has_zero: false,
    };
    fields.check()
}

/// The map, 64 columns at a time, each with its first column.
fn words(map: &[u8]) -> impl Iterator<Item = (u32, u64)> {
    map.chunks(8).zip((0..).step_by(64)).map(|(chunk, base)| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (base, u64::from_le_bytes(word))
    })
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
    /// Columns that the gaps so far speak for.
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
