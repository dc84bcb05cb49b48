//! Offsets of the rows of a tile of the tier `direct`, which a shader needs to read the tile in place.

use crate::block::{Lie, code_bits, packed_bytes, zero_bits};
use kompakt_entropy::direct::{Layout, TileRef};

/// The layout of each row and the offset of its codes; `None` for tiles of gaps, which shaders do not read.
///
/// `bytes` are those that `tile` was parsed from, so all fields read here were checked.
pub(crate) fn rows(bytes: &[u8], tile: &TileRef<'_>) -> Option<Vec<(Lie, usize)>> {
    let shape = tile.shape();
    let tag = *bytes.first()?;
    match tile.layout() {
        Layout::Gaps => None,
        Layout::Dense => {
            let (lie, bits) = match tag >> 2 & 1 {
                0 => (Lie::Fields, code_bits(shape.n_levels)),
                _ => (Lie::FieldsWithZero, zero_bits(shape.n_levels)),
            };
            let row_bytes = packed_bytes(shape.cols, bits);
            Some((0..shape.rows).map(|row| (lie, 1 + row * row_bytes)).collect())
        }
        Layout::Bitmap => {
            let width = 1usize << (tag >> 2 & 3);
            let map_bytes = shape.cols.div_ceil(8);
            let maps = 1 + shape.rows * width;
            let mut codes = maps + shape.rows * map_bytes;
            let mut all = Vec::with_capacity(shape.rows);
            for row in 0..shape.rows {
                let count = bytes.get(1 + row * width..1 + (row + 1) * width)?;
                let n = count.iter().rev().fold(0usize, |n, byte| n << 8 | usize::from(*byte));
                all.push((Lie::Map(maps + row * map_bytes), codes));
                codes += packed_bytes(n, code_bits(shape.n_levels));
            }
            Some(all)
        }
    }
}
