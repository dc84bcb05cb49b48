//! A row of weights as a stack of small pictures, and which neighbours of a weight are there.
//!
//! ```text
//! row      [planes, height, width]     a kernel a channel; an image; or one line, where nothing is known
//!
//! this row          the row before        the plane before
//!   .  U2 .            .  u  .               P
//!   UL U  UR           l  A  r
//!  L2 L  x             .  d  .
//! ```

use super::stream::Hints;
use crate::MaskedCodes;
use alloc::vec::Vec;

/// Neighbours as bits, so numbered that every context is a run of them; in the order of [`Picture::offsets`].
pub(crate) mod near {
    pub(crate) const LEFT_2: u32 = 0;
    pub(crate) const UP_RIGHT: u32 = 1;
    pub(crate) const UP_LEFT: u32 = 2;
    pub(crate) const PLANE: u32 = 3;
    pub(crate) const UP: u32 = 4;
    pub(crate) const LEFT: u32 = 5;
    pub(crate) const ABOVE: u32 = 6;
    pub(crate) const ABOVE_LEFT: u32 = 7;
    pub(crate) const ABOVE_RIGHT: u32 = 8;
    pub(crate) const ABOVE_UP: u32 = 9;
    pub(crate) const ABOVE_DOWN: u32 = 10;
    pub(crate) const ABOVE_2: u32 = 11;
    pub(crate) const ABOVE_3: u32 = 12;
    pub(crate) const UP_2: u32 = 13;
    pub(crate) const COUNT: usize = 14;
    /// How many rows back each is.
    pub(crate) const ROWS_BACK: [usize; COUNT] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 0];
}

/// What kind of layer it is: each has its own start weights and mixers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A linear layer that reads a flattened picture.
    Image = 0,
    /// A convolution.
    Kernel = 1,
    /// Anything else: a row is one line.
    Line = 2,
}

/// The geometry of a row.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) kind: Kind,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// How far back or ahead in memory each neighbour is, in its own row: negative is back.
    pub(crate) offsets: [isize; near::COUNT],
    /// For each position of a plane, which neighbours lie within it; `PLANE` and the rows above are all set.
    inside: Vec<u32>,
}

impl Picture {
    pub(crate) fn new(shape: &MaskedCodes<'_>, hints: &Hints<'_>) -> Self {
        let kind = match hints.grid {
            _ if shape.taps > 1 => Kind::Kernel,
            Some((height, width)) if height * width > 1 => Kind::Image,
            _ => Kind::Line,
        };
        let (height, width) = match (kind, hints.grid) {
            (Kind::Line, _) => (1, shape.row_len()),
            (_, Some(grid)) => grid,
            (_, None) => (1, shape.taps),
        };
        let (w, area) = (width as isize, (height * width) as isize);
        let offsets = [-2, 1 - w, -1 - w, -area, -w, -1, 0, -1, 1, -w, w, 0, 0, -2 * w];
        let inside = (0..height).flat_map(|y| (0..width).map(move |x| inside(y, x, height, width))).collect();
        Self { kind, height, width, offsets, inside }
    }

    pub(crate) fn area(&self) -> usize {
        self.height * self.width
    }

    /// How much the neighbours in the same plane weigh together: two each, one at a corner.
    #[inline(always)]
    pub(crate) fn n_near(&self, y: usize, x: usize) -> usize {
        let span = |at: usize, len: usize| 2 + usize::from(at > 0) + usize::from(at + 1 < len);
        span(y, self.height) * span(x, self.width) - 4
    }

    /// How far a neighbour is away at most.
    pub(crate) fn margin(&self) -> usize {
        self.area().max(2 * self.width).max(2) + 1
    }

    /// Which neighbours are there, at position `place` of plane `plane` of row `row`.
    #[inline(always)]
    pub(crate) fn present(&self, row: usize, plane: usize, place: usize) -> u32 {
        const ROW_1: u32 = (1 << near::ABOVE_2) - (1 << near::ABOVE);
        let mut absent = match row {
            0 => ROW_1 | 1 << near::ABOVE_2 | 1 << near::ABOVE_3,
            1 => 1 << near::ABOVE_2 | 1 << near::ABOVE_3,
            2 => 1 << near::ABOVE_3,
            _ => 0,
        };
        if plane == 0 {
            absent |= 1 << near::PLANE;
        }
        self.inside[place] & !absent
    }
}

fn inside(y: usize, x: usize, height: usize, width: usize) -> u32 {
    let bit = |condition: bool, neighbour: u32| u32::from(condition) << neighbour;
    bit(x >= 1, near::LEFT)
        | bit(x >= 2, near::LEFT_2)
        | bit(y >= 1, near::UP)
        | bit(y >= 1 && x + 1 < width, near::UP_RIGHT)
        | bit(y >= 1 && x >= 1, near::UP_LEFT)
        | bit(y >= 2, near::UP_2)
        | bit(true, near::PLANE)
        | bit(true, near::ABOVE)
        | bit(x >= 1, near::ABOVE_LEFT)
        | bit(x + 1 < width, near::ABOVE_RIGHT)
        | bit(y >= 1, near::ABOVE_UP)
        | bit(y + 1 < height, near::ABOVE_DOWN)
        | bit(true, near::ABOVE_2)
        | bit(true, near::ABOVE_3)
}
