//! The forms in which a layer can run, their memory, and the choice of the fastest.
//!
//! | form | where the weights are | when |
//! |---|---|---|
//! | `sliced` | memory | one image at a time |
//! | `sliced+columns` | memory, twice | the same, small, not [in pages](Costs::has_pages), and zeros are likely in the input: then they are skipped |
//! | `dense codes`, `dense values` | memory | nothing (or little) is pruned, one image at a time; where levels are [in whole steps](kompakt_kernels::Codebook::in_steps), from a density of about a quarter on |
//! | `taps` | memory | convolutions; batches |
//! | `lanes` | memory | most weights are kept, and vectors lie one after another: recurrent layers, features last |
//! | `panels` | memory | the same where most weights are kept: skipping the others would be slower |
//! | `int8 rows`, `int8 sliced` | memory | with int8 activations: all elements of four weights, or those that are not all zero, one image at a time |
//! | `int8 taps`, `int8 panels` | memory | the same for convolutions and batches |
//! | `from the file` | the file | the RAM budget is too small: rows are unpacked (`direct`) or tiles decoded (`stream`) at every run, and discarded |

use super::{
    LayerSpec,
    costs::{self, Candidate, Costs},
};
use crate::weights::StoredWeights;
use alloc::{vec, vec::Vec};
use kompakt_kernels::{
    ColumnMatrix, Convolution, Isa, LaneMatrix, Levels, PanelMatrix, Part, SlicedMatrix, TapLayout,
    TapMatrix, WindowForm, columns,
};

/// The largest column form that is kept beside the row form.
const MAX_COLUMNS_BYTES: usize = 1 << 19;
/// Floats of `x` spanned by a block of columns of a batch: a part of an L2 cache that leaves room for the
/// weights.
pub(crate) const BATCH_BLOCK: usize = 1 << 15;
/// Of so many weights in whole steps, one may have a level that is too far from the others for a byte; it takes eight bytes more.
pub(crate) const WEIGHTS_PER_FAR: usize = 512;

/// The name of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormKind {
    Sliced,
    SlicedAndColumns,
    DenseCodes,
    DenseValues,
    Lanes,
    Taps,
    Panels,
    Int8Rows,
    Int8Sliced,
    Int8Taps,
    Int8Panels,
    FromFile,
}

impl FormKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sliced => "sliced",
            Self::SlicedAndColumns => "sliced+columns",
            Self::DenseCodes => "dense codes",
            Self::DenseValues => "dense values",
            Self::Lanes => "lanes",
            Self::Taps => "taps",
            Self::Panels => "panels",
            Self::Int8Rows => "int8 rows",
            Self::Int8Sliced => "int8 sliced",
            Self::Int8Taps => "int8 taps",
            Self::Int8Panels => "int8 panels",
            Self::FromFile => "from the file",
        }
    }

    /// The form for windows of positions, if it is one.
    pub(crate) fn for_windows(self) -> Option<WindowForm> {
        match self {
            Self::Taps | Self::Int8Taps => Some(WindowForm::Taps),
            Self::Panels | Self::Int8Panels => Some(WindowForm::Panels),
            Self::Sliced
            | Self::SlicedAndColumns
            | Self::DenseCodes
            | Self::DenseValues
            | Self::Lanes
            | Self::Int8Rows
            | Self::Int8Sliced
            | Self::FromFile => None,
        }
    }

    fn of_windows(form: WindowForm) -> Self {
        match form {
            WindowForm::Taps => Self::Taps,
            WindowForm::Panels => Self::Panels,
        }
    }
}

/// A form for a layer, with its memory and the cost of a run.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) form: FormKind,
    pub(crate) bytes: usize,
    /// Nanoseconds of a run by the table.
    pub(crate) ns: f64,
    /// The same if nothing were pruned, and weights were values.
    pub(crate) dense_ns: f64,
    /// For a convolution: the one with the best input layout for the form.
    pub(crate) conv: Option<Convolution>,
    /// The candidate forms, and nanoseconds of a run by the table; empty where there is no alternative.
    pub(crate) costs: Vec<(FormKind, f64)>,
}

