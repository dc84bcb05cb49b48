//! An image in its frame of zeros, which makes padding free: a window that reaches outside reads a zero.
//!
//! ```text
//!   0 0 0 0 0 0
//!   0 x x x x 0     two lines of four cells, a frame of one
//!   0 x x x x 0
//!   0 0 0 0 0 0
//! ```

use crate::lanes::{Cell, zero};

/// No cell: what a padded view reads there is zero.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A plane of `height` by `width` cells with a frame on every side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plane {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) frame: usize,
}

impl Plane {
    /// A single cell.
    pub(crate) const CELL: Self = Self { height: 1, width: 1, frame: 0 };

    /// Cells from one line to the next.
    pub(crate) fn pitch(&self) -> usize {
        self.width + 2 * self.frame
    }

    /// Cells with the frame.
    pub(crate) fn len(&self) -> usize {
        (self.height + 2 * self.frame) * self.pitch()
    }

    /// The offset of a cell; `row` and `column` count from inside the frame.
    pub(crate) fn at(&self, row: usize, column: usize) -> usize {
        (row + self.frame) * self.pitch() + column + self.frame
    }

    /// The cells inside the frame, line by line.
    pub(crate) fn inside(&self) -> impl Iterator<Item = usize> {
        let plane = *self;
        (0..plane.height).flat_map(move |r| (0..plane.width).map(move |c| plane.at(r, c)))
    }
}

/// Sets the frames of all planes to zero.
#[inline(always)]
pub(crate) fn clear_frames(plane: Plane, x: &mut [Cell]) {
    let (frame, pitch) = (plane.frame, plane.pitch());
    for plane_of_x in x.chunks_exact_mut(plane.len()) {
        let (above, rest) = plane_of_x.split_at_mut(frame * pitch);
        let (lines, below) = rest.split_at_mut(plane.height * pitch);
        above.fill(zero());
        below.fill(zero());
        for line in lines.chunks_exact_mut(pitch) {
            line[..frame].fill(zero());
            line[pitch - frame..].fill(zero());
        }
    }
}
