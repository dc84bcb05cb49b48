//! Memory for cells, on a cache line's boundary: two neighbours never lie on three lines.

use crate::lanes::{Cell, zero};
use std::ops::{Deref, DerefMut};

/// A cache line, in bytes.
const LINE: usize = 64;

/// Cells, the first of them at the start of a cache line.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    floats: Vec<f32>,
    /// Floats before the first cell.
    skip: usize,
    n: usize,
}

impl Cells {
    /// So many zeros.
    pub(crate) fn new(n: usize) -> Self {
        let mut cells = Self::default();
        cells.clear(n);
        cells
    }

    /// Makes this so many zeros.
    pub(crate) fn clear(&mut self, n: usize) {
        let wanted = n * 8 + LINE / 4;
        if self.floats.len() < wanted {
            self.floats = vec![0.0; wanted];
            self.skip = self.floats.as_ptr().align_offset(LINE).min(LINE / 4);
            self.n = n;
        } else {
            self.n = n;
            self.fill(zero());
        }
    }
}

impl Deref for Cells {
    type Target = [Cell];

    #[inline(always)]
    fn deref(&self) -> &[Cell] {
        self.floats[self.skip..][..self.n * 8].as_chunks::<8>().0.as_chunks::<1>().0
    }
}

impl DerefMut for Cells {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [Cell] {
        self.floats[self.skip..][..self.n * 8].as_chunks_mut::<8>().0.as_chunks_mut::<1>().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_begin_on_a_line_and_are_zero_again() {
        let mut cells = Cells::new(5);
        assert_eq!((cells.as_ptr() as usize % LINE, cells.len()), (0, 5));
        cells.fill([[1.0; 8]]);
        for n in [3, 400, 5] {
            cells.clear(n);
            assert_eq!((cells.as_ptr() as usize % LINE, cells.len()), (0, n));
            assert!(cells.iter().all(|cell| *cell == zero()));
            cells.fill([[2.0; 8]]);
        }
    }
}
