//! Decodes tiles.

use super::links::{Links, Places};
use super::model::{Model, Sparse};
use super::{MAX_TILE_WEIGHTS, Tables, rows};
use crate::EntropyError;
use crate::direct::TileShape;
use crate::{Isa, rans::Decoder};
use alloc::vec::Vec;

/// Decodes tiles one after the other into reused memory; after the largest, nothing is allocated.
#[derive(Debug, Clone)]
pub struct TileDecoder {
    isa: Isa,
    /// The decoded symbols.
    symbols: Vec<u8>,
    row_classes: Vec<u8>,
    /// For each class, where its rows end among its columns.
    ends: Vec<u32>,
    starts: Vec<u32>,
    /// Where the columns of each row start.
    firsts: Vec<u32>,
    /// Columns of the kept weights, class by class, each row by row.
    cols: Vec<u32>,
    codes: Vec<u8>,
    links: Links,
    /// Columns of kept weights that were decoded as blocks.
    spread: Vec<u32>,
}

/// What a matrix keeps or drops together: so many channels of a row at one tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// Channels of a block, 1 for single weights. The last of a row may have fewer.
    pub channels: usize,
    /// Kernel positions, 1 for a linear layer: columns are channels by taps.
    pub taps: usize,
}

impl Blocks {
    /// Single weights.
    pub const NONE: Self = Self { channels: 1, taps: 1 };

    /// Blocks in a row of so many columns. Rule S-1.
    fn in_row(self, cols: usize) -> Result<usize, EntropyError> {
        if self.channels == 1 {
            return Ok(cols);
        }
        if self.channels == 0 || self.taps == 0 || !cols.is_multiple_of(self.taps) {
            return Err(broken(0, "S-1", "columns are channels by taps"));
        }
        Ok((cols / self.taps).div_ceil(self.channels) * self.taps)
    }
}

/// A decoded tile, in the decoder's memory.
#[derive(Debug, Clone, Copy)]
pub enum Tile<'a> {
    /// The kept weights, row by row.
    Sparse(SparseTile<'a>),
    /// Every weight.
    Dense {
        /// `[rows, cols]`: codes, or with a zero, 0 for a pruned weight and `c + 1` for code `c`.
        symbols: &'a [u8],
        /// Whether it is so.
        has_zero: bool,
    },
}

/// A summary of a tile from its header, without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileSize {
    /// Kept weights, at most; gaps that are longer than one symbol make it more than there are.
    pub max_kept: usize,
    /// The same as its tables have it: about how many.
    pub about_kept: usize,
    /// Whether every weight has a symbol.
    pub is_dense: bool,
    /// Whether no weight is pruned, for certain.
    pub is_full: bool,
    /// Bytes that a [`TileDecoder`] holds after it, about.
    pub decoder_bytes: usize,
}

/// The kept weights of a tile.
#[derive(Debug, Clone, Copy)]
pub struct SparseTile<'a> {
    /// `[rows + 1]`: row `r` has the codes `starts[r] .. starts[r + 1]`.
    pub(super) starts: &'a [u32],
    /// `[rows]`: row `r` has as many columns from `firsts[r]` on.
    pub(super) firsts: &'a [u32],
    /// Those of the kept weights, and others.
    pub(super) cols: &'a [u32],
    pub(super) codes: &'a [u8],
}

impl<'a> SparseTile<'a> {
    /// The columns of the row's kept weights, ascending and below the tile's, and their codes, below the number of
    /// levels.
    ///
    /// Panics: if there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> (&'a [u32], &'a [u8]) {
        let codes = &self.codes[self.starts[row] as usize..self.starts[row + 1] as usize];
        (&self.cols[self.firsts[row] as usize..][..codes.len()], codes)
    }

    /// All rows, first to last.
    pub fn rows(&self) -> impl Iterator<Item = (&'a [u32], &'a [u8])> + use<'a> {
        let this = *self;
        (0..this.firsts.len()).map(move |row| this.row(row))
    }

    /// How many weights are kept.
    pub fn n_kept(&self) -> usize {
        self.codes.len()
    }
}

