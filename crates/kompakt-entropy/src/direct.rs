//! The tier `direct`: tiles of bit-packed codes that kernels read in place.
//!
//! A tile is a block of consecutive rows of one weight matrix (rows = output units, columns = all else). It is
//! decodable by itself, and has one of three layouts:
//!
//! ```text
//! row      . 3 . . 1 . . 2          (dots are pruned; 4 levels, 2 bits a code)
//! dense    0 4 0 0 2 0 0 3          a field for each weight: here 0 is "pruned", c + 1 is code c, so 3 bits
//! bitmap   0 1 0 0 1 0 0 1 | 3 1 2  a bit for each weight, then the codes of the kept ones
//! gaps     1 2 2 | 3 1 2            pruned weights before each kept one, then its code
//! ```
//!
//! Every row starts on a whole byte in each part of the tile, and a count for each row (one byte for most
//! networks) determines where. The exact bytes are in `spec/format-direct.md`, rules D-1 and up.
//!
//! [`TileRef::parse`] reads every byte once. A `TileRef` is the proof: its rows cannot fail, their columns are
//! below `cols` and their codes below `n_levels`.
//!
//! ```
//! use kompakt_entropy::{MaskedCodes, direct};
//!
//! let mask = [false, true, false, false, true, false, false, true];
//! let codes = [0, 3, 0, 0, 1, 0, 0, 2];
//! let weights =
//!     MaskedCodes { rows: 1, channels: 8, taps: 1, mask: Some(&mask), block: 1, trellis: false, codes: &codes, n_levels: 4, n_negative: 2 };
//! let bytes = direct::encode_tile(&weights, direct::Choice::Only(direct::Layout::Gaps))?;
//!
//! let tile = direct::TileRef::parse(&bytes, direct::TileShape { rows: 1, cols: 8, n_levels: 4 })?;
//! let row: Vec<(u32, u8)> = tile.rows().next().into_iter().flatten().collect();
//! assert_eq!(row, [(1, 3), (4, 1), (7, 2)]);
//! # Ok::<(), kompakt_entropy::EntropyError>(())
//! ```

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bitmap_row;
mod dense_row;
mod encode;
mod gaps_row;
pub(crate) mod layout;
mod row;
mod rows;
#[cfg(test)]
mod tests;
mod tile;

pub use bitmap_row::BitmapRow;
pub use dense_row::DenseRow;
pub use encode::{Choice, encode_tile};
pub use gaps_row::GapsRow;
pub use layout::{Layout, Sizes, TileShape, sizes};
pub use row::{Row, RowIter};
pub use rows::Rows;
pub use tile::TileRef;
