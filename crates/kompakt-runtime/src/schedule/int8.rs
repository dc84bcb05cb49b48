//! Layers that multiply integers of 8 bits: which can, and which should by the table of costs.

use super::{
    LayerSpec, Schedule, StepKind,
    costs::Costs,
    forms::{self, Choice, FormKind},
};
use crate::{error::RuntimeError, weights::StoredWeights};
use alloc::{vec, vec::Vec};
use kompakt_format::{Container, ranged_values};
use kompakt_graph::Op;
use kompakt_kernels::{
    BytePlanes, Convolution, Int8Rows, Isa, PanelMatrix, Quantiser, SlicedMatrix, TapLayout, TapMatrix,
    WindowForm,
};

/// The weights of a layer as bytes, and how its input becomes bytes.
#[derive(Debug)]
pub(crate) struct Int8Layer {
    pub(crate) rows: Int8Rows,
    pub(crate) input: Int8Input,
}

/// How the input of a layer becomes bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Int8Input {
    pub(crate) quantiser: Quantiser,
    /// Of a convolution.
    planes: Option<BytePlanes>,
    /// Of a linear layer.
    n_cols: usize,
}

impl Int8Input {
    /// Elements of four bytes in an image.
    pub(crate) fn len(&self) -> usize {
        self.planes.map_or(self.n_cols.div_ceil(4), |planes| planes.len())
    }

    /// Lays out `n` images.
    pub(crate) fn fill(&self, isa: Isa, x: &[f32], out: &mut [f32], n: usize) {
        let Some(planes) = self.planes else {
            return self.quantiser.planes(isa, &BytePlanes::lines(self.n_cols, n), x, out);
        };
        for (x, out) in x.chunks_exact(planes.input_len()).zip(out.chunks_exact_mut(planes.len().max(1))) {
            self.quantiser.planes(isa, &planes, x, out);
        }
    }
}

/// For each layer the quantiser of its input, if it may read bytes.
///
/// Errors: [`RuntimeError::NoRanges`] if there are layers that may, and the file holds no ranges.
pub(crate) fn quantisers(
    schedule: &Schedule,
    container: &Container<'_>,
) -> Result<Vec<Option<Quantiser>>, RuntimeError> {
    let graph = container.graph();
    let ranges = container.ranges()?;
    if ranges.is_empty() && !ranged_values(graph).is_empty() {
        return Err(RuntimeError::NoRanges);
    }
    let mut found = vec![None; schedule.layers.len()];
    for step in &schedule.steps {
        let (StepKind::Linear { layer } | StepKind::Convolution { layer, .. }) = step.kind else { continue };
        let is_it = |op: &Op| matches!(op, Op::Linear { .. } | Op::Conv2d { .. });
        let name = &schedule.layers[layer].name;
        let node = graph.nodes().iter().find(|node| node.name == *name && is_it(&node.op));
        let range = node.and_then(|node| ranges.iter().find(|range| range.value == node.inputs[0]));
        found[layer] = range.map(|range| Quantiser::new(range.low, range.high));
    }
    Ok(found)
}

/// The fastest form of a layer that may read bytes, and its bytes if that form is over them.
///
/// The weights are decoded, so that the choice depends on what they are and not on how the file stores them.
/// Errors: a tile that cannot be decoded.
pub(crate) fn fastest(
    spec: &LayerSpec,
    weights: &mut StoredWeights<'_>,
    quantiser: Quantiser,
    (isa, max_batch): (Isa, usize),
) -> Result<(Choice, Option<Int8Layer>), RuntimeError> {
    let kept = weights.take_rows()?;
    weights.is_counted(&kept);
    let mut choice = forms::fastest(spec, weights, isa, max_batch);
    let taps = spec.conv.map_or(1, |conv| conv.n_taps());
    let n_vectors = spec.max_vectors(max_batch);
    if spec.conv.is_some_and(|conv| conv.of_bytes(WindowForm::Taps, isa).is_none()) {
        weights.put_back(kept);
        return Ok((choice, None));
    }
    let rows = Int8Rows::new(&kept, taps);
    let input =
        Int8Input { quantiser, planes: spec.conv.map(|conv| conv.byte_planes()), n_cols: weights.n_cols };
    let all = candidates(spec, &rows, isa, n_vectors);
    let laid_out = Costs::of(isa).to_bytes(4 * input.len() * n_vectors);
    let best = all.iter().min_by(|a, b| a.ns.total_cmp(&b.ns)).filter(|best| best.ns + laid_out < choice.ns);
    let costs = all.iter().map(|c| (c.form, c.ns + laid_out));
    if choice.costs.is_empty() {
        choice.costs.push((choice.form, choice.ns));
    }
    choice.costs.extend(costs);
    let Some(best) = best else {
        weights.put_back(kept);
        return Ok((choice, None));
    };
    let Candidate { form, bytes, ns, conv } = *best;
    Ok((Choice { form, bytes, ns: ns + laid_out, conv, ..choice }, Some(Int8Layer { rows, input })))
}

