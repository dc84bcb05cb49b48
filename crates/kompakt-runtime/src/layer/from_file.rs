//! Layers that run from the file: rows are unpacked, multiplied and discarded.

use super::{Scratch, Target, dense_codes::DenseBook};
use crate::{
    schedule::{
        LayerSpec,
        forms::{FormKind, tap_layout},
    },
    weights::{RowScratch, RowView, StoredWeights},
};
use alloc::sync::Arc;
use core::ops::Range;
use kompakt_kernels::{Epilogue, Isa, LaneMatrix, RowWeights, TapLayout, WindowForm, WindowMatrix, dense};

/// How rows from the file are multiplied: as in the form that the layer has when memory allows, with the same
/// bits.
#[derive(Debug)]
pub(crate) enum FromFile {
    /// Row by row as decoded: interleaving them costs more than multiplying them once.
    Rows,
    /// Codes of all weights.
    Dense(DenseBook),
    Windows(WindowForm, Arc<TapLayout>),
    /// For vectors one after another.
    Lanes,
}

impl FromFile {
    pub(super) fn new(spec: &LayerSpec, weights: &StoredWeights<'_>, target: &Target) -> Self {
        match target.fastest {
            FormKind::Sliced | FormKind::SlicedAndColumns => Self::Rows,
            FormKind::DenseCodes => Self::Dense(DenseBook::of(weights)),
            FormKind::Lanes => Self::Lanes,
            form @ (FormKind::DenseValues
            | FormKind::Taps
            | FormKind::Panels
            | FormKind::Int8Rows
            | FormKind::Int8Sliced
            | FormKind::Int8Taps
            | FormKind::Int8Panels
            | FormKind::FromFile) => {
                let layout = Arc::new(tap_layout(spec, weights, target.max_batch));
                Self::Windows(form.for_windows().unwrap_or(WindowForm::Taps), layout)
            }
        }
    }

    /// The bytes of memory that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Windows(_, layout) => layout.n_bytes(),
            Self::Dense(book) => book.n_bytes(),
            Self::Rows | Self::Lanes => 0,
        }
    }
}

/// Rows from the file against one vector.
pub(super) fn sparse_rows(
    isa: Isa,
    weights: &StoredWeights<'_>,
    rows: Range<usize>,
    scratch: &mut RowScratch,
    x: &[f32],
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let (book, first, x) = (weights.codebook(), rows.start, &x[..weights.n_cols]);
    weights.for_rows(rows, scratch, &mut |row, view| {
        let sum = match view {
            RowView::Sparse(cols, RowWeights::Codes(codes)) => dense::dot_sparse(isa, cols, codes, book, x),
            RowView::Sparse(cols, RowWeights::Values(values)) => {
                dense::dot_sparse_values(isa, cols, values, x)
            }
            RowView::Dense(codes) => dense::dot_sparse_full(isa, codes, book, x),
        };
        y[row - first] = epilogue.apply(row - first, sum);
    });
}

/// Rows from the file against one vector, pruned weights as zeros.
#[expect(clippy::too_many_arguments, reason = "a layer's operands")]
pub(super) fn dense_rows(
    isa: Isa,
    weights: &StoredWeights<'_>,
    book: &DenseBook,
    rows: Range<usize>,
    scratch: &mut Scratch,
    x: &[f32],
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let Scratch { row, codes: all, .. } = scratch;
    let (first, x) = (rows.start, &x[..weights.n_cols]);
    all.resize(weights.n_cols.max(all.len()), 0);
    let all = &mut all[..weights.n_cols];
    weights.for_rows(rows, row, &mut |row, view| {
        y[row - first] = epilogue.apply(row - first, book.dot(isa, view, all, x));
    });
}

/// Unpacks rows from the file into the scratch.
pub(super) fn unpacked<'s>(
    (form, layout): (WindowForm, &Arc<TapLayout>),
    weights: &StoredWeights<'_>,
    rows: Range<usize>,
    row: &mut RowScratch,
    unpacked: &'s mut Option<WindowMatrix>,
) -> &'s WindowMatrix {
    let unpacked = unpacked.get_or_insert_with(|| WindowMatrix::new(form, layout, None));
    let book = weights.is_coded().then(|| weights.codebook());
    unpacked.reset(form, layout, book, rows.len(), weights.max_kept_at_once());
    weights.for_rows(rows, row, &mut |_, view| match view {
        RowView::Dense(codes) => unpacked.push_full_row(codes),
        RowView::Sparse(cols, weights) => unpacked.push_row(cols, weights),
    });
    unpacked
}

/// The same, for vectors one after another.
pub(super) fn unpacked_lanes<'s>(
    weights: &StoredWeights<'_>,
    rows: Range<usize>,
    row: &mut RowScratch,
    unpacked: &'s mut Option<LaneMatrix>,
) -> &'s LaneMatrix {
    let unpacked = unpacked.get_or_insert_with(|| LaneMatrix::new(weights.n_cols, None));
    unpacked.reset(weights.n_cols, weights.is_coded().then(|| weights.codebook()));
    unpacked.reserve(rows.len());
    weights.for_rows(rows, row, &mut |_, view| match view {
        RowView::Dense(codes) => unpacked.push_full_row(codes),
        RowView::Sparse(cols, weights) => unpacked.push_row(cols, weights),
    });
    unpacked
}
