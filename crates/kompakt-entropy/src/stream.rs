//! The tier `stream`: tiles of rANS symbols, decoded one by one into a scratch that stays in cache.
//!
//! A tile is a block of consecutive rows of one weight matrix. What it holds, in the order in which it is
//! decoded:
//!
//! ```text
//! classes   one symbol a row: 0 nothing kept, 1.. how dense, which chooses the table of its gaps
//! gaps      for each class, its rows end to end: pruned weights before each kept one
//! codes     the starts first, then what is linked to them, then what is linked to that ...
//!
//! row       . 3 4 . . . . 2 . 3            linked: at most `reach` - 1 pruned weights before it in its row
//!             s n         s   p            s: a start; n, p: linked to a negative or positive weight
//! ```
//!
//! A weight's sign says much about its neighbour's, so starts, weights after a negative one and weights after a
//! positive one have a table each. Within one generation (all starts; all weights linked to a start; …) nothing
//! depends on anything else, so that many ways can decode it at once. Matrices with few pruned weights are coded
//! weight by weight instead, with a symbol for "pruned".
//!
//! All matrices of a file share one set of tables: histograms that differ less than a table costs are merged. A
//! [`Tables`] has them, and for each matrix a model that says which serve it.
//!
//! Where a mask keeps or removes [`Blocks`] of weights, rows are rows of blocks up to the gaps: those count blocks, and each kept
//! one stands for all of its weights, in the order of columns.
//!
//! Encoding takes two rounds, so that a model of any size is coded one matrix at a time: [`Collector`] counts,
//! [`Plan`] encodes. The exact bytes are in `spec/format-stream.md`, rules S-1 and up.
//!
//! ```
//! use kompakt_entropy::stream::{Collector, Tables, Tile, TileDecoder, suggested_rows};
//! use kompakt_entropy::{Isa, MaskedCodes, direct::TileShape};
//!
//! let mask: Vec<bool> = (0..600).map(|i| i % 7 == 0 || i % 11 == 3).collect();
//! let codes: Vec<u8> = (0..600).map(|i| if mask[i] { (i % 4) as u8 } else { 0 }).collect();
//! let weights =
//!     MaskedCodes { rows: 6, channels: 100, taps: 1, mask: Some(&mask), block: 1, trellis: false, codes: &codes, n_levels: 4, n_negative: 2 };
//! let mut collector = Collector::new();
//! let matrix = collector.add(&weights, suggested_rows(&weights))?;
//! let plan = collector.finish();
//! let (tables, tiles) = (plan.tables(), plan.encode(matrix, &weights)?);
//!
//! let tables = Tables::parse(&tables, Isa::best())?;
//! let mut decoder = TileDecoder::new(Isa::best());
//! let shape = TileShape { rows: 6, cols: 100, n_levels: 4 };
//! let Tile::Sparse(tile) = decoder.decode(&tiles[0], shape, 2, &tables)? else {
//!     panic!("less than a quarter of the weights is kept");
//! };
//! let (cols, codes) = tile.row(0);
//! assert_eq!((tile.rows().count(), cols[1], codes[1]), (6, 3, 3));
//! # Ok::<(), kompakt_entropy::EntropyError>(())
//! ```

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
mod cluster;
mod collect;
mod decode;
mod encode;
mod front;
mod links;
mod model;
mod rows;
mod symbols;
mod tables;
#[cfg(test)]
mod tests;
mod wire;

pub use collect::Collector;
pub use decode::{Blocks, SparseTile, Tile, TileDecoder, TileSize};
pub use encode::{Plan, suggested_rows};
pub use front::{Front, Runs};
pub use tables::Tables;

/// The most weights of a tile, kept or not.
pub const MAX_TILE_WEIGHTS: usize = 1 << 24;
/// The most classes of rows, those with nothing kept aside.
const MAX_CLASSES: usize = 7;
/// The most tables, and the most models.
const MAX_TABLES: usize = 1 << 12;
