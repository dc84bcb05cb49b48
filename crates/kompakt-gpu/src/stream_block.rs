//! Tiles of the tier `stream` as a shader decodes them: still coded, with a description of each, checked.
//!
//! ```text
//! words    [ levels | tile | tile | ... ]       as in the file, each tile from a whole word on
//! decoded  [ levels | offsets of all rows | maps and codes of a tile | of the next | ... ]       as in `block.rs`
//! ```
//!
//! How many weights a tile keeps is known once it is decoded: room is left for as many as it has gaps, so `decoded` can
//! be larger than the same rows packed on the host. Everything that a description says is checked here against the
//! lengths of all buffers; what only decoding can show (rules R-3, R-4, S-10), the shader reports. No wgpu.

use crate::block::{Layout, code_bits, packed_bytes, zero_bits};
use kompakt_entropy::stream::{Runs, Tables};
use kompakt_format::Tile;
use kompakt_runtime::RuntimeError;
use std::ops::Range;

/// Words of a description: the struct `Tile` of `decode.wgsl`.
pub(crate) const TILE_WORDS: usize = 40;

/// Consecutive tiles of a weight matrix, ready for upload.
#[derive(Debug, Clone)]
pub(crate) struct StreamBlock {
    /// As on the [module page](self).
    pub(crate) words: Vec<u32>,
    /// The descriptions.
    pub(crate) tiles: Vec<[u32; TILE_WORDS]>,
    /// Tiles that are decoded at the same time, because their scratch fits together.
    pub(crate) groups: Vec<Range<usize>>,
    pub(crate) n_negative: usize,
    pub(crate) sizes: Sizes,
    /// Its kept weights are as many at most.
    pub(crate) layout: Layout,
}

/// The memory that a block needs, in words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) decoded: usize,
    pub(crate) scratch: usize,
}

/// How large buffers may be, in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Of any buffer.
    pub(crate) buffer: usize,
    /// Of a decoded block, unless one tile alone needs more.
    pub(crate) decoded: usize,
    /// Of the scratch of all tiles that are decoded at the same time, unless one alone needs more.
    pub(crate) scratch: usize,
}

/// The most columns of rows whose codes are decoded link by link: each link may take a round of its own.
const MAX_LINKED_COLS: usize = 1 << 16;

/// What a tile is, before it has its places in a block.
#[derive(Debug, Clone)]
struct Described {
    words: [u32; TILE_WORDS],
    is_fields: bool,
    max_kept: usize,
    map_words: usize,
    code_words: usize,
    scratch: usize,
}

/// The levels and tables of a matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'t> {
    pub(crate) levels: &'t [f32],
    pub(crate) tables: &'t Tables,
}

/// Why a tile cannot be decoded by a shader.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It breaks a rule.
    Broken(RuntimeError),
    /// The processor's decoder must say which rule it breaks.
    Suspect,
    /// It needs buffers beyond the limits, or too many rounds.
    TooLarge,
}

// Words of a description.
const STATES: usize = 0;
const N_WORDS: usize = 1;
const WAYS: usize = 2;
const ROWS: usize = 3;
const ROW_TABLE: usize = 4;
const MAPS: usize = 5;
const CODES: usize = 6;
const END: usize = 7;
const SCRATCH: usize = 8;
const MAX_KEPT: usize = 9;
const FORM: usize = 10;
const CLASS_TABLE: usize = 11;
const CLASSES: usize = 12;
const REACH: usize = 13;
const CODE_TABLES: usize = 14;
const CAPS: usize = 17;
const GAP_TABLES: usize = 24;
const GAPS: usize = 31;