/// The layout of a layer's columns in a form for windows.
pub(crate) fn tap_layout(spec: &LayerSpec, weights: &StoredWeights<'_>, max_batch: usize) -> TapLayout {
    layout_of(spec.conv.as_ref(), weights, spec.max_vectors(max_batch))
}

fn layout_of(conv: Option<&Convolution>, weights: &StoredWeights<'_>, max_batch: usize) -> TapLayout {
    let StoredWeights { n_rows, n_cols, n_kept, .. } = *weights;
    match conv {
        None => TapLayout::linear(n_cols, BATCH_BLOCK / max_batch),
        Some(conv) => conv.columns(n_kept as f32 / (n_rows * n_cols).max(1) as f32),
    }
}

/// The memory needed to run a layer from the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromFile {
    /// Bytes that the layer holds.
    pub(crate) held: usize,
    /// Scratch bytes per thread.
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
        // Layers over bytes stay in memory.
        FormKind::Int8Rows | FormKind::Int8Sliced | FormKind::Int8Taps | FormKind::Int8Panels => {
            FromFile { held: 0, scratch: 0 }
        }
        FormKind::Sliced | FormKind::SlicedAndColumns => FromFile { held: 0, scratch: row },
        FormKind::DenseCodes | FormKind::DenseValues => {
            let books = match weights.levels().map_or(Part::None, |levels| levels.in_steps) {
                Part::None => 1,
                Part::All => 3,
                Part::Most => 4,
            };
            FromFile { held: 1024 * books, scratch: row + weights.n_cols }
        }
        FormKind::Lanes => {
            let (rows, n_cols, is_coded) = (weights.rows_at_once(), weights.n_cols, weights.is_coded());
            let unpacked = LaneMatrix::estimate_bytes(rows, n_cols, is_coded);
            let panels = LaneMatrix::scratch_bytes(rows, n_cols, is_coded);
            let products = 4 * rows * spec.max_vectors(max_batch);
            FromFile { held: 0, scratch: row + unpacked + panels + products }
        }
        FormKind::Taps | FormKind::Panels | FormKind::FromFile => {
            let (layout, rows) = (tap_layout(spec, weights, max_batch), weights.rows_at_once());
            let form = form.for_windows().unwrap_or(WindowForm::Taps);
            let n_kept = weights.max_kept_at_once();
            let unpacked = match form {
                WindowForm::Taps => {
                    TapMatrix::estimate_bytes(&layout, rows, n_kept, weights.is_coded()) + 1024
                }
                WindowForm::Panels => PanelMatrix::estimate_bytes(rows, weights.n_cols, weights.is_coded()),
            };
            let turned = turned_bytes(spec, weights, max_batch);
            let scratch = row + unpacked + turned + window_scratch(spec, weights, form, rows);
            FromFile { held: layout.n_bytes(), scratch }
        }
    }
}

/// Bytes needed to multiply that many rows in a form for windows.
fn window_scratch(spec: &LayerSpec, weights: &StoredWeights<'_>, form: WindowForm, n_rows: usize) -> usize {
    match (spec.conv, form) {
        (Some(conv), _) => conv.scratch_bytes(form, n_rows, weights.is_coded(), spec.feeds_depthwise),
        (None, WindowForm::Panels) => PanelMatrix::scratch_bytes(n_rows, weights.n_cols, weights.is_coded()),
        (None, WindowForm::Taps) => 0,
    }
}

/// Bytes needed to multiply bytes in a form for windows.
fn int8_scratch(spec: &LayerSpec, weights: &StoredWeights<'_>, form: WindowForm) -> usize {
    spec.conv.map_or(0, |conv| conv.scratch_bytes(form, weights.n_rows, false, false))
}

