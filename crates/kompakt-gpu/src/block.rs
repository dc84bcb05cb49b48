//! The form of a weight matrix in video memory: bitmaps, packed codes and a codebook, in one array of 32-bit words.
//!
//! ```text
//! [ levels: f32 each | rows: offsets of the map and the codes, u32 each | bytes: maps and codes ]
//! ```
//!
//! Rows are output units, columns all else. A row has one of three layouts, as in tiles of the tier `direct`,
//! and starts on a byte boundary:
//!
//! ```text
//! row           . 3 . . 1 . . 2        (dots are pruned; 4 levels, 2 bits a code)
//! map           0 1 0 0 1 0 0 1 | 3 1 2   a bit for each weight, then the codes of the kept ones
//! fields        3 0 1 2 1 1 0 2           every weight is kept: its code
//! with zeros    0 4 0 0 2 0 0 3           a field for each weight: 0 is pruned, c + 1 is code c
//! ```
//!
//! So a tile of that tier is copied unchanged, and only the row table is built. Weights without a codebook
//! are stored as f32 values in place of codes. Fixed-length codes suit a GPU: each lane computes the position
//! of its code. Not here: anything of wgpu.

use kompakt_runtime::RowWeights;

/// In place of a map offset: all weights are kept and each has a field.
const FIELDS: u32 = u32::MAX;
/// The same, with a field for pruned weights too.
const FIELDS_WITH_ZERO: u32 = u32::MAX - 1;

/// Consecutive rows of a weight matrix, ready for upload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    /// As on the [module page](self).
    pub(crate) words: Vec<u32>,
    pub(crate) layout: Layout,
}

/// The parameters of a [`Block`] that shaders read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The first of its rows in the matrix.
    pub(crate) first_row: usize,
    pub(crate) n_rows: usize,
    pub(crate) n_cols: usize,
    pub(crate) n_levels: usize,
    /// Whether all rows are stored as fields.
    pub(crate) is_fields: bool,
    /// Kept weights.
    pub(crate) n_kept: usize,
}

/// Bits per code, 1 to 8; 32 for values.
pub(crate) fn code_bits(n_levels: usize) -> u32 {
    match n_levels {
        0 => 32,
        n => (usize::BITS - (n - 1).leading_zeros()).max(1),
    }
}

/// Bits per field where pruned weights have one.
pub(crate) fn zero_bits(n_levels: usize) -> u32 {
    if n_levels == 0 { 32 } else { code_bits(n_levels + 1) }
}

/// A block under construction.
#[derive(Debug)]
pub(crate) struct Builder {
    levels: Vec<u32>,
    n_cols: usize,
    first_row: usize,
    /// Offsets of each row's map and codes in `bytes`, or one of the constants instead of a map.
    rows: Vec<[u32; 2]>,
    bytes: Vec<u8>,
    is_fields: bool,
    n_kept: usize,
    /// The most words of a block.
    max_words: usize,
}

impl Builder {
    /// `levels`: the codebook, or empty where rows hold values. `max_words`: the limit for a block, unless a
    /// single row is larger.
    pub(crate) fn new(levels: &[f32], n_cols: usize, max_words: usize) -> Self {
        Self {
            levels: levels.iter().map(|v| v.to_bits()).collect(),
            n_cols,
            first_row: 0,
            rows: Vec::new(),
            bytes: Vec::new(),
            is_fields: true,
            n_kept: 0,
            max_words,
        }
    }

    /// The maximum size in bytes of a row with that many kept weights.
    pub(crate) fn most_bytes(&self, n_kept: usize) -> usize {
        let n_levels = self.levels.len();
        let with_map = self.n_cols.div_ceil(8) + packed_bytes(n_kept, code_bits(n_levels)) + 7;
        if n_levels == 0 { with_map } else { with_map.max(packed_bytes(self.n_cols, zero_bits(n_levels))) }
    }

    /// Whether that many rows of that many bytes fit one block of their own.
    pub(crate) fn fits_alone(&self, n_rows: usize, n_bytes: usize) -> bool {
        self.levels.len() + 2 * n_rows + 2 + n_bytes.div_ceil(4) <= self.max_words
    }