impl Matrix<'_> {
    /// Groups tiles into blocks and hands them to `take`, once all are found to be sound and within the limits.
    pub(crate) fn blocks<E>(
        &self,
        tiles: &[Tile<'_>],
        limits: Limits,
        refuse: impl Fn(&Tile<'_>, Refusal) -> E,
        take: &mut dyn FnMut(StreamBlock) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut all = Vec::with_capacity(tiles.len());
        for tile in tiles {
            all.push(self.describe(tile, limits).map_err(|refusal| refuse(tile, refusal))?);
        }
        let mut start = 0;
        while start < tiles.len() {
            let mut end = start;
            let (mut decoded, mut coded) = (self.levels.len() + 1, self.levels.len() + 1);
            while let Some((tile, what)) = tiles.get(end).zip(all.get(end)) {
                decoded += 2 * tile.shape.rows + what.map_words + what.code_words;
                coded += tile.bytes.len().div_ceil(4);
                if end > start && (decoded > limits.decoded || coded > limits.buffer) {
                    break;
                }
                end += 1;
            }
            take(self.block(&tiles[start..end], &all[start..end], limits))?;
            start = end;
        }
        Ok(())
    }

    fn block(&self, tiles: &[Tile<'_>], all: &[Described], limits: Limits) -> StreamBlock {
        let n_levels = self.levels.len();
        let n_rows: usize = tiles.iter().map(|tile| tile.shape.rows).sum();
        let mut block = StreamBlock {
            words: self.levels.iter().map(|level| level.to_bits()).collect(),
            tiles: Vec::with_capacity(tiles.len()),
            groups: Vec::new(),
            n_negative: self.levels.iter().filter(|level| **level < 0.0).count(),
            sizes: Sizes::default(),
            layout: Layout {
                first_row: tiles.first().map_or(0, |tile| tile.first_row),
                n_rows,
                n_cols: tiles.first().map_or(0, |tile| tile.shape.cols),
                n_levels,
                is_fields: all.iter().all(|what| what.is_fields),
                n_kept: all.iter().map(|what| what.max_kept).sum(),
            },
        };
        let (mut row, mut at, mut scratch, mut group) = (0, n_levels + 2 * n_rows, 0, 0);
        for (i, (tile, what)) in tiles.iter().zip(all).enumerate() {
            if scratch + what.scratch > limits.scratch && i > group {
                block.groups.push(group..i);
                (group, scratch) = (i, 0);
            }
            let mut words = what.words;
            words[STATES] += 4 * block.words.len() as u32;
            words[ROW_TABLE] = (n_levels + 2 * row) as u32;
            words[MAPS] = 4 * at as u32;
            words[CODES] = 4 * (at + what.map_words) as u32;
            at += what.map_words + what.code_words;
            words[END] = at as u32;
            words[SCRATCH] = scratch as u32;
            scratch += what.scratch;
            block.sizes.scratch = block.sizes.scratch.max(scratch);
            row += tile.shape.rows;
            block.tiles.push(words);
            block.words.extend(tile.bytes.chunks(4).map(|chunk| {
                let mut word = [0; 4];
                word[..chunk.len()].copy_from_slice(chunk);
                u32::from_le_bytes(word)
            }));
        }
        block.groups.push(group..tiles.len());
        // A field may begin in one word and end in the next, so one more can be read than is used.
        block.sizes.decoded = at + 1;
        block
    }

    /// Checks a tile. `STATES` is the offset in the tile.
    fn describe(&self, tile: &Tile<'_>, limits: Limits) -> Result<Described, Refusal> {
        // The shaders count the gaps of single weights.
        if tile.blocks.channels > 1 {
            return Err(Refusal::TooLarge);
        }
        let front = tile.stream_front(self.tables).map_err(|e| Refusal::Broken(e.into()))?;
        let (rows, cols, n_levels) = (tile.shape.rows, tile.shape.cols, tile.shape.n_levels);
        let mut words = [0u32; TILE_WORDS];
        words[ROWS] = rows as u32;
        words[WAYS] = front.ways as u32;
        words[STATES] = front.offset as u32;
        words[CLASS_TABLE] = u32::MAX;
        let (mut max_kept, mut code_words, mut scratch, mut is_fields) = (0, 0, 0, false);
        let map_words;
        match front.runs {
            Runs::Dense { has_zero, table } => {
                let bits = if has_zero { zero_bits(n_levels) } else { code_bits(n_levels) };
                (is_fields, max_kept) = (true, rows * cols);
                map_words = (rows * packed_bytes(cols, bits)).div_ceil(4);
                words[FORM] = 1 + u32::from(has_zero);
                words[CODE_TABLES] = table as u32;
            }
            Runs::Sparse { row_classes, classes, reach, codes } => {
                let bits = code_bits(n_levels);
                map_words = (rows * cols.div_ceil(8)).div_ceil(4);
                words[FORM] = if classes.is_empty() { 3 } else { 0 };
                words[CLASS_TABLE] = row_classes.map_or(u32::MAX, |table| table as u32);
                words[CLASSES] = classes.len() as u32;
                words[REACH] = reach;
                words[CODE_TABLES..CODE_TABLES + 3].copy_from_slice(&codes.map(|table| table as u32));
                for (c, &(cap, table, n)) in classes.iter().enumerate() {
                    words[CAPS + c] = cap.into();
                    words[GAP_TABLES + c] = table as u32;
                    words[GAPS + c] = n as u32;
                    max_kept += n;
                }
                // A row's codes begin with a byte of their own.
                code_words = (packed_bytes(max_kept, bits) + rows).div_ceil(4);
                scratch = 6 * rows + if reach > 0 { 3 * max_kept } else { 0 };
            }
        }
        words[MAX_KEPT] = max_kept as u32;
        if words[FORM] == 3 {
            words[WAYS] = 64;
            if front.offset != tile.bytes.len() {
                return Err(Refusal::Suspect);
            }
        } else {
            let rest = tile.bytes.get(front.offset..).unwrap_or(&[]);
            let Some((states, rest)) = rest.split_at_checked(4 * front.ways) else {
                return Err(Refusal::Suspect);
            };
            let is_low = |state: &[u8]| state[2..] == [0, 0];
            if states.chunks_exact(4).any(is_low) || rest.len() % 2 == 1 {
                return Err(Refusal::Suspect);
            }
            words[N_WORDS] = (rest.len() / 2) as u32;
        }
        let decoded = n_levels + 2 * rows + map_words + code_words + 1;
        let coded = n_levels + tile.bytes.len().div_ceil(4) + 1;
        let is_linked_far = words[REACH] > 0 && cols > MAX_LINKED_COLS;
        if decoded.max(coded).max(scratch) > limits.buffer || is_linked_far {
            return Err(Refusal::TooLarge);
        }
        Ok(Described { words, is_fields, max_kept, map_words, code_words, scratch })
    }
}
