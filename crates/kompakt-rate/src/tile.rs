//! A tile: `T` neighbouring cells of a line, of eight examples each, and the products of tiles.
//!
//! ```text
//! cells    a0 … a7 b0 … b7 c0 … c7 d0 … d7      in memory, one after the other
//! 256 bit  ───────                              one cell a register
//! 512 bit  ──────────────                       two
//! ```
//!
//! A lane's sum is taken in the order of the calls, so results are the same bits at every width. Where windows move by
//! one cell, a tile is read as it lies; else cell by cell: that is decided at compile time (`STRIDE` 1, or [`ANY`]),
//! because a choice in the innermost loop would cost the vectors.

use crate::lanes::{Cell, add, zero};

/// Cells that are not neighbours, the distance known only at run time.
pub(crate) const ANY: usize = 0;

/// `T` cells.
pub(crate) type Tile<const T: usize> = [Cell; T];

/// Where the tiles of a line begin: first those of `T` cells, then those of eight, then single cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spans {
    tile: usize,
    whole: usize,
    eights: usize,
    width: usize,
}

impl Spans {
    /// Those of a line of so many cells. `T` is 8 or 16.
    #[inline(always)]
    pub(crate) fn of<const T: usize>(width: usize) -> Self {
        Self { tile: T, whole: width / T * T, eights: width / 8 * 8, width }
    }

    #[inline(always)]
    pub(crate) fn widest(&self) -> impl Iterator<Item = usize> {
        (0..self.whole).step_by(self.tile)
    }

    #[inline(always)]
    pub(crate) fn eights(&self) -> impl Iterator<Item = usize> {
        (self.whole..self.eights).step_by(8)
    }

    #[inline(always)]
    pub(crate) fn single(&self) -> std::ops::Range<usize> {
        self.eights..self.width
    }
}

/// The cells at `at`, `stride` apart.
#[inline(always)]
pub(crate) fn load<const T: usize, const STRIDE: usize>(x: &[Cell], at: usize, stride: usize) -> Tile<T> {
    let mut tile = [zero(); T];
    if STRIDE == 1 {
        tile.copy_from_slice(&x[at..at + T]);
    } else {
        let x = &x[at..=at + (T - 1) * stride];
        for t in 0..T {
            tile[t] = x[t * stride];
        }
    }
    tile
}

/// `acc += x w`, for the cells of `x` at `at`.
#[inline(always)]
pub(crate) fn add_scaled<const T: usize, const STRIDE: usize>(
    acc: &mut Tile<T>,
    x: &[Cell],
    at: usize,
    stride: usize,
    w: f32,
) {
    let mut sum = *acc;
    if STRIDE == 1 {
        let x = &x[at..at + T];
        for t in 0..T {
            for l in 0..8 {
                sum[t][0][l] = x[t][0][l].mul_add(w, sum[t][0][l]);
            }
        }
    } else {
        let x = &x[at..=at + (T - 1) * stride];
        for t in 0..T {
            for l in 0..8 {
                sum[t][0][l] = x[t * stride][0][l].mul_add(w, sum[t][0][l]);
            }
        }
    }
    *acc = sum;
}

/// Adds the products of `dy` with the cells of `x` at `at`: those of even cells to the first sum, of odd ones to the second.
#[inline(always)]
pub(crate) fn add_products<const T: usize, const STRIDE: usize>(
    acc: &mut [Cell; 2],
    x: &[Cell],
    at: usize,
    stride: usize,
    dy: &Tile<T>,
) {
    let mut sum = *acc;
    if STRIDE == 1 {
        let x = &x[at..at + T];
        for t in 0..T {
            for l in 0..8 {
                sum[t % 2][0][l] = x[t][0][l].mul_add(dy[t][0][l], sum[t % 2][0][l]);
            }
        }
    } else {
        let x = &x[at..=at + (T - 1) * stride];
        for t in 0..T {
            for l in 0..8 {
                sum[t % 2][0][l] = x[t * stride][0][l].mul_add(dy[t][0][l], sum[t % 2][0][l]);
            }
        }
    }
    *acc = sum;
}

/// The sum of a tile's cells, added to `sum` one after the other.
#[inline(always)]
pub(crate) fn add_cells<const T: usize>(sum: &mut Cell, tile: &Tile<T>) {
    let mut acc = *sum;
    tile.iter().for_each(|cell| add(&mut acc, cell));
    *sum = acc;
}
