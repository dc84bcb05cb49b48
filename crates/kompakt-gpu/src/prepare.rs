//! Prepares a network: plans its video memory, uploads its weights, binds the shaders of its steps.
//!
//! ```text
//! program at some sizes ─► frame: steps, places, batch ─┬─► weights from the file, or those that are there ─► dispatches
//!                                                       └─► buffers of values, inputs, results
//! ```

use crate::{
    GpuError, GpuOptions,
    adapter::Gpu,
    bound::Binder,
    budget::Budget,
    bytes::quantisers,
    coded::{Coded, Decoder},
    layer::Layer,
    memory::{buffer, buffer_bytes, finish_uploads},
    places::Places,
    ports::Ports,
    prepared::{Prepared, Stage},
    resident::{Resident, layer_plan},
    steps::{Lowered, Step, Work, lower},
    streamed::{Slots, Streamed},
    weights,
};
use kompakt_format::rows_and_cols;
use kompakt_runtime::{Activations, DevicePlan, LayerPlan, Model, Parameters, Plan, program::Program};
use wgpu::{Buffer, BufferUsages};

/// What is to be prepared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'r, 'm> {
    pub(crate) gpu: &'r Gpu,
    pub(crate) model: &'m Model<'m>,
    pub(crate) program: &'r Program,
    /// Images at once, if buffers can hold as many.
    pub(crate) max_batch: usize,
    pub(crate) options: &'r GpuOptions,
}

/// A network, and the part of it that other sizes share.
#[derive(Debug)]
pub(crate) struct Network<'m> {
    pub(crate) prepared: Prepared<'m>,
    pub(crate) plan: Plan,
    pub(crate) kept: Kept,
}

/// What stays in video memory, whatever the sizes.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    layers: Vec<Resident>,
    n_bytes: u64,
}

/// Everything that depends on the sizes, before there is memory for it.
struct Frame {
    lowered: Lowered,
    places: Places,
    max_batch: usize,
    /// Bytes of an element.
    element: usize,
    /// Bytes of each buffer of values.
    sizes: Vec<u64>,
}

