//! One row of a matrix from the file, ready to be multiplied.

use alloc::vec::Vec;
use kompakt_entropy::{direct::Row, stream::TileDecoder};
use kompakt_format::FormatError;
use kompakt_kernels::{Isa, RowWeights};

/// One row, ready to be multiplied.
pub(crate) enum RowView<'a> {
    /// Every weight has a code.
    Dense(&'a [u8]),
    /// The kept weights.
    Sparse(&'a [u32], RowWeights<'a>),
}

/// Scratch for reading a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowScratch {
    pub(super) cols: Vec<u32>,
    pub(super) codes: Vec<u8>,
    pub(super) decoder: Option<TileDecoder>,
    /// A tile that could not be decoded: the file has changed since it was opened.
    pub(crate) error: Option<FormatError>,
}

impl RowScratch {
    /// Room for rows of that many kept weights.
    pub(crate) fn reserve(&mut self, n: usize) {
        if self.cols.len() < n {
            self.cols.resize(n, 0);
            self.codes.resize(n, 0);
        }
    }

    /// Unpacks a row of the tier `direct`.
    pub(super) fn unpack(&mut self, isa: Isa, row: Row<'_>, n_cols: usize) -> RowView<'_> {
        if let Row::Dense(dense) = row
            && !dense.has_zero()
        {
            let codes = &mut self.codes[..n_cols];
            dense.unpack(codes);
            return RowView::Dense(codes);
        }
        let n = row.decode_on(isa, &mut self.cols, &mut self.codes);
        RowView::Sparse(&self.cols[..n], RowWeights::Codes(&self.codes[..n]))
    }
}
