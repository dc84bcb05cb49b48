//! The executor for the processor: a schedule, its layers in their forms, and all the memory that a run
//! needs.

use super::{
    Executor, StepTime, Threads, arena::Arena, in_place::ChannelNumbers, movement::transpose, run::Run,
};
use crate::{
    RUNS_FROM_FILE,
    error::RuntimeError,
    layer::{PreparedLayer, Scratch, Target},
    model::Model,
    program::{BATCH, Program, Sizes},
    schedule::{
        Buffer, Home, Layout, Schedule,
        forms::{self, Choice},
        int8::{self, Int8Layer},
        placement::Places,
        plan::{LayerPlan, Plan},
        planner::{Chosen, Planner},
    },
    session::{Activations, SessionOptions},
    weights::{Kept, KeptSource, ScaleAndBias, StoredWeights, Table},
};
use alloc::{string::ToString, sync::Arc, vec, vec::Vec};
use core::time::Duration;
use kompakt_kernels::{HAS_INTEGERS, Isa};

/// See the [module page](self).
pub(crate) struct Cpu<'m> {
    isa: Isa,
    max_batch: usize,
    threads: Arc<Threads>,
    schedule: Schedule,
    layers: Vec<PreparedLayer<'m>>,
    per_channel: Vec<Arc<ChannelNumbers>>,
    tables: Vec<Arc<Table<'m>>>,
    order: Vec<u32>,
    state: Vec<f32>,
    arena: Arena,
    scratch: Vec<Scratch>,
    plan: Plan,
}

// By hand: an executor behind a pointer would take the descriptions of all layers into every program.
impl core::fmt::Debug for Cpu<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Not all of it: what formats numbers would be in every program that runs a network.
        write!(f, "Cpu on {}", self.isa)
    }
}

impl<'m> Cpu<'m> {
    /// Plans a program for sizes up to these, decodes what stays in memory, and allocates what a run needs.
    ///
    /// Errors: payloads that are broken, all nodes that cannot be run, a RAM budget that is too small (with the least
    /// possible), a thread that cannot be started.
    pub(crate) fn new(
        model: &'m Model<'m>,
        program: &Program,
        most: &Sizes,
        options: &SessionOptions,
        kept: &mut Kept<'m>,
    ) -> Result<Self, RuntimeError> {
        let max_batch = most.get(BATCH);
        let is_int8 = options.activations == Activations::Int8;
        let is_free = options.ram_budget.is_none() && !options.from_file && !is_int8;
        kept.switch(is_free && !model.open_sizes().is_empty());
        let threads = kept.threads(options.threads.max(1))?;
        let n_threads = threads.len();
        if !RUNS_FROM_FILE && (options.ram_budget.is_some() || options.from_file) {
            let problem = "this build of the loader runs all layers from memory";
            return Err(RuntimeError::Unsupported(vec![problem.to_string()]));
        }
        if is_int8 && !HAS_INTEGERS {
            let problem = "this build of the loader has no kernels for int8 activations";
            return Err(RuntimeError::Unsupported(vec![problem.to_string()]));
        }
        let mut schedule = Schedule::new(program, max_batch, !is_int8).map_err(RuntimeError::Unsupported)?;
        // Said as a constant, so that a build without these kernels has nothing of them.
        let quantisers = match is_int8 && HAS_INTEGERS {
            true => int8::quantisers(&schedule, &model.container()?)?,
            false => vec![None; schedule.layers.len()],
        };
        let mut source = KeptSource::new(kept, model, options.isa);
        let numbers = schedule.per_channel.iter().map(|numbers| source.numbers(numbers));
        let per_channel: Vec<_> = numbers.collect::<Result<_, _>>()?;
        let mut epilogues = Vec::new();
        for spec in &schedule.layers {
            epilogues.push(source.epilogue(spec)?);
        }
        // Under a budget, only planned memory is kept.
        let keep_counted = options.ram_budget.is_none() && !options.from_file;
        let mut weights = Vec::new();
        for spec in &schedule.layers {
            let exact_from = |shape, levels| forms::exact_from(spec, options.isa, max_batch, shape, levels);
            weights.push(source.open(spec.weight, &exact_from, keep_counted)?);
        }
        let fastest = |(spec, weights)| forms::fastest(spec, weights, options.isa, max_batch);
        let mut choices: Vec<Choice> = schedule.layers.iter().zip(&weights).map(fastest).collect();
        let mut of_bytes = Vec::new();
        for (i, quantiser) in quantisers.into_iter().enumerate() {
            let spec = &mut schedule.layers[i];
            let found = match quantiser {
                Some(quantiser) if HAS_INTEGERS => {
                    let (choice, found) =
                        int8::fastest(spec, &mut weights[i], quantiser, (options.isa, max_batch))?;
                    choices[i] = choice;
                    found
                }
                _ => None,
            };
            spec.stays_in_memory |= found.is_some();
            of_bytes.push(found);
        }
        let n_bytes: Vec<Option<usize>> =
            of_bytes.iter().map(|layer| Some(layer.as_ref()?.input.len())).collect();
        schedule.settle(&choices, &n_bytes, max_batch);
        for (spec, weights) in schedule.layers.iter().zip(&mut weights) {
            weights.more_at_once = forms::more_at_once(spec);
        }
        let places = Places::plan(&schedule.buffers, max_batch);
        let activation_bytes = places.len * 4;
        let embeddings: Vec<_> =
            schedule.tables.iter().map(|&weight| source.table(weight)).collect::<Result<_, _>>()?;
        let held: usize =
            embeddings.iter().map(|table| table.n_bytes()).sum::<usize>() + 4 * schedule.n_constant;
        let tables = source.shared_table_bytes();
        source.close();
        let file_in_memory = if model.is_mapped() { 0 } else { model.n_bytes() };
        let planner = Planner {
            schedule: &schedule,
            threads: n_threads,
            max_batch,
            ram_budget: options.ram_budget,
            prefer_file: options.from_file.then_some(options.small_bytes),
            fixed: held + Planner::fixed_bytes(activation_bytes, file_in_memory, &schedule),
            tables,
        };
        let chosen = planner.choose(&weights, choices)?;
        let mut plan = Plan {
            isa: options.isa.name(),
            threads: n_threads,
            max_batch,
            layers: Vec::new(),
            activation_bytes,
            activation_bytes_unshared: schedule.buffers.iter().map(|b| b.floats(max_batch) * 4).sum(),
            anonymous_bytes: planner.fixed,
            file_bytes: 0,
            device: None,
        };
        let layers =
            layers(&schedule, weights, of_bytes, chosen, epilogues, options.isa, &mut plan, &mut source)?;
        if layers.iter().any(|l| l.weights.is_some()) {
            plan.anonymous_bytes += tables;
        }
        plan.file_bytes = if model.is_mapped() { plan.layers.iter().map(|l| l.file_bytes).sum() } else { 0 };
        Ok(Self {
            isa: options.isa,
            max_batch,
            threads,
            arena: Arena::new(places),
            scratch: (0..n_threads).map(|_| Scratch::default()).collect(),
            schedule,
            layers,
            per_channel,
            tables: embeddings,
            order: Vec::new(),
            state: Vec::new(),
            plan,
        })
    }

