//! An input layout of convolutions for [`TapMatrix`](crate::TapMatrix): sixteen parts of the plane,
//! interleaved.
//!
//! ```text
//! plane of outputs          vectors of a tile            lane (i, j) of vector (r, s) is
//! +----+----+----+----+     (0,0) (0,1) .. (0,bw-1)      output row  i * bh + r
//! |0,0 |0,1 |0,2 |0,3 |     (1,0)  ..                    output col  j * bw + s
//! +----+----+----+----+      ..
//! |1,0 | ..           |     (bh-1,0)  ..                 likewise for the input, plus the kernel's halo
//! ```
//!
//! A kernel's step to the right is then the next *vector*, not the next element: each load is a full cache
//! line, with no copies per kernel position. (At arbitrary positions in a row, a 64-byte load crosses a cache
//! line, which halves the rate: 30 G products per second instead of 47.) The cost is that the lanes' parts
//! overlap by the kernel's halo.
//!
//! With a stride, each phase of the input is stored separately, so that neighbours in the output are
//! neighbours here too:
//!
//! ```text
//! stride 2     a b c d e        phase 0   a c e        output p reads phase 0 at p (tap 0),
//!                               phase 1   b d          phase 1 at p (tap 1), phase 0 at p + 1 (tap 2)
//! ```
//!
//! Large planes are cut into tiles, so that the tile's input of all channels stays in cache. Padding, stride and dilation
//! only affect this layout and the taps' offsets.

use super::shape::ConvShape;
use alloc::vec::Vec;

/// Parts of the plane: the floats of a vector.
pub const LANES: usize = 16;
/// The maximum width of a tile in vectors.
pub(super) const MAX_ACROSS: usize = 8;
/// The maximum height of a tile in vectors.
const MAX_DOWN: usize = 16;
/// Elements that four-wide copies may write or read past the end.
pub(super) const SLACK: usize = 4;

/// See the [module page](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub(super) shape: ConvShape,
    /// Lanes down and across: [`LANES`] together, across a multiple of four.
    pub(super) lanes: [usize; 2],
    /// Outputs of a lane in a tile, down and across.
    pub(super) block: [usize; 2],
}

/// Cycles per kept weight besides its products, per copied element, per stored element. Measured on Zen 4;
/// they choose between grids that compute the same.
const TAP_CYCLES: f64 = 1.3;
const FILL_CYCLES: f64 = 1.5;
const STORE_CYCLES: f64 = 1.0;
/// The density that grids are chosen for.
const DENSITY: f64 = 0.3;
/// Bytes of a tile's input that fit an L2 cache.
const TILE_BYTES: usize = 640 << 10;

impl Grid {
    /// The grid that should be fastest for that shape.
    pub fn new(shape: ConvShape) -> Self {
        let mut best = (f64::INFINITY, Self { shape, lanes: [4, 4], block: [1, 1] });
        for lanes in [[4, 4], [2, 8], [1, 16]] {
            for across in 1..=MAX_ACROSS {
                for down in 1..=MAX_DOWN {
                    let grid = Self { shape, lanes, block: [down, across] };
                    let cost = grid.cost();
                    if cost < best.0 {
                        best = (cost, grid);
                    }
                }
            }
        }
        best.1
    }

    /// Estimated cycles of the entire plane, for one input channel.
    pub fn cost(&self) -> f64 {
        let s = &self.shape;
        let per_output = s.outputs as f64 / s.channels as f64;
        let taps = (s.kernel[0] * s.kernel[1]) as f64 * DENSITY;
        let vectors = (self.block[0] * self.block[1]) as f64;
        let walks = crate::tile::n_tiles(self.block) as f64;
        let fill = (self.channel_len()) as f64 * FILL_CYCLES;
        let store = per_output * vectors * (STORE_CYCLES * LANES as f64 + 4.0);
        let mut compute = s.outputs as f64 * taps * (vectors + walks * TAP_CYCLES);
        if self.len() * 4 > TILE_BYTES {
            compute *= 1.3;
        }
        self.n_tiles() as f64 * (fill + store + compute)
    }

