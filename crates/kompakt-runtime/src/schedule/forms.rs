//! In which form each layer could be run, what that takes in memory, and which form is the fastest.
//!
//! | form | where the weights are | when |
//! |---|---|---|
//! | `sliced` | memory | one image at a time |
//! | `sliced+columns` | memory, twice | the same, small, and zeros are likely in the input: then they are skipped |
//! | `dense codes`, `dense values` | memory | nothing (or little) is pruned, one image at a time |
//! | `taps` | memory | convolutions; batches |
//! | `from the file` | the file | the RAM budget leaves no room: rows are unpacked (`direct`) or tiles decoded (`stream`) at every run, and forgotten |

use super::{
    LayerSpec,
    costs::{self, Candidate, Costs},
};
use crate::weights::StoredWeights;
use kompakt_kernels::{ColumnMatrix, Isa, SlicedMatrix, TapLayout, TapMatrix, columns};

/// The largest column form that is kept beside the row form.
const MAX_COLUMNS_BYTES: usize = 1 << 19;
/// Floats of `x` that a block of columns of a batch reaches over: a part of an L2 that leaves room for the weights.
const BATCH_BLOCK: usize = 1 << 15;
/// The name of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormKind {
    Sliced,
    SlicedAndColumns,
    DenseCodes,
    DenseValues,
    Taps,
    FromFile,
}

impl FormKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sliced => "sliced",
            Self::SlicedAndColumns => "sliced+columns",
            Self::DenseCodes => "dense codes",
            Self::DenseValues => "dense values",
            Self::Taps => "taps",
            Self::FromFile => "from the file",
        }
    }
}

/// A layer's choice of form: what it would hold, and what a run would cost.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) form: FormKind,
    pub(crate) bytes: usize,
    /// The forms that it was chosen from, and nanoseconds of a run by the table; none where there is no other.
    pub(crate) costs: Vec<(FormKind, f64)>,
}

/// The layout of a layer's columns for the tap form.
pub(crate) fn tap_layout(spec: &LayerSpec, weights: &StoredWeights<'_>, max_batch: usize) -> TapLayout {
    let StoredWeights { n_rows, n_cols, n_kept, .. } = *weights;
    match &spec.conv {
        None => TapLayout::linear(n_cols, BATCH_BLOCK / max_batch),
        Some(conv) => conv.columns(n_kept as f32 / (n_rows * n_cols).max(1) as f32),
    }
}

/// What running a layer from the file takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromFile {
    /// Bytes that the layer holds.
    pub(crate) held: usize,
    /// Bytes that each thread works in.
    pub(crate) scratch: usize,
}

/// The bytes that [`FormKind::FromFile`] takes for a layer whose fastest form is `form`.
pub(crate) fn from_file_bytes(
    spec: &LayerSpec,
    weights: &StoredWeights<'_>,
    form: FormKind,
    max_batch: usize,
) -> FromFile {
    let row = weights.unpack_bytes();
    match form {
        FormKind::Sliced | FormKind::SlicedAndColumns => FromFile { held: 0, scratch: row },
        FormKind::DenseCodes | FormKind::DenseValues => {
            FromFile { held: 1024, scratch: row + weights.n_cols }
        }
        FormKind::Taps | FormKind::FromFile => {
            let layout = tap_layout(spec, weights, max_batch);
            let rows = weights.rows_at_once();
            let taps =
                TapMatrix::estimate_bytes(&layout, rows, weights.max_kept_at_once(), weights.is_coded());
            FromFile { held: layout.n_bytes(), scratch: row + taps + 1024 + tile_bytes(spec) }
        }
    }
}

/// Bytes of a tile's or a line's input and sums.
fn tile_bytes(spec: &LayerSpec) -> usize {
    spec.conv.map_or(0, |conv| conv.scratch_bytes(spec.feeds_depthwise))
}