    /// The block so far, if rows of `n_more` more bytes would not fit it.
    pub(crate) fn full(&mut self, n_rows: usize, n_more: usize) -> Option<Block> {
        let words = self.levels.len() + 2 * (self.rows.len() + n_rows) + 2;
        let is_full = words.saturating_add((self.bytes.len() + n_more).div_ceil(4)) > self.max_words;
        if is_full { self.finish() } else { None }
    }

    /// Adds a row as a map and codes; or as fields, where nothing is pruned or `as_fields`.
    ///
    /// Columns ascend below the number of columns; codes are below the number of levels.
    pub(crate) fn push(&mut self, columns: &[u32], weights: RowWeights<'_>, as_fields: bool) {
        let n_levels = self.levels.len();
        self.n_kept += columns.len();
        if n_levels == 0 {
            // Values are aligned to words.
            self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        }
        let at = self.bytes.len() as u32;
        if columns.len() == self.n_cols {
            self.rows.push([FIELDS, at]);
            self.put_codes(weights);
        } else if as_fields && n_levels > 0 {
            self.rows.push([FIELDS_WITH_ZERO, at]);
            let mut fields = vec![0u32; self.n_cols];
            if let RowWeights::Codes(codes) = weights {
                for (&col, &code) in columns.iter().zip(codes) {
                    fields[col as usize] = u32::from(code) + 1;
                }
            }
            put_fields(&mut self.bytes, fields.into_iter(), zero_bits(n_levels));
        } else {
            self.is_fields = false;
            let map = self.bytes.len();
            self.bytes.resize(map + self.n_cols.div_ceil(8), 0);
            for &col in columns {
                self.bytes[map + col as usize / 8] |= 1 << (col % 8);
            }
            if n_levels == 0 {
                self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
            }
            self.rows.push([at, self.bytes.len() as u32]);
            self.put_codes(weights);
        }
    }

    fn put_codes(&mut self, weights: RowWeights<'_>) {
        match weights {
            RowWeights::Codes(codes) => {
                let bits = code_bits(self.levels.len());
                put_fields(&mut self.bytes, codes.iter().map(|&c| u32::from(c)), bits);
            }
            RowWeights::Values(values) => {
                self.bytes.extend(values.iter().flat_map(|v| v.to_bits().to_le_bytes()));
            }
        }
    }

    /// Adds a checked tile of the tier `direct` unchanged: `rows` are the offset in `tile` of each row's map,
    /// or the layout of its fields, and the offset of its codes.
    pub(crate) fn push_tile(&mut self, tile: &[u8], rows: impl Iterator<Item = (Lie, usize)>, n_kept: usize) {
        let at = self.bytes.len() as u32;
        for (lie, codes) in rows {
            self.is_fields &= !matches!(lie, Lie::Map(_));
            let map = match lie {
                Lie::Map(map) => at + map as u32,
                Lie::Fields => FIELDS,
                Lie::FieldsWithZero => FIELDS_WITH_ZERO,
            };
            self.rows.push([map, at + codes as u32]);
        }
        self.bytes.extend_from_slice(tile);
        self.n_kept += n_kept;
    }

    /// The rows so far as a block; the builder goes on with the row after them.
    pub(crate) fn finish(&mut self) -> Option<Block> {
        if self.rows.is_empty() {
            return None;
        }
        let n_rows = self.rows.len();
        let start = 4 * (self.levels.len() + 2 * n_rows) as u32;
        let mut words = Vec::with_capacity(start as usize / 4 + self.bytes.len() / 4 + 2);
        words.extend_from_slice(&self.levels);
        for [map, codes] in self.rows.drain(..) {
            words.push(if map >= FIELDS_WITH_ZERO { map } else { map + start });
            words.push(codes + start);
        }
        words.extend(self.bytes.chunks(4).map(|chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            u32::from_le_bytes(word)
        }));
        // A field may begin in one word and end in the next, so one more can be read than is used.
        words.push(0);
        let layout = Layout {
            first_row: self.first_row,
            n_rows,
            n_cols: self.n_cols,
            n_levels: self.levels.len(),
            is_fields: self.is_fields,
            n_kept: self.n_kept,
        };
        self.bytes.clear();
        (self.first_row, self.is_fields, self.n_kept) = (self.first_row + n_rows, true, 0);
        Some(Block { words, layout })
    }
}

