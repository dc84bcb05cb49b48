//! One layer in its execution form: see the table in [`forms`](crate::schedule::forms).

mod convolution;
mod dense_codes;
mod form;
mod from_file;
mod linear;
mod vectors;

use crate::{
    RUNS_FROM_FILE,
    error::RuntimeError,
    exec::Threads,
    schedule::{
        LayerSpec,
        forms::FormKind,
        int8::{Int8Input, Int8Layer},
    },
    weights::{KeptSource, RowScratch, ScaleAndBias, StoredWeights},
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
pub(crate) use convolution::Added;
pub(crate) use form::Form;
use from_file::FromFile;
use kompakt_kernels::{ColumnScratch, ConvScratch, Epilogue, Isa, LaneMatrix, WindowMatrix};

/// Products that are worth waking a thread.
const WORTH: usize = 1 << 17;

/// A layer that is ready to run.
#[derive(Debug)]
pub(crate) struct PreparedLayer<'m> {
    pub(crate) spec: LayerSpec,
    /// Its weights in the file, if it runs from there.
    pub(crate) weights: Option<StoredWeights<'m>>,
    pub(crate) form_kind: FormKind,
    form: Arc<Form>,
    scale: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    /// Properties of the weights, kept when these are in memory in another form.
    pub(crate) n_kept: usize,
    pub(crate) n_weights: usize,
    n_rows: usize,
    /// How its input becomes bytes, if it reads these, and the error of its weights, relative to them.
    pub(crate) int8: Option<Box<(Int8Input, f64)>>,
}

/// Scratch memory of a thread.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) row: RowScratch,
    columns: ColumnScratch,
    /// Rows of a layer that is run from the file.
    unpacked: Option<WindowMatrix>,
    codes: Vec<u8>,
    /// The same, for vectors one after another.
    lanes: Option<LaneMatrix>,
    /// Transposed vectors, or some rows of their products.
    turned: Vec<f32>,
    conv: ConvScratch,
}

/// Build parameters of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// The chosen form.
    pub(crate) form: FormKind,
    /// The form that it would have if memory allowed.
    pub(crate) fastest: FormKind,
    pub(crate) isa: Isa,
    /// Images per run.
    pub(crate) max_batch: usize,
}

impl<'m> PreparedLayer<'m> {
    /// Builds a form of the weights, which are kept only if they are run from the file; with scale and bias of its
    /// epilogue.
    ///
    /// Errors: a tile that cannot be decoded.
    pub(crate) fn build(
        spec: LayerSpec,
        mut weights: StoredWeights<'m>,
        target: Target,
        (scale, bias): ScaleAndBias,
        source: &mut KeptSource<'_, 'm>,
    ) -> Result<Self, RuntimeError> {
        let form = match target.form {
            FormKind::FromFile if RUNS_FROM_FILE => {
                Arc::new(Form::FromFile(FromFile::new(&spec, &weights, &target)))
            }
            _ => source.form(&spec, &mut weights, &target)?,
        };
        let (n_kept, n_weights, n_rows) = (weights.n_kept, weights.n_rows * weights.n_cols, weights.n_rows);
        let weights = (target.form == FormKind::FromFile).then_some(weights);
        Ok(Self {
            spec,
            weights,
            form_kind: target.form,
            form,
            scale,
            bias,
            n_kept,
            n_weights,
            n_rows,
            int8: None,
        })
    }

    /// Builds a layer over bytes.
    pub(crate) fn of_bytes(
        spec: LayerSpec,
        weights: &StoredWeights<'_>,
        Int8Layer { rows, input }: Int8Layer,
        target: Target,
        (scale, bias): ScaleAndBias,
    ) -> Self {
        let (n_kept, n_rows) = (weights.n_kept, weights.n_rows);
        // y = s_x s_w (sum of w q - z sum of w), then scale and bias.
        let (step, zero) = (input.quantiser.scale(), input.quantiser.zero_point(target.isa));
        let steps = rows.scales().iter().enumerate();
        let new_scale: Vec<f32> =
            steps.map(|(row, s)| step * s * scale.as_ref().map_or(1.0, |scale| scale[row])).collect();
        let offset = |row: usize| f64::from(zero) * f64::from(rows.sums()[row]) * f64::from(new_scale[row]);
        let old = |row: usize| f64::from(bias.as_ref().map_or(0.0, |bias| bias[row]));
        let new_bias = (0..n_rows).map(|row| (old(row) - offset(row)) as f32).collect();
        let int8 = Some(Box::new((input, rows.error())));
        Self {
            form: Arc::new(Form::of_bytes(&spec, rows, &target)),
            spec,
            weights: None,
            form_kind: target.form,
            scale: Some(new_scale),
            bias: Some(new_bias),
            n_kept,
            n_weights: n_rows * weights.n_cols,
            n_rows,
            int8,
        }
    }

    /// The form, which plans share: where it is, and its bytes.
    pub(crate) fn held(&self) -> (usize, usize) {
        (Arc::as_ptr(&self.form).addr(), self.form.n_bytes())
    }

    /// The bytes of memory that its form holds.
    pub(crate) fn n_bytes(&self) -> usize {
        let numbers = self.scale.as_ref().map_or(0, Vec::len) + self.bias.as_ref().map_or(0, Vec::len);
        self.form.n_bytes() + 4 * numbers
    }

    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue {
            scale: self.scale.as_deref(),
            bias: self.bias.as_deref(),
            relu: self.spec.epilogue.relu,
            ceiling: self.spec.ceiling,
        }
    }

    /// Rows per chunk: the rows unpacked together if they come from the file; else all of them for one
    /// thread, and for several at least `least` and enough work to be worth waking a thread.
    fn chunk(&self, threads: &Threads, least: usize, positions: usize) -> usize {
        if let Some(weights) = self.weights.as_ref().filter(|_| RUNS_FROM_FILE) {
            return weights.rows_at_once();
        }
        let work_a_row = (self.n_kept / self.n_rows.max(1) + 1) * positions;
        if threads.len() == 1 { self.n_rows } else { least.max(WORTH.div_ceil(work_a_row)) }
    }
}
