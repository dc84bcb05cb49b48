//! The forms of a layer's weights, and the construction of those in memory.

use super::{Target, dense_codes::DenseCodes, from_file::FromFile};
use crate::{
    schedule::{
        LayerSpec,
        costs::Costs,
        forms::{FormKind, tap_layout},
        int8,
    },
    weights::{CompressedRows, StoredWeights},
};
use alloc::{sync::Arc, vec::Vec};
use kompakt_kernels::{
    ColumnMatrix, Int8Rows, LaneMatrix, RowWeights, SlicedMatrix, WindowForm, WindowMatrix,
};

/// The weights of a layer in their execution form.
#[derive(Debug)]
pub(crate) enum Form {
    Sliced(SlicedMatrix),
    /// With the fraction of nonzero inputs below which columns are faster.
    SlicedAndColumns(SlicedMatrix, ColumnMatrix, f32),
    DenseCodes(DenseCodes),
    DenseValues(Vec<f32>, usize),
    /// Elements of four bytes, and how many a row has.
    Int8Rows(Vec<f32>, usize),
    Windows(WindowMatrix),
    Lanes(LaneMatrix),
    FromFile(FromFile),
}

impl Form {
    /// Builds a form from the rows of a layer.
    pub(crate) fn in_memory(
        spec: &LayerSpec,
        weights: &StoredWeights<'_>,
        rows: &CompressedRows,
        target: &Target,
    ) -> Self {
        let sliced = || SlicedMatrix::build_for(target.isa, rows);
        let form = match target.form {
            FormKind::Sliced => sliced().map(Self::Sliced),
            FormKind::SlicedAndColumns => {
                let costs = Costs::of(target.isa);
                let below =
                    costs.columns_below([weights.n_rows, weights.n_cols], weights.n_kept, weights.n_levels());
                sliced().zip(ColumnMatrix::build(rows)).map(|(s, c)| Self::SlicedAndColumns(s, c, below))
            }
            FormKind::DenseCodes => Some(Self::DenseCodes(DenseCodes::build(rows, weights))),
            FormKind::DenseValues => Some(dense_values(rows)),
            FormKind::Lanes => Some(Self::Lanes(LaneMatrix::build(rows))),
            FormKind::Taps
            | FormKind::Panels
            | FormKind::Int8Rows
            | FormKind::Int8Sliced
            | FormKind::Int8Taps
            | FormKind::Int8Panels
            | FormKind::FromFile => None,
        };
        form.unwrap_or_else(|| {
            let layout = Arc::new(tap_layout(spec, weights, target.max_batch));
            let form = target.form.for_windows().unwrap_or(WindowForm::Taps);
            Self::Windows(WindowMatrix::build(form, &layout, rows))
        })
    }

    /// Builds a form from weights as bytes.
    pub(super) fn of_bytes(spec: &LayerSpec, rows: Int8Rows, target: &Target) -> Self {
        let form = match target.form {
            FormKind::Int8Sliced => SlicedMatrix::build(&rows).map(Self::Sliced),
            _ => None,
        };
        if let Some(form) = form {
            return form;
        }
        match target.form.for_windows() {
            Some(form) => {
                let layout = int8::layout(spec, &rows, spec.max_vectors(target.max_batch));
                Self::Windows(WindowMatrix::of_bytes(form, &Arc::new(layout), &rows, target.isa))
            }
            None => {
                let n_cols = rows.elements().len() / rows.scales().len().max(1);
                Self::Int8Rows(rows.into_elements(), n_cols)
            }
        }
    }

    /// Whether it is for windows of positions.
    pub(crate) fn is_for_windows(&self) -> bool {
        matches!(self, Self::Windows(_))
    }

    /// The bytes of memory that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Sliced(m) => m.n_bytes(),
            Self::SlicedAndColumns(m, c, _) => m.n_bytes() + c.n_bytes(),
            Self::DenseCodes(codes) => codes.n_bytes(),
            Self::DenseValues(values, _) | Self::Int8Rows(values, _) => values.len() * 4,
            Self::Windows(m) => m.n_bytes(),
            Self::Lanes(m) => m.n_bytes(),
            Self::FromFile(from_file) => from_file.n_bytes(),
        }
    }
}

/// The values of a layer without a codebook and with nothing pruned.
fn dense_values(rows: &CompressedRows) -> Form {
    let mut values = Vec::with_capacity(rows.n_rows() * rows.n_cols());
    rows.for_each(&mut |_, _, entries| {
        if let RowWeights::Values(row) = entries {
            values.extend_from_slice(row);
        }
    });
    Form::DenseValues(values, rows.n_cols())
}