/// Scratch bytes per thread for a layer of that form.
pub(crate) fn scratch_bytes(
    spec: &LayerSpec,
    weights: &StoredWeights<'_>,
    form: FormKind,
    fastest: FormKind,
    max_batch: usize,
) -> usize {
    match form {
        FormKind::FromFile => from_file_bytes(spec, weights, fastest, max_batch).scratch,
        FormKind::Lanes => LaneMatrix::scratch_bytes(weights.n_rows, weights.n_cols, weights.is_coded()),
        FormKind::SlicedAndColumns => 4 * (weights.n_cols + 4 * weights.n_rows + 20),
        FormKind::Sliced
        | FormKind::DenseCodes
        | FormKind::DenseValues
        | FormKind::Int8Rows
        | FormKind::Int8Sliced => 0,
        FormKind::Int8Taps => int8_scratch(spec, weights, WindowForm::Taps),
        FormKind::Int8Panels => int8_scratch(spec, weights, WindowForm::Panels),
        FormKind::Taps | FormKind::Panels => {
            let form = form.for_windows().unwrap_or(WindowForm::Taps);
            window_scratch(spec, weights, form, weights.n_rows) + turned_bytes(spec, weights, max_batch)
        }
    }
}

/// The number of columns in which `n` vectors are transposed: vectors of the machine are then whole, unless they are few,
/// and lines at a power of two, which would evict each other from the cache, are avoided.
pub(crate) fn n_columns(n: usize) -> usize {
    match n {
        0..16 => n,
        _ if n.next_multiple_of(16).is_multiple_of(256) => n.next_multiple_of(16) + 16,
        _ => n.next_multiple_of(16),
    }
}

/// Scratch bytes for the transposed vectors and their products, where a form for windows has vectors one after another.
fn turned_bytes(spec: &LayerSpec, weights: &StoredWeights<'_>, max_batch: usize) -> usize {
    let n = spec.max_vectors(max_batch);
    if spec.by_vector && n > 1 { 4 * n_columns(n) * (weights.n_rows + weights.n_cols) } else { 0 }
}

/// The fastest form of a layer, and its size. `max_batch` is the number of images per run.
pub(crate) fn fastest(spec: &LayerSpec, weights: &StoredWeights<'_>, isa: Isa, max_batch: usize) -> Choice {
    let mut choice = fastest_once(spec, weights, isa, spec.max_vectors(max_batch));
    let n_runs = spec.n_runs as f64;
    choice.ns *= n_runs;
    choice.dense_ns *= n_runs;
    choice.costs.iter_mut().for_each(|(_, ns)| *ns *= n_runs);
    choice
}

/// The same, for one multiplication of so many vectors or images.
fn fastest_once(spec: &LayerSpec, weights: &StoredWeights<'_>, isa: Isa, max_batch: usize) -> Choice {
    let (n_rows, n_cols, n_kept) = (weights.n_rows, weights.n_cols, weights.n_kept);
    if spec.by_vector && max_batch > 1 {
        return for_vectors(weights, isa, max_batch);
    }
    if spec.conv.is_some() || max_batch > 1 {
        return for_windows(spec.conv, weights, isa, max_batch);
    }
    let (costs, n_levels, total) = (Costs::of(isa), weights.n_levels(), n_rows * n_cols);
    let mut candidates = Vec::new();
    if n_cols <= kompakt_kernels::sliced::MAX_COLS {
        let sliced = SlicedMatrix::estimate_bytes(isa, [n_rows, n_cols], n_kept, n_levels);
        let columns = ColumnMatrix::estimate_bytes(n_cols, n_kept);
        let has_columns = spec.input_has_zeros
            && !costs.has_pages([n_rows, n_cols], n_kept, n_levels)
            && columns <= MAX_COLUMNS_BYTES
            && n_rows <= columns::MAX_ROWS;
        let (form, bytes) = match has_columns {
            true => (FormKind::SlicedAndColumns, sliced + columns),
            false => (FormKind::Sliced, sliced),
        };
        candidates.push(Candidate { form, bytes, ns: costs.sliced([n_rows, n_cols], n_kept, n_levels) });
    }
    // Pruned weights need one more code.
    let one_more = usize::from(!weights.is_full());
    let all_levels = weights.levels().map(|levels| Levels { n: levels.n + one_more, ..levels });
    match all_levels {
        Some(levels) if levels.n <= 256 => candidates.push(Candidate {
            form: FormKind::DenseCodes,
            bytes: total + 1024 + far_bytes(levels, n_rows, total),
            ns: costs.dense_codes(total, levels),
        }),
        None if weights.is_full() && spec.by_vector => candidates.push(lanes(weights, isa, 1)),
        None if weights.is_full() => candidates.push(Candidate {
            form: FormKind::DenseValues,
            bytes: total * 4,
            ns: costs.dense_values(total),
        }),
        _ => {}
    }
    // A dense form of a matrix that is too wide for others would be large where little is kept.
    let is_wide_and_pruned = n_cols > kompakt_kernels::sliced::MAX_COLS && n_kept * 3 < total;
    let dense_ns = costs.dense_values(total);
    match costs::best(&candidates) {
        Some(Candidate { form, bytes, ns }) if !is_wide_and_pruned => {
            let costs = candidates.iter().map(|c| (c.form, c.ns)).collect();
            Choice { form, bytes, ns, dense_ns, conv: None, costs }
        }
        _ => {
            let Candidate { form, bytes, ns } =
                window_candidate(WindowForm::Taps, None, weights, isa, max_batch);
            Choice { form, bytes, ns, dense_ns, conv: None, costs: Vec::new() }
        }
    }
}