impl<'m> Request<'_, 'm> {
    /// Uploads the weights and prepares the rest.
    ///
    /// Errors: payloads that are broken, operations or sizes beyond the GPU, a budget that is too small, and whatever the
    /// driver reports.
    pub(crate) async fn load(self) -> Result<Network<'m>, GpuError> {
        let Self { gpu, model, options, .. } = self;
        let allocated = gpu.allocated_bytes();
        let frame = self.frame()?;
        let ports = frame.ports(gpu);
        let (lowered, max_batch) = (&frame.lowered, frame.max_batch);
        let mut parameters = model.parameters()?;
        let mut coded = Coded::survey(gpu, lowered, &parameters, options)?;
        let fixed = frame.activation_bytes() + ports.n_bytes();
        let plan = |coded: Option<&Coded>| {
            Budget::plan(gpu, options.vram_budget, fixed, lowered, coded, model, max_batch)
        };
        let mut budget = plan(coded.as_ref());
        if matches!(budget, Err(GpuError::Budget { .. })) && coded.is_some() {
            // Without what decoding needs, more may fit.
            coded = None;
            budget = plan(None);
        }
        let budget = budget?;

        let values = frame.values(gpu);
        let slots = budget.slot_bytes.map(|bytes| Slots::new(gpu, bytes));
        let mut binder = self.binder(&frame, &ports, &values);
        let decoder = coded.as_ref().map(|coded| Decoder::new(coded, &mut binder)).transpose()?;
        let (mut stages, mut layers) = (Vec::with_capacity(lowered.steps.len()), Vec::new());
        let mut kept = Kept { layers: Vec::new(), n_bytes: binder.n_bytes };
        for (index, step) in lowered.steps.iter().enumerate() {
            let slots = slots.as_ref().filter(|_| budget.is_streamed(index));
            let Work::Layer(layer) = &step.work else {
                stages.push(Stage::Resident(vec![binder.plain(step, &mut parameters)?]));
                finish_uploads(gpu).await?;
                continue;
            };
            if let Some(slots) = slots {
                let (streamed, plan) = streamed(&mut binder, step, layer, &mut parameters, slots)?;
                stages.push(Stage::Streamed(streamed));
                layers.push(plan);
                continue;
            }
            let before = binder.n_bytes;
            let resident = match &decoder {
                Some(decoder) if coded.as_ref().is_some_and(|coded| coded.has(index)) => {
                    decoder.layer(&mut binder, step, layer, &mut parameters).await?
                }
                _ => match layer.quantiser {
                    Some(quantiser) => {
                        Resident::load_bytes(&mut binder, step, (layer, quantiser), &mut parameters)?
                    }
                    None => Resident::load(&mut binder, step, layer, &mut parameters)?,
                },
            };
            kept.n_bytes += binder.n_bytes - before;
            let (dispatches, plan) = resident.dispatches(&mut binder, step, layer)?;
            stages.push(Stage::Resident(dispatches));
            layers.push(plan);
            kept.layers.push(resident);
            finish_uploads(gpu).await?;
        }
        let n_bytes = binder.n_bytes;
        drop(decoder);
        finish_uploads(gpu).await?;
        let parameters = slots.is_some().then_some(parameters);
        let staging_bytes = ports.n_bytes() + slots.as_ref().map_or(0, Slots::n_bytes);
        let bytes = Bytes { weights: n_bytes, staging: staging_bytes, kept: 0, before: allocated };
        let plan = frame.plan(gpu, layers, bytes);
        let prepared = Prepared { max_batch, ports, stages, values, slots, parameters };
        Ok(Network { prepared, plan, kept })
    }

    /// Prepares everything but the weights, which are there.
    ///
    /// Errors: as [`load`](Self::load); layers other than those that are there.
    pub(crate) async fn fit(self, kept: &Kept) -> Result<(Prepared<'m>, Plan), GpuError> {
        let Self { gpu, model, .. } = self;
        let allocated = gpu.allocated_bytes();
        let frame = self.frame()?;
        let (ports, values) = (frame.ports(gpu), frame.values(gpu));
        let mut parameters = model.parameters()?;
        let mut binder = self.binder(&frame, &ports, &values);
        let (mut stages, mut layers) = (Vec::with_capacity(frame.lowered.steps.len()), Vec::new());
        let mut residents = kept.layers.iter();
        for step in &frame.lowered.steps {
            let Work::Layer(layer) = &step.work else {
                stages.push(Stage::Resident(vec![binder.plain(step, &mut parameters)?]));
                continue;
            };
            let Some(resident) = residents.next().filter(|resident| resident.is(layer)) else {
                let problem = format!("{}: another layer than at the sizes before", step.name);
                return Err(GpuError::Unsupported(vec![problem]));
            };
            let (dispatches, plan) = resident.dispatches(&mut binder, step, layer)?;
            stages.push(Stage::Resident(dispatches));
            layers.push(plan);
        }
        let n_bytes = binder.n_bytes + kept.n_bytes;
        finish_uploads(gpu).await?;
        let bytes =
            Bytes { weights: n_bytes, staging: ports.n_bytes(), kept: kept.n_bytes, before: allocated };
        let plan = frame.plan(gpu, layers, bytes);
        let max_batch = frame.max_batch;
        Ok((Prepared { max_batch, ports, stages, values, slots: None, parameters: None }, plan))
    }

    fn frame(&self) -> Result<Frame, GpuError> {
        let Self { gpu, model, program, max_batch, options } = *self;
        if options.half && !gpu.summary().has_f16 {
            let adapter = gpu.summary().name.clone();
            return Err(GpuError::Feature { adapter, feature: "16-bit floats, which half precision needs" });
        }
        if options.activations == Activations::Int8 && (options.half || options.vram_budget.is_some()) {
            let what = "int8 activations together with half precision or a budget of video memory";
            return Err(GpuError::Unsupported(vec![what.into()]));
        }
        let container = model.container()?;
        let rows_of = |parameter: usize| rows_and_cols(&container.graph().params()[parameter].shape);
        let mut lowered = lower(program, &rows_of)?;
        if options.half {
            lowered.check_half()?;
        }
        if options.activations == Activations::Int8 {
            lowered.quantise(&quantisers(&container)?);
        }
        let places = Places::plan(&lowered);
        let max_batch = batch_that_fits(gpu, &places, max_batch.max(1))?;
        let element = if options.half { 2 } else { 4 };
        let sizes = places.lengths.iter().map(|&len| buffer_bytes(len.max(1) * max_batch, element)).collect();
        Ok(Frame { lowered, places, max_batch, element, sizes })
    }

    fn binder<'b>(&'b self, frame: &'b Frame, ports: &'b Ports, values: &'b [Buffer]) -> Binder<'b> {
        Binder {
            gpu: self.gpu,
            variant: self.gpu.variant(self.options.half),
            max_batch: frame.max_batch,
            run: ports.run(),
            values,
            places: &frame.places,
            n_bytes: 0,
        }
    }
}

