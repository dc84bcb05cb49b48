//! Decides which layers stay in memory and which run from the file, to stay within the RAM budget.

use super::{
    LayerSpec, Schedule, Step,
    forms::{self, Choice, FormKind},
    plan::LayerPlan,
};
use crate::{RUNS_FROM_FILE, error::RuntimeError, layer::PreparedLayer, weights::StoredWeights};
use alloc::{vec, vec::Vec};
use kompakt_kernels::Convolution;

/// Estimate for the fixed memory of a session that is not counted individually.
const FIXED_BYTES: usize = 16 << 10;
/// Names and short lists of a layer or a step.
const NAMES_BYTES: usize = 256;

/// The planner's inputs.
pub(crate) struct Planner<'a> {
    pub(crate) schedule: &'a Schedule,
    pub(crate) threads: usize,
    pub(crate) max_batch: usize,
    pub(crate) ram_budget: Option<usize>,
    /// Layers run from the file even where they fit; with the bytes that may be taken beyond what that needs, for small ones.
    pub(crate) prefer_file: Option<usize>,
    /// Bytes needed in any case: activations, the file if it was read, numbers of epilogues.
    pub(crate) fixed: usize,
    /// Bytes needed as soon as one layer runs from the file.
    pub(crate) tables: usize,
}

/// The form of a layer, and the one that it would have if memory allowed.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) form: FormKind,
    pub(crate) fastest: FormKind,
    /// As in [`LayerPlan`](super::plan::LayerPlan).
    pub(crate) ns: f64,
    /// The same.
    pub(crate) dense_ns: f64,
    /// The same.
    pub(crate) costs: Vec<(&'static str, f64)>,
}

