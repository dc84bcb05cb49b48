//! What a session will hold in memory, and in which form it will run each layer.

use crate::{
    error::RuntimeError,
    layer::{self, FormKind},
    program::{LayerSpec, Program},
    weights::Weights,
};
use kompakt_kernels::{Isa, RowSource};

/// Fixed memory of a session that is not worth counting piece by piece: steps, names, tables.
const FIXED_BYTES: usize = 16 << 10;

/// How a network will be run, known before it is: forms and bytes.
///
/// Anonymous bytes are memory of the process: activations, decoded weights, scratch. File-backed bytes are parts of the
/// mapped file that every run reads; the system may take them back at any time. Neither counts the program itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The instruction set: `scalar`, `avx2`, `avx512`.
    pub isa: &'static str,
    /// Threads.
    pub threads: usize,
    /// Images that are run at once.
    pub max_batch: usize,
    /// One a layer with weights, in the order they run.
    pub layers: Vec<LayerPlan>,
    /// Bytes of the arena that all values share.
    pub activation_bytes: usize,
    /// The same, if every value had memory of its own.
    pub activation_bytes_unshared: usize,
    /// All memory of the session, activations and decoded weights included; with a model that was read instead of
    /// mapped, its file too.
    pub anonymous_bytes: usize,
    /// Bytes of the mapped file that every run reads.
    pub file_bytes: usize,
}

/// How one layer will be run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LayerPlan {
    /// The node's name.
    pub name: String,
    /// The form of its weights: see the table of the crate's page.
    pub form: &'static str,
    /// Weights that are kept.
    pub n_kept: usize,
    /// All weights.
    pub n_weights: usize,
    /// Memory that the form takes.
    pub anonymous_bytes: usize,
    /// Bytes of the file that every run reads.
    pub file_bytes: usize,
}

/// What the planner decides with.
pub(crate) struct Planner<'a> {
    pub(crate) program: &'a Program,
    pub(crate) isa: Isa,
    pub(crate) threads: usize,
    pub(crate) max_batch: usize,
    pub(crate) ram_budget: Option<usize>,
    /// Bytes that are taken whatever is chosen: activations, the file if it was read, numbers of epilogues.
    pub(crate) fixed: usize,
}

/// The form of a layer, and that which it would have if memory allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    pub(crate) form: FormKind,
    pub(crate) fastest: FormKind,
}

impl Planner<'_> {
    /// The bytes that are fixed before any layer's form is chosen.
    pub(crate) fn fixed_bytes(activation_bytes: usize, file_in_memory: usize, program: &Program) -> usize {
        let epilogues: usize = 64 * program.layers.len();
        FIXED_BYTES + activation_bytes + file_in_memory + epilogues
    }

    /// A form for each layer: the fastest for all if memory allows, else for as many as fit, those first that gain
    /// most a byte.
    ///
    /// Errors: [`RuntimeError::Budget`] if running every layer from the file takes more than the budget.
    pub(crate) fn choose(&self, weights: &[Weights<'_>]) -> Result<Vec<Chosen>, RuntimeError> {
        let layers = &self.program.layers;
        let fastest: Vec<layer::Choice> = layers
            .iter()
            .zip(weights)
            .map(|(spec, w)| layer::fastest(spec, w, self.isa, self.max_batch))
            .collect();
        let chosen = |forms: Vec<FormKind>| -> Vec<Chosen> {
            forms.into_iter().zip(&fastest).map(|(form, f)| Chosen { form, fastest: f.form }).collect()
        };
        let Some(budget) = self.ram_budget else {
            return Ok(chosen(fastest.iter().map(|c| c.form).collect()));
        };
        let mut forms: Vec<FormKind> = weights
            .iter()
            .zip(&fastest)
            .map(|(w, c)| if w.is_in_place() { FormKind::FromFile } else { c.form })
            .collect();
        let least = self.total(layers, weights, &forms, &fastest);
        if least > budget {
            return Err(RuntimeError::Budget { budget, least, max_batch: self.max_batch });
        }
        let mut order: Vec<usize> = (0..layers.len()).filter(|&i| forms[i] == FormKind::FromFile).collect();
        // Unpacking costs the same for every kept weight: the fewer bytes each takes in memory, the better.
        order.sort_by_key(|&i| (fastest[i].bytes * 256 / weights[i].n_kept.max(1), i));
        for i in order {
            forms[i] = fastest[i].form;
            if self.total(layers, weights, &forms, &fastest) > budget {
                forms[i] = FormKind::FromFile;
            }
        }
        Ok(chosen(forms))
    }

    fn total(
        &self,
        layers: &[LayerSpec],
        weights: &[Weights<'_>],
        forms: &[FormKind],
        fastest: &[layer::Choice],
    ) -> usize {
        let (mut bytes, mut scratch) = (self.fixed, 0);
        for (i, &form) in forms.iter().enumerate() {
            if form == FormKind::FromFile {
                let need = layer::from_file_bytes(&layers[i], &weights[i], fastest[i].form, self.max_batch);
                bytes += need.held;
                scratch = scratch.max(need.scratch);
            } else {
                bytes += fastest[i].bytes;
            }
            bytes += 8 * weights[i].n_rows();
        }
        bytes + scratch * self.threads
    }
}