/// The layout of a row of a tile.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lie {
    /// With a map at this offset.
    Map(usize),
    Fields,
    FieldsWithZero,
}

/// Bytes of `n` fields of `bits`.
pub(crate) fn packed_bytes(n: usize, bits: u32) -> usize {
    n.saturating_mul(bits as usize).div_ceil(8)
}

/// Appends fields end to end, the first in the lowest bits.
fn put_fields(bytes: &mut Vec<u8>, fields: impl Iterator<Item = u32>, bits: u32) {
    let (mut held, mut n_held) = (0u64, 0);
    for field in fields {
        held |= u64::from(field) << n_held;
        n_held += bits;
        while n_held >= 8 {
            bytes.push(held as u8);
            (held, n_held) = (held >> 8, n_held - 8);
        }
    }
    if n_held > 0 {
        bytes.push(held as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shaders' decoding, in Rust.
    fn value(block: &Block, row: usize, col: usize) -> f32 {
        let (words, layout) = (&block.words, &block.layout);
        let field = |byte: u32, index: usize, bits: u32| {
            let at = byte as usize * 8 + index * bits as usize;
            let pair = u64::from(words[at / 32]) | u64::from(words[at / 32 + 1]) << 32;
            (pair >> (at % 32)) as usize & ((1usize << bits) - 1)
        };
        let (n, bits) = (layout.n_levels, code_bits(layout.n_levels));
        let (map, codes) = (words[n + 2 * row], words[n + 2 * row + 1]);
        let level = |code: usize| f32::from_bits(if n == 0 { code as u32 } else { words[code] });
        match map {
            FIELDS => level(field(codes, col, bits)),
            FIELDS_WITH_ZERO => match field(codes, col, zero_bits(n)) {
                0 => 0.0,
                code => level(code - 1),
            },
            map if field(map, col, 1) == 0 => 0.0,
            map => level(field(codes, (0..col).map(|c| field(map, c, 1)).sum(), bits)),
        }
    }

    #[test]
    fn every_weight_is_found_again() {
        let (n_rows, n_cols) = (7usize, 70usize);
        for (n_levels, as_fields, max_words) in
            [(0, false, 9999), (1, false, 9999), (5, false, 40), (16, true, 80), (256, true, 330)]
        {
            let levels: Vec<f32> = (0..n_levels).map(|i| i as f32 + 1.0).collect();
            let mut builder = Builder::new(&levels, n_cols, max_words);
            let (mut blocks, mut expected) = (Vec::new(), Vec::new());
            for row in 0..n_rows {
                let kept = |c: &u32| row == 3 || (row != 5 && (*c as usize * 7 + row) % 11 < 4);
                let columns: Vec<u32> = (0..n_cols as u32).filter(kept).collect();
                let codes: Vec<u8> =
                    columns.iter().map(|c| (*c as usize * 13 % n_levels.max(1)) as u8).collect();
                let values: Vec<f32> = columns.iter().map(|c| *c as f32 + 0.5).collect();
                let weights =
                    if n_levels == 0 { RowWeights::Values(&values) } else { RowWeights::Codes(&codes) };
                let size = builder.most_bytes(columns.len());
                blocks.extend(builder.full(1, size));
                builder.push(&columns, weights, as_fields);
                let mut line = vec![0.0; n_cols];
                for (i, &c) in columns.iter().enumerate() {
                    line[c as usize] = if n_levels == 0 { values[i] } else { levels[codes[i] as usize] };
                }
                expected.push(line);
            }
            blocks.extend(builder.finish());
            assert_eq!(blocks.len() > 1, max_words < 1000, "{n_levels}");
            let mut row = 0;
            for block in &blocks {
                assert_eq!(block.layout.first_row, row);
                for r in 0..block.layout.n_rows {
                    let found: Vec<f32> = (0..n_cols).map(|c| value(block, r, c)).collect();
                    assert_eq!(found, expected[row + r], "{n_levels} levels, row {}", row + r);
                }
                row += block.layout.n_rows;
            }
            assert_eq!(row, n_rows);
        }
    }
}
