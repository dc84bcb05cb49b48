//! The positions that a matrix is multiplied with.

/// The positions that each weight is multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows of positions.
    pub rows: usize,
    /// Positions in a row, contiguous in `x` and `y`.
    pub cols: usize,
    /// Row stride in `x`.
    pub x_stride: usize,
    /// Row stride in `y`.
    pub y_stride: usize,
}

impl Window {
    /// `n` contiguous positions.
    pub fn line(n: usize) -> Self {
        Self { rows: 1, cols: n, x_stride: n, y_stride: n }
    }

    /// The same positions in as few rows as possible.
    pub(super) fn flat(self) -> Self {
        if self.x_stride == self.cols && self.y_stride == self.cols {
            Self::line(self.rows.saturating_mul(self.cols))
        } else {
            self
        }
    }

    /// One past the last position at that stride; `usize::MAX` if that is more.
    pub(crate) fn reach(&self, stride: usize) -> usize {
        if self.rows == 0 || self.cols == 0 {
            return 0;
        }
        (self.rows - 1).saturating_mul(stride).saturating_add(self.cols)
    }
}
