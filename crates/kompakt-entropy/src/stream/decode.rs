//! Decodes tiles.

use super::links::Links;
use super::model::{Model, Sparse};
use super::{MAX_TILE_WEIGHTS, Tables, rows};
use crate::EntropyError;
use crate::direct::TileShape;
use crate::rans::{Decoder, Engine};
use alloc::vec::Vec;

/// Decodes tiles one after the other into memory that it keeps; after the largest, nothing is allocated.
#[derive(Debug, Clone)]
pub struct TileDecoder {
    engine: Engine,
    /// Symbols as they come.
    symbols: Vec<u8>,
    row_classes: Vec<u8>,
    /// For each class, the places of its kept weights, rows end to end.
    places: Vec<u32>,
    starts: Vec<u32>,
    cols: Vec<u32>,
    codes: Vec<u8>,
    links: Links,
}

/// A decoded tile, in the decoder's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile<'a> {
    /// The kept weights, row by row.
    Sparse {
        /// `[rows + 1]`: row `r` has the weights `starts[r] .. starts[r + 1]`.
        starts: &'a [u32],
        /// `[n_kept]`: columns, ascending within a row, below the tile's.
        cols: &'a [u32],
        /// `[n_kept]`: codes, below the number of levels.
        codes: &'a [u8],
    },
    /// Every weight.
    Dense {
        /// `[rows, cols]`: codes, or with a zero, 0 for a pruned weight and `c + 1` for code `c`.
        symbols: &'a [u8],
        /// Whether it is so.
        has_zero: bool,
    },
}

/// What a tile's first bytes say of it, before it is decoded.
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

impl TileSize {
    /// Reads the front of a tile and decodes nothing.
    ///
    /// Errors: as [`TileDecoder::decode`], as far as the front shows.
    pub fn read(bytes: &[u8], shape: TileShape, tables: &Tables) -> Result<Self, EntropyError> {
        let n_weights = n_weights(shape)?;
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
        if max_kept > n_weights {
            return Err(broken(header.at, "S-9", "the tile has more gaps than weights"));
        }
        // Symbols, places, columns and codes; starts and classes of rows; five lists of links.
        let links = if sparse.reach == 0 { 0 } else { 40 * about_kept + 640 };
        let decoder_bytes = 4 * max_kept + 6 * about_kept + 5 * shape.rows + 4 + links;
        Ok(Self { max_kept, about_kept, is_dense: false, is_full: false, decoder_bytes })
    }
}

fn n_weights(shape: TileShape) -> Result<usize, EntropyError> {
    let n_weights = shape.rows.checked_mul(shape.cols).filter(|n| (1..=MAX_TILE_WEIGHTS).contains(n));
    n_weights.filter(|_| (1..=256).contains(&shape.n_levels)).ok_or(broken(
        0,
        "S-1",
        "a tile has 1 to 2^24 weights of 1 to 256 levels",
    ))
}