/// Bytes of video memory: of weights and other numbers of the file, for staging; of the first, those that were there before;
/// and what the allocator counted before everything else.
struct Bytes {
    weights: u64,
    staging: u64,
    kept: u64,
    before: Option<u64>,
}

impl Frame {
    fn activation_bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }

    fn ports(&self, gpu: &Gpu) -> Ports {
        Ports::new(gpu, &self.lowered, &self.places, self.max_batch, self.element)
    }

    fn values(&self, gpu: &Gpu) -> Vec<Buffer> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        self.sizes.iter().map(|&size| buffer(gpu, size, usage)).collect()
    }

    fn plan(&self, gpu: &Gpu, layers: Vec<LayerPlan>, bytes: Bytes) -> Plan {
        let allocated = gpu.allocated_bytes().zip(bytes.before);
        let device = DevicePlan {
            name: gpu.summary().name.clone(),
            weight_bytes: bytes.weights,
            activation_bytes: self.activation_bytes(),
            staging_bytes: bytes.staging,
            allocated_bytes: allocated.map(|(now, before)| now.saturating_sub(before) + bytes.kept),
        };
        let (lowered, max_batch) = (&self.lowered, self.max_batch);
        let mut plan = Plan::default();
        (plan.isa, plan.threads, plan.max_batch, plan.layers) = ("gpu", 1, max_batch, layers);
        plan.activation_bytes = device.activation_bytes as usize;
        let made = lowered.inputs.iter().chain(lowered.steps.iter().map(|step| &step.writes));
        plan.activation_bytes_unshared = made.map(|&v| lowered.lens[v] * max_batch * self.element).sum();
        plan.file_bytes = plan.layers.iter().map(|layer| layer.file_bytes).sum();
        plan.device = Some(device);
        plan
    }
}

/// A layer that is streamed at every run.
fn streamed(
    binder: &mut Binder<'_>,
    step: &Step,
    layer: &Layer,
    parameters: &mut Parameters<'_>,
    slots: &Slots,
) -> Result<(Streamed, LayerPlan), GpuError> {
    let epilogue = binder.epilogue(step, layer, parameters)?;
    let by_tile = layer.suits_tile(binder.max_batch);
    let max_words = weights::max_words(slots.bytes_of_one());
    let is_in_file = parameters.container().section_of(layer.weight).is_some();
    let mut held = (!is_in_file).then(Vec::new);
    let (mut dispatches, mut plan) = (Vec::new(), layer_plan(step, layer));
    plan.form = "streamed";
    weights::blocks(parameters, layer.weight, by_tile, max_words, &mut |block| {
        plan.file_bytes += 4 * block.words.len();
        plan.n_kept += block.layout.n_kept;
        let slot = slots.buffer(dispatches.len());
        dispatches.push(binder.block(step, layer, &block.layout, slot, &epilogue)?);
        if let Some(held) = &mut held {
            held.push(block);
        }
        Ok(())
    })?;
    Ok((Streamed { weight: layer.weight, by_tile, max_words, held, dispatches }, plan))
}

/// The largest batch, at most `wanted`, for which each value fits a buffer and its elements can be indexed.
fn batch_that_fits(gpu: &Gpu, places: &Places, wanted: usize) -> Result<usize, GpuError> {
    let limit = (gpu.max_binding_bytes() / 4).min(i32::MAX as u64);
    let longest = places.lengths.iter().copied().max().unwrap_or(0).max(1) as u64;
    match limit / longest {
        0 => Err(gpu.too_large("a value between two steps".into(), 4 * longest, 4 * limit)),
        n => Ok(wanted.min(usize::try_from(n).unwrap_or(usize::MAX))),
    }
}