    /// The same where the input is only padded, or used in place, and vectors are unaligned.
    pub fn cost_without(shape: &ConvShape, is_padded: bool) -> f64 {
        let taps = (shape.outputs * shape.kernel[0] * shape.kernel[1]) as f64 * DENSITY;
        let [rows, across] = [shape.output[0], shape.output[1].div_ceil(LANES / 2)].map(|n| n as f64);
        let copied = if is_padded { (shape.size[0] * shape.size[1]) as f64 } else { 0.0 };
        // Half a cycle for half a vector, half of which cross a cache line.
        taps * (rows * across * 0.8 + across * rows / 12.0 * TAP_CYCLES) + copied
    }

    /// The shape of the input.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// Vectors of a tile of the output, down and across.
    pub fn block(&self) -> [usize; 2] {
        self.block
    }

    /// Floats of a tile of one output channel.
    pub fn tile_len(&self) -> usize {
        self.block[0] * self.block[1] * LANES
    }

    fn tiles(&self) -> [usize; 2] {
        [0, 1].map(|i| self.shape.output[i].div_ceil(self.lanes[i] * self.block[i]).max(1))
    }

    /// How many tiles the plane is cut into.
    pub fn n_tiles(&self) -> usize {
        self.tiles()[0] * self.tiles()[1]
    }

    /// Rows and vectors of one phase.
    pub(super) fn phase(&self) -> [usize; 2] {
        [0, 1].map(|i| {
            let reach = (self.block[i] - 1) * self.shape.stride[i] + self.shape.reach(i);
            reach.div_ceil(self.shape.stride[i])
        })
    }

    /// Row stride of a phase, in vectors.
    pub fn row_vectors(&self) -> usize {
        self.phase()[1] * self.shape.phases(1)
    }

    /// Floats of one channel of a tile.
    pub fn channel_len(&self) -> usize {
        self.phase()[0] * self.shape.phases(0) * self.row_vectors() * LANES
    }

    /// Floats of a tile of all input channels.
    pub fn len(&self) -> usize {
        self.shape.channels * self.channel_len()
    }

    /// Floats that [`fill`](Self::fill) needs room for.
    pub fn room(&self) -> usize {
        self.len() + SLACK * LANES
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The offsets of the taps, in vectors: `[channels, kernel h, kernel w]`.
    pub fn offsets(&self) -> Vec<u32> {
        let (s, [rows, _], row) = (&self.shape, self.phase(), self.row_vectors());
        let mut offsets = Vec::with_capacity(s.channels * s.kernel[0] * s.kernel[1]);
        for channel in 0..s.channels {
            for ky in 0..s.kernel[0] {
                for kx in 0..s.kernel[1] {
                    let [y, x] = [ky * s.dilation[0], kx * s.dilation[1]];
                    let line = (channel * s.phases(0) + y % s.stride[0]) * rows + y / s.stride[0];
                    offsets.push((line * row + x % s.stride[1] * self.phase()[1] + x / s.stride[1]) as u32);
                }
            }
        }
        offsets
    }

    /// First output row and column of a tile.
    pub(super) fn corner(&self, tile: usize) -> [usize; 2] {
        let across = self.tiles()[1];
        [tile / across * self.lanes[0] * self.block[0], tile % across * self.lanes[1] * self.block[1]]
    }

    /// The extent of one phase over all lanes: rows, and elements per row.
    pub(super) fn reach(&self) -> [usize; 2] {
        [0, 1].map(|i| (self.lanes[i] - 1) * self.block[i] + self.phase()[i])
    }

    /// Scratch floats for [`fill`](Self::fill).
    pub fn pad(&self) -> usize {
        let [n_rows, width] = self.reach();
        self.shape.phases(0) * n_rows * self.shape.phases(1) * (width + SLACK)
    }
}
