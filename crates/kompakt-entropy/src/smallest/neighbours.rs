//! Which neighbours of a weight are kept, as bits.
//!
//! Few weights are kept, so each kept one notifies its neighbours, rather than each weight looking at its
//! own:
//!
//! ```text
//! keep(column):   word of the weight on its right |= LEFT, of the one below |= UP, of the one in the next row |= ABOVE …
//! ```
//!
//! Words also take notice across the ends of lines and planes; what is not there is masked out by
//! [`Picture::present`].

use super::picture::{Picture, near};
use alloc::{vec, vec::Vec};

/// The words of the row at hand and of the three to come.
pub(crate) struct Neighbours {
    rows: [Vec<u16>; 4],
    /// For each neighbour, where a weight finds the word that has it as this neighbour.
    targets: [(usize, usize); near::COUNT],
    margin: usize,
}

impl Neighbours {
    pub(crate) fn new(row_len: usize, picture: &Picture) -> Self {
        let margin = picture.margin();
        let row = || vec![0; row_len + 2 * margin];
        let target = |i: usize| (near::ROWS_BACK[i], margin.wrapping_add_signed(-picture.offsets[i]));
        Self { rows: [row(), row(), row(), row()], targets: core::array::from_fn(target), margin }
    }

    /// Moves on to the next row.
    pub(crate) fn advance(&mut self) {
        self.rows[0].fill(0);
        self.rows.rotate_left(1);
    }

    /// The kept ones of all neighbours of a column.
    #[inline(always)]
    pub(crate) fn of(&self, column: usize) -> u32 {
        u32::from(self.rows[0][self.margin + column])
    }

    /// The weight in this column is kept.
    #[inline(always)]
    pub(crate) fn keep(&mut self, column: usize) {
        for (i, &(row, target)) in self.targets.iter().enumerate() {
            self.rows[row][target + column] |= 1 << i;
        }
    }
}