impl TileSize {
    /// Reads the header of a tile without decoding it.
    ///
    /// Errors: as [`TileDecoder::decode`], as far as the header shows.
    pub fn read(
        bytes: &[u8],
        shape: TileShape,
        blocks: Blocks,
        tables: &Tables,
    ) -> Result<Self, EntropyError> {
        let n_weights = n_weights(shape)?;
        let n_blocks = shape.rows * blocks.in_row(shape.cols)?;
        let mut header = Header { bytes, at: 0 };
        let first = header.varint()?;
        let sparse = match tables.model(first / 8) {
            None => return Err(broken(0, "S-7", "the tile's model is not there")),
            Some(Model::Dense { has_zero, .. }) => {
                let (max_kept, is_full) = (n_weights, !has_zero);
                let (about_kept, decoder_bytes) = (n_weights, n_weights);
                return Ok(Self { max_kept, about_kept, is_dense: true, is_full, decoder_bytes });
            }
            Some(Model::Sparse(sparse)) => sparse,
        };
        let (mut max_kept, mut about_kept) = (0, 0);
        for class in &sparse.classes {
            let n = header.varint()?;
            max_kept += n;
            about_kept += n - n * usize::from(tables.freq(class.table, class.cap)) / 4096;
        }
        if max_kept > n_blocks {
            return Err(broken(header.at, "S-9", "the tile has more gaps than weights"));
        }
        let n_gaps = max_kept;
        (max_kept, about_kept) =
            ((max_kept * blocks.channels).min(n_weights), (about_kept * blocks.channels).min(n_weights));
        let spread = if blocks.channels > 1 { 4 * max_kept } else { 0 };
        // Symbols, columns and codes; four numbers of each row; five lists of links.
        let links = if sparse.reach == 0 { 0 } else { 40 * about_kept + 640 };
        let slack = 4 * rows::SLACK * sparse.classes.len();
        let symbols = if sparse.reach == 0 { n_gaps } else { n_gaps.max(about_kept) };
        let decoder_bytes = symbols + 4 * n_gaps + spread + about_kept + 13 * shape.rows + 4 + slack + links;
        Ok(Self { max_kept, about_kept, is_dense: false, is_full: false, decoder_bytes })
    }
}

pub(super) fn n_weights(shape: TileShape) -> Result<usize, EntropyError> {
    let n_weights = shape.rows.checked_mul(shape.cols).filter(|n| (1..=MAX_TILE_WEIGHTS).contains(n));
    n_weights.filter(|_| (1..=256).contains(&shape.n_levels)).ok_or(broken(
        0,
        "S-1",
        "a tile has 1 to 2^24 weights of 1 to 256 levels",
    ))
}

impl TileDecoder {
    /// A decoder without any memory allocated.
    pub fn new(isa: Isa) -> Self {
        Self {
            isa,
            symbols: Vec::new(),
            row_classes: Vec::new(),
            ends: Vec::new(),
            starts: Vec::new(),
            firsts: Vec::new(),
            cols: Vec::new(),
            codes: Vec::new(),
            links: Links::default(),
            spread: Vec::new(),
        }
    }

    /// The bytes of memory that it holds by now.
    pub fn n_bytes(&self) -> usize {
        let bytes = [&self.symbols, &self.row_classes, &self.codes].map(Vec::capacity);
        let numbers = [&self.ends, &self.starts, &self.firsts, &self.cols, &self.spread].map(Vec::capacity);
        bytes.iter().sum::<usize>() + 4 * numbers.iter().sum::<usize>() + self.links.n_bytes()
    }