impl Planner<'_> {
    /// The bytes that are fixed before any layer's form is chosen.
    pub(crate) fn fixed_bytes(activation_bytes: usize, file_in_memory: usize, schedule: &Schedule) -> usize {
        // A layer is stored in the schedule and with its form, and named in the plan; a step has a name and lists of
        // buffers, perhaps two convolutions.
        let a_layer = size_of::<LayerSpec>() + size_of::<PreparedLayer<'_>>() + size_of::<LayerPlan>();
        let layers = schedule.layers.len() * (a_layer + NAMES_BYTES);
        let steps = schedule.steps.len() * (size_of::<Step>() + 2 * size_of::<Convolution>() + NAMES_BYTES);
        FIXED_BYTES + activation_bytes + file_in_memory + layers + steps
    }

    /// A form for each layer, given the `fastest`: these for all if memory allows, else for as many weights
    /// as fit.
    ///
    /// Errors: [`RuntimeError::Budget`] if no choice fits the budget.
    pub(crate) fn choose(
        &self,
        weights: &[StoredWeights<'_>],
        fastest: Vec<Choice>,
    ) -> Result<Vec<Chosen>, RuntimeError> {
        let chosen = |fastest: &Choice, from_file: bool| Chosen {
            form: if from_file && RUNS_FROM_FILE { FormKind::FromFile } else { fastest.form },
            fastest: fastest.form,
            ns: fastest.ns,
            dense_ns: fastest.dense_ns,
            costs: fastest.costs.iter().map(|&(form, ns)| (form.name(), ns)).collect(),
        };
        if !RUNS_FROM_FILE {
            return Ok(fastest.iter().map(|fastest| chosen(fastest, false)).collect());
        }
        let layers = self.schedule.layers.iter().zip(weights).zip(fastest);
        let options: Vec<Options> =
            layers.map(|((spec, w), fastest)| self.options(spec, w, fastest)).collect();
        let in_memory = vec![false; options.len()];
        let everything: Vec<bool> = options.iter().map(|o| o.file.is_some_and(|f| f.scratch > 0)).collect();
        // Rows of a recurrent layer would be unpacked at every time step.
        let once: Vec<bool> =
            everything.iter().zip(&options).map(|(&file, option)| file && option.n_runs == 1).collect();
        let fits = |from_file: &[bool]| {
            self.ram_budget.is_none_or(|budget| self.total(&options, from_file) <= budget)
        };
        let from_file = match (self.prefer_file, self.ram_budget) {
            (Some(small), _) if fits(&once) => self.but_for_small(small, &options, once),
            (Some(small), _) if fits(&everything) => self.but_for_small(small, &options, everything),
            (_, None) => in_memory,
            (_, Some(budget)) => self.within(budget, &options)?,
        };
        Ok(options
            .iter()
            .zip(from_file)
            .map(|(option, from_file)| chosen(&option.fastest, from_file))
            .collect())
    }

    fn options(&self, spec: &LayerSpec, weights: &StoredWeights<'_>, fastest: Choice) -> Options {
        let file = forms::from_file_bytes(spec, weights, fastest.form, self.max_batch);
        Options {
            scratch: forms::scratch_bytes(spec, weights, fastest.form, fastest.form, self.max_batch),
            fastest,
            file: (weights.is_in_place() && !spec.stays_in_memory).then_some(file),
            n_kept: weights.n_kept,
            n_runs: spec.n_runs,
            epilogue: 8 * weights.n_rows,
        }
    }

    /// Chooses the layers that run from the file so that the budget holds and the most weights stay in
    /// memory.
    ///
    /// All threads work in scratch of the largest size that any layer needs, so layers that need more of it than some
    /// limit are kept in memory first, for every limit that makes a difference.
    fn within(&self, budget: usize, options: &[Options]) -> Result<Vec<bool>, RuntimeError> {
        let mut limits: Vec<usize> = options.iter().filter_map(|o| Some(o.file?.scratch)).collect();
        limits.push(0);
        limits.sort_unstable();
        limits.dedup();
        // With very many layers, not all limits are tried.
        let stride = limits.len().div_ceil(MAX_LIMITS);
        let (mut least, mut best) = (usize::MAX, None);
        for &limit in limits.iter().rev().step_by(stride) {
            let mut from_file: Vec<bool> =
                options.iter().map(|o| o.file.is_some_and(|f| f.scratch <= limit && f.scratch > 0)).collect();
            let total = self.total(options, &from_file);
            least = least.min(total);
            if total > budget {
                continue;
            }
            let total = self.fill(budget, options, &mut from_file);
            let kept: usize =
                options.iter().zip(&from_file).filter(|(_, f)| !**f).map(|(o, _)| o.n_kept * o.n_runs).sum();
            if best.as_ref().is_none_or(|(most, bytes, _)| {
                (kept, core::cmp::Reverse(total)) > (*most, core::cmp::Reverse(*bytes))
            }) {
                best = Some((kept, total, from_file));
            }
        }
        match best {
            Some((_, _, from_file)) => Ok(from_file),
            None => Err(RuntimeError::Budget { budget, least, max_batch: self.max_batch }),
        }
    }

    /// Puts layers into memory as long as the budget holds, which it does before. Returns the bytes then taken.
    fn fill(&self, budget: usize, options: &[Options], from_file: &mut [bool]) -> usize {
        // Unpacking costs the same for each kept weight, each time: the fewer bytes each takes in memory, the
        // better.
        let unpacked = |i: usize| options[i].n_kept.saturating_mul(options[i].n_runs).max(1);
        let mut order: Vec<(usize, usize)> = (0..options.len())
            .filter(|&i| from_file[i])
            .map(|i| (options[i].fastest.bytes.saturating_mul(256) / unpacked(i), i))
            .collect();
        order.sort_unstable();
        for (_, i) in order {
            from_file[i] = false;
            if self.total(options, from_file) > budget {
                from_file[i] = true;
            }
        }
        self.total(options, from_file)
    }

    /// Those of the layers that run from the file which are too large to stay in memory all the same.
    fn but_for_small(&self, small: usize, options: &[Options], mut from_file: Vec<bool>) -> Vec<bool> {
        if small > 0 {
            let enough = self.total(options, &from_file).saturating_add(small);
            self.fill(enough.min(self.ram_budget.unwrap_or(enough)), options, &mut from_file);
        }
        from_file
    }

    fn total(&self, options: &[Options], from_file: &[bool]) -> usize {
        let (mut bytes, mut scratch) = (self.fixed, 0);
        for (option, &from_file) in options.iter().zip(from_file) {
            let (held, works_in) = match option.file {
                Some(file) if from_file => (file.held, file.scratch),
                _ => (option.fastest.bytes, option.scratch),
            };
            bytes += held + option.epilogue;
            scratch = scratch.max(works_in);
        }
        let tables = if from_file.contains(&true) { self.tables } else { 0 };
        bytes + tables + scratch * self.threads
    }
}

/// The maximum number of limits tried.
const MAX_LIMITS: usize = 64;

/// The two ways to run a layer.
struct Options {
    fastest: Choice,
    /// Scratch bytes per thread for that form.
    scratch: usize,
    /// The memory needed to run it from the file, if it can be.
    file: Option<forms::FromFile>,
    n_kept: usize,
    /// How often it is multiplied, for an image.
    n_runs: usize,
    /// Bytes of scale and bias.
    epilogue: usize,
}