/// Bytes of weights whose levels are far from the others, and of where rows begin among them.
fn far_bytes(levels: Levels, n_rows: usize, n_weights: usize) -> usize {
    if levels.in_steps == Part::Most {
        4 * (n_rows + 1) + 8 * (n_weights / WEIGHTS_PER_FAR) + 2048
    } else {
        0
    }
}

/// All weights of a layer in lanes.
fn lanes(weights: &StoredWeights<'_>, isa: Isa, n: usize) -> Candidate {
    let (n_rows, n_cols) = (weights.n_rows, weights.n_cols);
    let bytes = LaneMatrix::estimate_bytes(n_rows, n_cols, weights.is_coded());
    let n_weights = n_rows.next_multiple_of(LaneMatrix::ROWS) * n_cols;
    Candidate { form: FormKind::Lanes, bytes, ns: Costs::of(isa).lanes(n_weights, weights.levels(), n) }
}

/// The fastest form for several vectors one after another.
fn for_vectors(weights: &StoredWeights<'_>, isa: Isa, n: usize) -> Choice {
    let costs = Costs::of(isa);
    let mut taps = window_candidate(WindowForm::Taps, None, weights, isa, n_columns(n));
    taps.ns += costs.transpose(n * (weights.n_rows + weights.n_cols));
    let mut all = vec![taps];
    if PanelMatrix::can_hold(weights.n_levels(), weights.is_full()) {
        all.push(lanes(weights, isa, n));
    }
    let Candidate { form, bytes, ns } = costs::best(&all).unwrap_or(taps);
    let dense_ns = costs.lanes(weights.n_rows * weights.n_cols, None, n);
    let costs = if all.len() == 1 { Vec::new() } else { all.iter().map(|c| (c.form, c.ns)).collect() };
    Choice { form, bytes, ns, dense_ns, conv: None, costs }
}

/// The largest `x` of a batch for which all weights may be multiplied, in floats: each four rows read all of it.
const MAX_PANEL_BATCH: usize = 1 << 18;

/// The fastest form for windows of positions.
fn for_windows(conv: Option<Convolution>, weights: &StoredWeights<'_>, isa: Isa, max_batch: usize) -> Choice {
    let forms = match &conv {
        Some(conv) => conv.forms(),
        None if weights.n_cols * max_batch <= MAX_PANEL_BATCH => &[WindowForm::Taps, WindowForm::Panels],
        None => &[WindowForm::Taps],
    };
    let candidates: Vec<(Candidate, Option<Convolution>)> = forms
        .iter()
        .filter(|form| {
            **form == WindowForm::Taps || PanelMatrix::can_hold(weights.n_levels(), weights.is_full())
        })
        .map(|&form| {
            let conv = conv.map(|conv| conv.for_form(form, isa));
            (window_candidate(form, conv, weights, isa, max_batch), conv)
        })
        .collect();
    let all: Vec<Candidate> = candidates.iter().map(|(candidate, _)| *candidate).collect();
    let best = costs::best(&all).unwrap_or(all[0]);
    let conv =
        candidates.iter().find(|(candidate, _)| candidate.form == best.form).and_then(|(_, conv)| *conv);
    let costs = if all.len() == 1 { Vec::new() } else { all.iter().map(|c| (c.form, c.ns)).collect() };
    let Candidate { form, bytes, ns } = best;
    Choice { form, bytes, ns, dense_ns: dense_ns(conv, forms, weights, isa, max_batch), conv, costs }
}