    /// Decodes one tile of a matrix whose first `n_negative` levels are below zero.
    ///
    /// Memory: about 14 bytes per kept weight, 1 byte per weight if dense, kept for the next.
    /// Errors: rules S-1 (the shape), S-6 and up (the tile), R-1 and up (its symbols). Never panics.
    pub fn decode<'a>(
        &'a mut self,
        bytes: &[u8],
        shape: TileShape,
        n_negative: usize,
        tables: &Tables,
    ) -> Result<Tile<'a>, EntropyError> {
        self.decode_blocks(bytes, shape, Blocks::NONE, n_negative, tables)
    }

    /// The same of a matrix that keeps or drops blocks: its gaps are between those.
    pub fn decode_blocks<'a>(
        &'a mut self,
        bytes: &[u8],
        shape: TileShape,
        blocks: Blocks,
        n_negative: usize,
        tables: &Tables,
    ) -> Result<Tile<'a>, EntropyError> {
        let n_weights = n_weights(shape)?;
        let mut header = Header { bytes, at: 0 };
        let first = header.varint()?;
        let Some(model) = tables.model(first / 8) else {
            return Err(broken(0, "S-7", "the tile's model is not there"));
        };
        match model {
            Model::Dense { has_zero, table } => {
                if tables.n_symbols(*table) > shape.n_levels + usize::from(*has_zero) {
                    return Err(broken(0, "S-8", "the tile's table has codes outside the codebook"));
                }
                let mut decoder = header.symbols(first, self.isa)?;
                decoder.decode(tables.table(*table), room(&mut self.symbols, n_weights))?;
                decoder.finish()?;
                Ok(Tile::Dense { symbols: &self.symbols[..n_weights], has_zero: *has_zero })
            }
            Model::Sparse(sparse) => {
                let n_kept = self.sparse(sparse, first, header, (&shape, blocks), n_negative, tables)?;
                let (starts, firsts) = (&self.starts[..shape.rows + 1], &self.firsts[..shape.rows]);
                let codes = &self.codes[..n_kept];
                Ok(Tile::Sparse(SparseTile { starts, firsts, cols: &self.cols, codes }))
            }
        }
    }

    fn sparse(
        &mut self,
        model: &Sparse,
        first: usize,
        mut header: Header<'_>,
        (shape, blocks): (&TileShape, Blocks),
        n_negative: usize,
        tables: &Tables,
    ) -> Result<usize, EntropyError> {
        room(&mut self.starts, shape.rows + 1).fill(0);
        room(&mut self.firsts, shape.rows).fill(0);
        if model.classes.is_empty() {
            return if header.at == header.bytes.len() {
                Ok(0)
            } else {
                Err(broken(header.at, "S-6", "something follows a tile with nothing kept"))
            };
        }
        let mut n_symbols = [0; super::MAX_CLASSES];
        let blocks_a_row = blocks.in_row(shape.cols)?;
        let mut n_left = shape.rows * blocks_a_row;
        for n in &mut n_symbols[..model.classes.len()] {
            *n = header.varint()?;
            n_left = n_left.checked_sub(*n).ok_or(broken(
                header.at,
                "S-9",
                "the tile has more gaps than weights",
            ))?;
        }
        let mut decoder = header.symbols(first, self.isa)?;
        let row_classes = room(&mut self.row_classes, shape.rows);
        match model.row_classes {
            Some(table) => decoder.decode(tables.table(table), row_classes)?,
            None => row_classes.fill(1),
        }
        let columns = TileShape { cols: blocks_a_row, ..*shape };
        let areas = self.columns(model, &n_symbols, &columns, tables, &mut decoder)?;
        let mut n_kept = self.rows(areas, shape);
        if blocks.channels > 1 {
            n_kept = self.spread(n_kept, shape, blocks);
        }
        self.codes(model, n_kept, shape, n_negative, tables, &mut decoder)?;
        decoder.finish()?;
        Ok(n_kept)
    }

    /// Decodes the gaps of each class and sums them up. Returns where each class' columns start, and its rows' ends.
    fn columns(
        &mut self,
        model: &Sparse,
        n_symbols: &[usize],
        shape: &TileShape,
        tables: &Tables,
        decoder: &mut Decoder<'_>,
    ) -> Result<Areas, EntropyError> {
        let mut areas = [Area::default(); super::MAX_CLASSES];
        let mut next = Area::default();
        room(&mut self.ends, shape.rows);
        for ((number, class), (&n, area)) in (1..).zip(&model.classes).zip(n_symbols.iter().zip(&mut areas)) {
            let symbols = room(&mut self.symbols, n);
            decoder.decode(tables.table(class.table), symbols)?;
            let n_rows = self.row_classes[..shape.rows].iter().filter(|&&class| class == number).count();
            *area = next;
            room(&mut self.cols, area.cols + n + rows::SLACK);
            let cols = &mut self.cols[area.cols..];
            let ends = &mut self.ends[area.ends..area.ends + n_rows];
            let n_kept = rows::columns(self.isa, symbols, class.cap, shape.cols as u32, cols, ends)
                .ok_or(broken(0, "S-10", "the gaps of a class lead past its rows"))?;
            next = Area { cols: area.cols + n_kept, ends: area.ends + n_rows, done: 0 };
        }
        Ok(areas)
    }

    /// Finds each row's columns among those of its class. Returns how many weights are kept.
    fn rows(&mut self, mut areas: Areas, shape: &TileShape) -> usize {
        let mut n = 0;
        for (row, &class) in self.row_classes[..shape.rows].iter().enumerate() {
            if let Some(class) = usize::from(class).checked_sub(1) {
                let area = &mut areas[class];
                let end = self.ends[area.ends];
                self.firsts[row] = area.cols as u32 + area.done;
                n += end - area.done;
                (area.ends, area.done) = (area.ends + 1, end);
            }
            self.starts[row + 1] = n;
        }
        n as usize
    }

    /// Puts the columns of blocks' weights in place of those of blocks. Returns how many weights are kept.
    fn spread(&mut self, n_blocks: usize, shape: &TileShape, blocks: Blocks) -> usize {
        let Blocks { channels, taps } = blocks;
        let n_channels = shape.cols / taps;
        room(&mut self.spread, n_blocks * channels);
        let mut n = 0;
        let mut first = 0;
        for row in 0..shape.rows {
            let end = self.starts[row + 1] as usize;
            let mut rest = &self.cols[self.firsts[row] as usize..][..end - first];
            self.firsts[row] = n as u32;
            while let Some(&block) = rest.first() {
                let group = block as usize / taps;
                let same = rest.partition_point(|&block| block as usize / taps == group);
                let (here, after) = rest.split_at(same);
                let members = group * channels..n_channels.min((group + 1) * channels);
                for channel in members {
                    for &block in here {
                        self.spread[n] = (channel * taps + block as usize % taps) as u32;
                        n += 1;
                    }
                }
                rest = after;
            }
            first = end;
            self.starts[row + 1] = n as u32;
        }
        core::mem::swap(&mut self.cols, &mut self.spread);
        n
    }

    fn codes(
        &mut self,
        model: &Sparse,
        n_kept: usize,
        shape: &TileShape,
        n_negative: usize,
        tables: &Tables,
        decoder: &mut Decoder<'_>,
    ) -> Result<(), EntropyError> {
        let n_tables = if model.reach == 0 { 1 } else { 3 };
        if model.codes[..n_tables].iter().any(|&table| tables.n_symbols(table) > shape.n_levels) {
            return Err(broken(0, "S-8", "the tile's tables have codes outside the codebook"));
        }
        let codes = room(&mut self.codes, n_kept);
        if model.reach == 0 {
            return decoder.decode(tables.table(model.codes[0]), codes);
        }
        let tables = model.codes.map(|table| tables.table(table));
        let symbols = room(&mut self.symbols, n_kept);
        let (starts, firsts) = (&self.starts[..shape.rows + 1], &self.firsts[..shape.rows]);
        let places = Places { starts, firsts, cols: &self.cols, reach: model.reach };
        self.links.decode(decoder, self.isa, tables, &places, n_negative, symbols, codes)
    }
}