/// Bytes that each thread works in for a layer of that form.
pub(crate) fn scratch_bytes(
    spec: &LayerSpec,
    weights: &StoredWeights<'_>,
    form: FormKind,
    fastest: FormKind,
    max_batch: usize,
) -> usize {
    match form {
        FormKind::FromFile => from_file_bytes(spec, weights, fastest, max_batch).scratch,
        FormKind::SlicedAndColumns => 4 * (weights.n_cols + 4 * weights.n_rows + 20),
        _ => tile_bytes(spec),
    }
}

/// The fastest form of a layer, and its size. `max_batch` is how many images are run at once.
pub(crate) fn fastest(spec: &LayerSpec, weights: &StoredWeights<'_>, isa: Isa, max_batch: usize) -> Choice {
    let (n_rows, n_cols, n_kept) = (weights.n_rows, weights.n_cols, weights.n_kept);
    if spec.conv.is_some() || max_batch > 1 {
        let layout = tap_layout(spec, weights, max_batch);
        let bytes = TapMatrix::estimate_bytes(&layout, n_rows, n_kept, weights.is_coded()) + layout.n_bytes();
        return Choice { form: FormKind::Taps, bytes, costs: Vec::new() };
    }
    let (costs, levels, total) = (Costs::of(isa), weights.n_levels(), n_rows * n_cols);
    let mut candidates = Vec::new();
    if n_cols <= kompakt_kernels::sliced::MAX_COLS {
        let sliced = SlicedMatrix::estimate_bytes(n_rows, n_kept, levels);
        let columns = ColumnMatrix::estimate_bytes(n_cols, n_kept);
        let has_columns = spec.input_has_zeros && columns <= MAX_COLUMNS_BYTES && n_rows <= columns::MAX_ROWS;
        let (form, bytes) = match has_columns {
            true => (FormKind::SlicedAndColumns, sliced + columns),
            false => (FormKind::Sliced, sliced),
        };
        candidates.push(Candidate { form, bytes, ns: costs.sliced(n_kept, levels) });
    }
    // A pruned weight takes one more code.
    let all_levels = levels.map(|n| n + usize::from(!weights.is_full()));
    match all_levels {
        Some(n) if n <= 256 => candidates.push(Candidate {
            form: FormKind::DenseCodes,
            bytes: total + 1024,
            ns: costs.dense_codes(total, n),
        }),
        None if weights.is_full() => candidates.push(Candidate {
            form: FormKind::DenseValues,
            bytes: total * 4,
            ns: costs.dense_values(total),
        }),
        _ => {}
    }
    // A dense form of a matrix that is too wide for others would be large where little is kept.
    let is_wide_and_pruned = n_cols > kompakt_kernels::sliced::MAX_COLS && n_kept * 3 < total;
    match costs::best(&candidates) {
        Some(best) if !is_wide_and_pruned => {
            let costs = candidates.iter().map(|c| (c.form, c.ns)).collect();
            Choice { form: best.form, bytes: best.bytes, costs }
        }
        _ => {
            let layout = tap_layout(spec, weights, max_batch);
            let taps = TapMatrix::estimate_bytes(&layout, n_rows, n_kept, weights.is_coded());
            Choice { form: FormKind::Taps, bytes: taps + layout.n_bytes(), costs: Vec::new() }
        }
    }
}

/// How many times the usual number of rows is unpacked together: where a plane is cut into tiles, every tile is laid out
/// anew for each part of the rows.
pub(crate) fn more_at_once(spec: &LayerSpec) -> usize {
    if spec.conv.is_some_and(|conv| conv.is_cut()) { 8 } else { 1 }
}

/// From which density on a layer's form depends on how many weights are kept.
pub(crate) fn exact_from(spec: &LayerSpec, isa: Isa, max_batch: usize, n_levels: usize) -> f64 {
    if spec.conv.is_some() || max_batch > 1 { f64::INFINITY } else { Costs::of(isa).dense_from(n_levels) }
}
