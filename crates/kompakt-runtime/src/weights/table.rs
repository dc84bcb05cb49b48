//! The matrix of an embedding: rows are decoded on demand, one by one.

use super::{CompressedRows, RowScratch, RowView, StoredWeights};
use crate::error::RuntimeError;

/// See the [module page](self).
#[derive(Debug)]
pub(crate) struct Table<'m> {
    weights: StoredWeights<'m>,
    /// All rows, where the file's rows cannot be read individually.
    rows: Option<CompressedRows>,
}

impl<'m> Table<'m> {
    /// Errors: a section that cannot be decoded.
    pub(crate) fn new(mut weights: StoredWeights<'m>) -> Result<Self, RuntimeError> {
        let rows = if weights.is_in_place() { None } else { Some(weights.take_rows()?) };
        Ok(Self { weights, rows })
    }

    /// How many rows it has.
    pub(crate) fn n_rows(&self) -> usize {
        self.weights.n_rows
    }

    /// Bytes of memory that it holds.
    pub(crate) fn n_bytes(&self) -> usize {
        self.rows.as_ref().map_or(self.weights.unpack_bytes(), CompressedRows::n_bytes)
    }

    /// Writes a row, zeros included.
    pub(crate) fn write_row(&self, row: usize, scratch: &mut RowScratch, y: &mut [f32]) {
        if let Some(rows) = &self.rows {
            return rows.write_row(row, y);
        }
        let book = self.weights.codebook();
        y.fill(0.0);
        self.weights.for_rows(row..row + 1, scratch, &mut |_, view| match view {
            RowView::Dense(codes) => {
                y.iter_mut().zip(codes).for_each(|(y, &code)| *y = book.table()[usize::from(code)]);
            }
            RowView::Sparse(columns, weights) => {
                for (i, &column) in columns.iter().enumerate() {
                    y[column as usize] = weights.value(book, i);
                }
            }
        });
    }
}