/// What a class has of the columns and of the rows' ends.
#[derive(Debug, Clone, Copy, Default)]
struct Area {
    /// Where its columns start.
    cols: usize,
    /// Where the ends of its rows start.
    ends: usize,
    /// Of its columns, those of the rows so far.
    done: u32,
}

type Areas = [Area; super::MAX_CLASSES];

/// The header of a tile.
pub(super) struct Header<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Header<'a> {
    /// A number below 2^28, 7 bits per byte, lowest first, the highest bit set in all but the last.
    pub(super) fn varint(&mut self) -> Result<usize, EntropyError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = *self.bytes.get(self.at).ok_or(broken(self.at, "S-6", "the tile ends too soon"))?;
            self.at += 1;
            value |= usize::from(byte & 127) << shift;
            if byte == 0 && shift > 0 {
                return Err(broken(self.at - 1, "S-6", "a number has more bytes than it needs"));
            }
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(broken(self.at, "S-6", "a number has more than 4 bytes"))
    }

    /// What follows: the symbols, with the ways that the `first` number says.
    fn symbols(&self, first: usize, isa: Isa) -> Result<Decoder<'a>, EntropyError> {
        Decoder::starting_at(self.at, self.bytes, (first % 8) as u32, isa)
    }
}

/// The first `n` elements, made if they are not there.
fn room<T: Clone + Default>(vec: &mut Vec<T>, n: usize) -> &mut [T] {
    if vec.len() < n {
        // No more than that: callers plan with what a decoder holds.
        vec.reserve_exact(n - vec.len());
        vec.resize(n, T::default());
    }
    &mut vec[..n]
}

#[inline(always)]
pub(super) fn broken(offset: usize, rule: &'static str, problem: &'static str) -> EntropyError {
    EntropyError::stream(offset, rule, problem)
}
