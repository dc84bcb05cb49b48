//! A [`PanelMatrix`] of bytes in [runs](crate::int8::runs), for instruction sets that are faster so.
//!
//! ```text
//! four rows    a list of columns in their own order: the offset of each, and the bytes of the four rows; columns without
//!              weights are left out
//! ```

use crate::{
    Epilogue, Isa, PanelMatrix, Window,
    arch::run_runs,
    int8::runs,
    matrix::panels::checked,
    tile::panel::{ColumnsInRuns, GROUP, Panels},
};
use alloc::vec::Vec;
use core::ops::Range;

/// See the [module page](self).
#[derive(Debug, Clone)]
pub struct PanelsInRuns {
    n_rows: usize,
    /// Where the list of each group of four rows starts, then the end.
    starts: Vec<u32>,
    /// Of each column of a list, and of each head: one of the layout's, so at most `max_offset`. Only `new` writes both.
    offsets: Vec<u32>,
    max_offset: usize,
    /// As many.
    weights: Vec<[f32; GROUP]>,
}

impl PanelsInRuns {
    /// The same rows. Panics: unless they hold bytes.
    pub(crate) fn new(panels: &PanelMatrix) -> Self {
        let (offsets, max_offset) = (panels.offsets(), panels.max_offset());
        let (mut starts, mut list) = (Vec::from([0]), Vec::new());
        for group in panels.groups_of_bytes() {
            let all = offsets.iter().copied().zip(group.iter().copied());
            let elements: Vec<_> =
                all.filter(|(_, weights)| weights.iter().any(|w| w.to_bits() != 0)).collect();
            runs::append(&elements, &mut list);
            assert!(u32::try_from(list.len()).is_ok(), "more than 2^32 entries");
            starts.push(list.len() as u32);
        }
        let (offsets, weights) = list.into_iter().unzip();
        Self { n_rows: panels.n_rows(), starts, offsets, max_offset, weights }
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        4 * (self.starts.len() + (1 + GROUP) * self.offsets.len())
    }

    /// As [`PanelMatrix::apply`].
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn apply(
        &self,
        isa: Isa,
        rows: Range<usize>,
        x: &[f32],
        scale: usize,
        window: Window,
        epilogue: Epilogue<'_>,
        y: &mut [f32],
        y_plane: usize,
    ) {
        let Self { n_rows, starts, offsets, max_offset, weights } = self;
        let size = [*n_rows, *max_offset];
        let Some(window) = checked(size, &rows, x, scale, window, epilogue, y, y_plane) else { return };
        let first = rows.start / GROUP;
        let columns = ColumnsInRuns { starts: &starts[first..], offsets, weights, scale };
        let (first_row, window, carry) = (first * GROUP, &window, false);
        run_runs(isa, Panels { columns, first_row, rows, x, window, carry, epilogue, y, y_plane });
    }
}
