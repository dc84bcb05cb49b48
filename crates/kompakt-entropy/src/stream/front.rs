//! What a tile says of itself and of its symbols, for decoders on other machines than this processor.

use super::Tables;
use super::decode::{Header, broken, n_weights};
use super::model::Model;
use crate::EntropyError;
use crate::direct::TileShape;
use alloc::vec::Vec;

/// The runs of symbols of a tile, nothing decoded. Tables are numbers, for [`Tables::slots`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// How many states take turns: 1 to 64.
    pub ways: usize,
    /// Where the states begin in the tile; the words follow them.
    pub offset: usize,
    /// What the symbols are.
    pub runs: Runs,
}

/// What the symbols of a tile are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// One for every weight.
    Dense {
        /// Whether symbol 0 is a pruned weight, and `c + 1` code `c`.
        has_zero: bool,
        /// Its table.
        table: usize,
    },
    /// Classes of rows, gaps, codes.
    Sparse {
        /// The table of the rows' classes; without, all are of class 1.
        row_classes: Option<usize>,
        /// For each class, the first being 1: its cap, the table of its gaps, how many of them there are.
        classes: Vec<(u8, usize, usize)>,
        /// A weight is linked to the one before it in its row if that is at most so many columns away.
        reach: u32,
        /// The tables of starts, of what is linked to a negative weight, to another one.
        codes: [usize; 3],
    },
}

impl Front {
    /// Reads the front of a tile and decodes nothing.
    ///
    /// Errors: as [`TileDecoder::decode`](super::TileDecoder::decode), as far as the front and the tables show.
    pub fn read(bytes: &[u8], shape: TileShape, tables: &Tables) -> Result<Self, EntropyError> {
        let mut n_left = n_weights(shape)?;
        let mut header = Header { bytes, at: 0 };
        let first = header.varint()?;
        let alphabet = |table: usize| tables.n_symbols(table);
        let foreign = || broken(0, "S-8", "the tile's table has codes outside the codebook");
        let runs = match tables.model(first / 8) {
            None => return Err(broken(0, "S-7", "the tile's model is not there")),
            Some(&Model::Dense { has_zero, table }) => {
                if alphabet(table) > shape.n_levels + usize::from(has_zero) {
                    return Err(foreign());
                }
                Runs::Dense { has_zero, table }
            }
            Some(Model::Sparse(sparse)) => {
                let mut classes = Vec::with_capacity(sparse.classes.len());
                for class in &sparse.classes {
                    let n = header.varint()?;
                    let rest = n_left.checked_sub(n);
                    n_left = rest.ok_or(broken(header.at, "S-9", "the tile has more gaps than weights"))?;
                    classes.push((class.cap, class.table, n));
                }
                let n_tables = if sparse.reach == 0 { 1 } else { 3 };
                let is_foreign = |&table: &usize| alphabet(table) > shape.n_levels;
                if !classes.is_empty() && sparse.codes[..n_tables].iter().any(is_foreign) {
                    return Err(foreign());
                }
                let (row_classes, reach, codes) = (sparse.row_classes, sparse.reach, sparse.codes);
                Runs::Sparse { row_classes, classes, reach, codes }
            }
        };
        let ways = 1usize << (first % 8).min(7);
        if ways > 64 {
            return Err(broken(0, "R-1", "a stream has at most 64 ways"));
        }
        Ok(Self { ways, offset: header.at, runs })
    }
}