impl TileDecoder {
    /// A decoder with nothing in its memory.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            symbols: Vec::new(),
            row_classes: Vec::new(),
            places: Vec::new(),
            starts: Vec::new(),
            cols: Vec::new(),
            codes: Vec::new(),
            links: Links::default(),
        }
    }

    /// The bytes of memory that it holds by now.
    pub fn n_bytes(&self) -> usize {
        let bytes = [&self.symbols, &self.row_classes, &self.codes].map(Vec::capacity);
        let numbers = [&self.places, &self.starts, &self.cols].map(Vec::capacity);
        bytes.iter().sum::<usize>() + 4 * numbers.iter().sum::<usize>() + self.links.n_bytes()
    }

    /// Decodes one tile of a matrix whose first `n_negative` levels are below zero.
    ///
    /// Memory: about 14 bytes a kept weight, 1 byte a weight if dense, kept for the next.
    /// Errors: rules S-1 (the shape), S-6 and up (the tile), R-1 and up (its symbols). Never panics.
    pub fn decode<'a>(
        &'a mut self,
        bytes: &[u8],
        shape: TileShape,
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
                let mut decoder = header.symbols(first, self.engine)?;
                decoder.decode(tables.table(*table), room(&mut self.symbols, n_weights))?;
                decoder.finish()?;
                Ok(Tile::Dense { symbols: &self.symbols[..n_weights], has_zero: *has_zero })
            }
            Model::Sparse(sparse) => {
                let n_kept = self.sparse(sparse, first, header, &shape, n_negative, tables)?;
                let (starts, cols) = (&self.starts[..shape.rows + 1], &self.cols[..n_kept]);
                Ok(Tile::Sparse { starts, cols, codes: &self.codes[..n_kept] })
            }
        }
    }

    fn sparse(
        &mut self,
        model: &Sparse,
        first: usize,
        mut header: Header<'_>,
        shape: &TileShape,
        n_negative: usize,
        tables: &Tables,
    ) -> Result<usize, EntropyError> {
        room(&mut self.starts, shape.rows + 1).fill(0);
        if model.classes.is_empty() {
            return if header.at == header.bytes.len() {
                Ok(0)
            } else {
                Err(broken(header.at, "S-6", "something follows a tile with nothing kept"))
            };
        }
        let mut n_symbols = [0; super::MAX_CLASSES];
        let mut n_left = shape.rows * shape.cols;
        for n in &mut n_symbols[..model.classes.len()] {
            *n = header.varint()?;
            n_left = n_left.checked_sub(*n).ok_or(broken(
                header.at,
                "S-9",
                "the tile has more gaps than weights",
            ))?;
        }
        let mut decoder = header.symbols(first, self.engine)?;
        let row_classes = room(&mut self.row_classes, shape.rows);
        match model.row_classes {
            Some(table) => decoder.decode(tables.table(table), row_classes)?,
            None => row_classes.fill(1),
        }
        let class_starts = self.places(model, &n_symbols, shape, tables, &mut decoder)?;
        let n_kept = self.columns(class_starts, shape);
        self.codes(model, n_kept, shape, n_negative, tables, &mut decoder)?;
        decoder.finish()?;
        Ok(n_kept)
    }

    /// Decodes the gaps of each class and sums them up. Returns where each class' places start and end.
    fn places(
        &mut self,
        model: &Sparse,
        n_symbols: &[usize],
        shape: &TileShape,
        tables: &Tables,
        decoder: &mut Decoder<'_>,
    ) -> Result<ClassStarts, EntropyError> {
        let mut starts = [0; super::MAX_CLASSES + 1];
        for (i, (class, &n)) in model.classes.iter().zip(n_symbols).enumerate() {
            let symbols = room(&mut self.symbols, n);
            decoder.decode(tables.table(class.table), symbols)?;
            let number = i as u8 + 1;
            let rows = self.row_classes[..shape.rows].iter().filter(|&&class| class == number).count();
            room(&mut self.places, starts[i] + n);
            let places = &mut self.places[starts[i]..starts[i] + n];
            let n_kept = rows::places(self.engine, symbols, class.cap, rows * shape.cols, places)
                .ok_or(broken(0, "S-10", "the gaps of a class lead past its rows"))?;
            starts[i + 1] = starts[i] + n_kept;
        }
        let end = starts[model.classes.len()];
        starts[model.classes.len()..].fill(end);
        Ok(starts)
    }

    /// Cuts the places of each class into rows. Returns how many weights are kept.
    fn columns(&mut self, mut class_starts: ClassStarts, shape: &TileShape) -> usize {
        let ends = class_starts;
        let n_kept = ends[super::MAX_CLASSES];
        let cols = room(&mut self.cols, n_kept);
        let mut row_starts = [0; super::MAX_CLASSES];
        let mut n = 0;
        for (row, &class) in self.row_classes[..shape.rows].iter().enumerate() {
            if let Some(class) = usize::from(class).checked_sub(1) {
                let places = &self.places[class_starts[class]..ends[class + 1]];
                let (start, end) = (row_starts[class], row_starts[class] + shape.cols as u32);
                let n_row = rows::columns(self.engine, places, start, end, &mut cols[n..]);
                class_starts[class] += n_row;
                row_starts[class] = end;
                n += n_row;
            }
            self.starts[row + 1] = n as u32;
        }
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
        let places = (&self.starts[..shape.rows + 1], &self.cols[..n_kept], model.reach);
        let tables = model.codes.map(|table| tables.table(table));
        let symbols = room(&mut self.symbols, n_kept);
        self.links.decode(decoder, self.engine, tables, places, n_negative, symbols, codes)
    }
}

/// Where the places of each class start; the last is where all end.
type ClassStarts = [usize; super::MAX_CLASSES + 1];

/// The front of a tile.
struct Header<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Header<'a> {
    /// A number below 2^28, 7 bits a byte, lowest first, the highest bit set in all but the last.
    fn varint(&mut self) -> Result<usize, EntropyError> {
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
    fn symbols(&self, first: usize, engine: Engine) -> Result<Decoder<'a>, EntropyError> {
        Decoder::starting_at(self.at, self.bytes, (first % 8) as u32, engine)
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

pub(super) fn broken(offset: usize, rule: &'static str, problem: &'static str) -> EntropyError {
    EntropyError::Stream { offset, rule, problem }
}