/// A form, its memory and the cost of a run.
struct Candidate {
    form: FormKind,
    bytes: usize,
    ns: f64,
    conv: Option<Convolution>,
}

fn candidates(spec: &LayerSpec, rows: &Int8Rows, isa: Isa, n: usize) -> Vec<Candidate> {
    let (costs, relative) = (Costs::of_integers(isa), rows.relative_cost(isa));
    let (n_all, n_kept) = (rows.elements().len(), rows.n_kept());
    let (n_rows, n_cols) = (rows.scales().len(), n_all / rows.scales().len().max(1));
    if let Some(conv) = spec.conv {
        let of = |form: WindowForm| {
            let conv = conv.of_bytes(form, isa)?;
            let layout = conv.columns(n_kept as f32 / n_all.max(1) as f32);
            let (kind, bytes) = match form {
                WindowForm::Taps => {
                    let matrix = TapMatrix::estimate_bytes(&layout, n_rows, n_kept, false);
                    (FormKind::Int8Taps, matrix + layout.n_bytes())
                }
                WindowForm::Panels => {
                    (FormKind::Int8Panels, PanelMatrix::estimate_bytes(n_rows, n_cols, false))
                }
            };
            let ns = conv.cost_of_bytes(isa, form, n_kept) * relative * n as f64;
            Some(Candidate { form: kind, bytes, ns, conv: Some(conv) })
        };
        return [WindowForm::Taps, WindowForm::Panels].into_iter().filter_map(of).collect();
    }
    if n == 1 {
        let mut all = vec![Candidate {
            form: FormKind::Int8Rows,
            bytes: 4 * n_all,
            ns: costs.dense_values(n_all),
            conv: None,
        }];
        if n_cols <= kompakt_kernels::sliced::MAX_COLS {
            let bytes = SlicedMatrix::estimate_bytes(isa, [n_rows, n_cols], n_kept, None);
            all.push(Candidate {
                form: FormKind::Int8Sliced,
                bytes,
                ns: costs.sliced([n_rows, n_cols], n_kept, None),
                conv: None,
            });
        }
        return all;
    }
    let layout = layout(spec, rows, n);
    let taps = TapMatrix::estimate_bytes(&layout, n_rows, n_kept, false) + layout.n_bytes();
    let cost = |form| costs.batch(form, n_kept, n_all, None, n) * relative;
    vec![
        Candidate { form: FormKind::Int8Taps, bytes: taps, ns: cost(WindowForm::Taps), conv: None },
        Candidate {
            form: FormKind::Int8Panels,
            bytes: PanelMatrix::estimate_bytes(n_rows, n_cols, false),
            ns: cost(WindowForm::Panels),
            conv: None,
        },
    ]
}

/// The layout of the elements of a layer whose convolution, if it is one, is over bytes.
pub(crate) fn layout(spec: &LayerSpec, rows: &Int8Rows, n_vectors: usize) -> TapLayout {
    let (n_all, n_rows) = (rows.elements().len(), rows.scales().len().max(1));
    match &spec.conv {
        Some(conv) => conv.columns(rows.n_kept() as f32 / n_all.max(1) as f32),
        None => TapLayout::linear(n_all / n_rows, forms::BATCH_BLOCK / n_vectors.max(1)),
    }
}