/// Nanoseconds of a run with nothing pruned.
fn dense_ns(
    conv: Option<Convolution>,
    forms: &[WindowForm],
    weights: &StoredWeights<'_>,
    isa: Isa,
    max_batch: usize,
) -> f64 {
    let total = weights.n_rows * weights.n_cols;
    let form = if forms.contains(&WindowForm::Panels) { WindowForm::Panels } else { WindowForm::Taps };
    match conv {
        Some(conv) => conv.for_form(form, isa).cost(isa, form, total, None) * max_batch as f64,
        None => Costs::of(isa).batch(WindowForm::Panels, total, total, None, max_batch),
    }
}

/// A form for windows, its size and cost.
fn window_candidate(
    form: WindowForm,
    conv: Option<Convolution>,
    weights: &StoredWeights<'_>,
    isa: Isa,
    max_batch: usize,
) -> Candidate {
    let (n_rows, n_cols, n_kept, levels) = (weights.n_rows, weights.n_cols, weights.n_kept, weights.levels());
    let bytes = match form {
        WindowForm::Taps => {
            let layout = layout_of(conv.as_ref(), weights, max_batch);
            TapMatrix::estimate_bytes(&layout, n_rows, n_kept, weights.is_coded()) + layout.n_bytes()
        }
        WindowForm::Panels => PanelMatrix::estimate_bytes(n_rows, n_cols, weights.is_coded()),
    };
    let ns = match conv {
        Some(conv) => conv.cost(isa, form, n_kept, levels) * max_batch as f64,
        None => Costs::of(isa).batch(form, n_kept, n_rows * n_cols, levels, max_batch),
    };
    Candidate { form: FormKind::of_windows(form), bytes, ns }
}

/// Multiplier for the number of rows unpacked together: where a plane is cut into tiles, each tile is laid
/// out anew for each part of the rows.
pub(crate) fn more_at_once(spec: &LayerSpec) -> usize {
    if spec.conv.is_some_and(|conv| conv.is_cut()) { 8 } else { 1 }
}

/// The density from which a layer's form depends on the number of kept weights.
pub(crate) fn exact_from(
    spec: &LayerSpec,
    isa: Isa,
    max_batch: usize,
    shape: [usize; 2],
    levels: Levels,
) -> f64 {
    let (costs, max_batch) = (Costs::of(isa), spec.max_vectors(max_batch));
    // The costs of taps with nothing kept, of taps with everything kept, and of panels.
    let [none, all, panels] = match spec.conv {
        None if max_batch == 1 => return costs.dense_from(shape, levels),
        None if spec.by_vector => {
            let taps =
                |n_kept| costs.batch(WindowForm::Taps, n_kept, 1 << 20, Some(levels), n_columns(max_batch));
            [taps(0), taps(1 << 20), costs.lanes(1 << 20, Some(levels), max_batch)]
        }
        None => {
            let cost = |form, n_kept| costs.batch(form, n_kept, 1 << 20, Some(levels), max_batch);
            [cost(WindowForm::Taps, 0), cost(WindowForm::Taps, 1 << 20), cost(WindowForm::Panels, 0)]
        }
        Some(conv) if !conv.forms().contains(&WindowForm::Panels) => return f64::INFINITY,
        Some(conv) => {
            let cost = |form, n_kept| conv.for_form(form, isa).cost(isa, form, n_kept, Some(levels));
            let total = conv.n_weights();
            [cost(WindowForm::Taps, 0), cost(WindowForm::Taps, total), cost(WindowForm::Panels, total)]
        }
    };
    ((panels / Costs::WORTH_BYTES - none) / (all - none).max(f64::MIN_POSITIVE)).max(0.0)
}