    /// The weights that it holds and other plans may share: where each is, and its bytes.
    pub(crate) fn held(&self) -> Vec<(usize, usize)> {
        let tables = self.tables.iter().map(|table| (Arc::as_ptr(table).addr(), table.n_bytes()));
        self.layers.iter().map(PreparedLayer::held).chain(tables).collect()
    }

    /// Runs the schedule for a batch, in parts of at most the number of images that it was made for.
    fn run_timed(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        outputs: &mut [&mut [f32]],
        mut times: Option<&mut [Duration]>,
    ) -> Result<(), RuntimeError> {
        for first in (0..batch).step_by(self.max_batch) {
            let n = self.max_batch.min(batch - first);
            let mut values = self.arena.values(inputs, outputs, first);
            for (input, &buffer) in inputs.iter().zip(&self.schedule.inputs) {
                let Buffer { len, layout, home, .. } = self.schedule.buffers[buffer];
                if home != Home::Arena {
                    continue;
                }
                let x = &input[first * len..(first + n) * len];
                let to = values.get_mut(buffer, n);
                match layout {
                    Layout::FeatureMajor => transpose(self.isa, x, n, len, to),
                    Layout::ImageMajor => to.copy_from_slice(x),
                }
            }
            Run {
                isa: self.isa,
                threads: &self.threads,
                schedule: &self.schedule,
                layers: &self.layers,
                per_channel: &self.per_channel,
                tables: &self.tables,
                order: &mut self.order,
                state: &mut self.state,
                values,
                scratch: &mut self.scratch,
                n,
            }
            .run(times.as_deref_mut());
            for (output, &buffer) in outputs.iter_mut().zip(&self.schedule.outputs) {
                let Buffer { len, layout, home, .. } = self.schedule.buffers[buffer];
                if matches!(home, Home::Output(_)) {
                    continue;
                }
                let values = self.arena.values(inputs, &mut [], first);
                let y = values.get(buffer, n);
                let to = &mut output[first * len..(first + n) * len];
                match layout {
                    Layout::FeatureMajor => transpose(self.isa, y, len, n, to),
                    Layout::ImageMajor => to.copy_from_slice(y),
                }
            }
            if let Some(error) = self.scratch.iter_mut().find_map(|s| s.row.error.take()) {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

impl Executor for Cpu<'_> {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(&mut self, inputs: &[&[f32]], batch: usize, outputs: &mut [Vec<f32>]) -> Result<(), RuntimeError> {
        with_slices(outputs, |outputs| self.run_timed(inputs, batch, outputs, None))
    }

    fn run_into(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        outputs: &mut [&mut [f32]],
    ) -> Result<(), RuntimeError> {
        self.run_timed(inputs, batch, outputs, None)
    }

    fn profile(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        rounds: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<Vec<StepTime>, RuntimeError> {
        let n_steps = self.schedule.steps.len();
        let mut rounds: Vec<Vec<Duration>> = vec![vec![Duration::ZERO; n_steps]; rounds.max(1)];
        for times in &mut rounds {
            with_slices(outputs, |outputs| self.run_timed(inputs, batch, outputs, Some(times)))?;
        }
        if !cfg!(feature = "std") {
            return Ok(Vec::new()); // There is no clock.
        }
        let steps = self.schedule.steps.iter().enumerate().map(|(i, step)| {
            let mut all: Vec<Duration> = rounds.iter().map(|times| times[i]).collect();
            all.sort_unstable();
            StepTime {
                name: step.name.clone(),
                kind: step.kind.name(),
                time: all[all.len() / 2],
                least: all[0],
            }
        });
        Ok(steps.collect())
    }
}

/// Calls a function with vectors as slices; a few need no memory for that.
fn with_slices<T>(vectors: &mut [Vec<f32>], f: impl FnOnce(&mut [&mut [f32]]) -> T) -> T {
    const FEW: usize = 8;
    let n = vectors.len();
    let mut slices = vectors.iter_mut().map(Vec::as_mut_slice);
    if n > FEW {
        return f(&mut slices.collect::<Vec<_>>());
    }
    let mut few: [&mut [f32]; FEW] = core::array::from_fn(|_| slices.next().unwrap_or_default());
    f(&mut few[..n])
}

/// Builds all layers and adds them to the plan.
#[expect(clippy::too_many_arguments, reason = "what has been decided of each layer")]
fn layers<'m>(
    schedule: &Schedule,
    weights: Vec<StoredWeights<'m>>,
    of_bytes: Vec<Option<Int8Layer>>,
    chosen: Vec<Chosen>,
    epilogues: Vec<ScaleAndBias>,
    isa: Isa,
    plan: &mut Plan,
    source: &mut KeptSource<'_, 'm>,
) -> Result<Vec<PreparedLayer<'m>>, RuntimeError> {
    let max_batch = plan.max_batch;
    let (mut layers, mut scratch_bytes) = (Vec::new(), 0);
    for ((((spec, weights), of_bytes), chosen), epilogue) in
        schedule.layers.iter().zip(weights).zip(of_bytes).zip(chosen).zip(epilogues)
    {
        let file_bytes = weights.file_bytes;
        let Chosen { form, fastest, ns, dense_ns, costs } = chosen;
        scratch_bytes = scratch_bytes.max(forms::scratch_bytes(spec, &weights, form, fastest, max_batch));
        let target = Target { form, fastest, isa, max_batch };
        let layer = match of_bytes {
            Some(of_bytes) if HAS_INTEGERS => {
                PreparedLayer::of_bytes(spec.clone(), &weights, of_bytes, target, epilogue)
            }
            _ => PreparedLayer::build(spec.clone(), weights, target, epilogue, source)?,
        };
        plan.layers.push(LayerPlan {
            name: spec.name.clone(),
            form: layer.form_kind.name(),
            n_kept: layer.n_kept,
            n_weights: layer.n_weights,
            int8_error: layer.int8.as_ref().map(|int8| int8.1),
            anonymous_bytes: layer.n_bytes(),
            file_bytes: if layer.weights.is_some() { file_bytes } else { 0 },
            costs,
            ns,
            dense_ns,
        });
        layers.push(layer);
    }
    plan.anonymous_bytes += scratch_bytes * plan.threads;
    plan.anonymous_bytes += plan.layers.iter().map(|l| l.anonymous_bytes).sum::<usize>();
    Ok(layers)
}
