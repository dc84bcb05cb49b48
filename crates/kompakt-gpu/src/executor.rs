//! Executes a program on a GPU, with all memory allocated in advance.

use crate::{
    GpuError, GpuOptions,
    adapter::Gpu,
    bound::{Binder, Dispatch},
    budget::Budget,
    coded::{Coded, Decoder},
    layer::Layer,
    places::Places,
    ports::Ports,
    shader::Shader,
    steps::{Lowered, Step, Work, lower},
    streamed::{Slots, Streamed},
    timing::Timing,
    weights,
};
use kompakt_format::rows_and_cols;
use kompakt_runtime::{DevicePlan, LayerPlan, Model, Parameters, Plan, StepTime};
use std::time::Duration;
use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoder, CommandEncoderDescriptor, ComputePass,
    ComputePassDescriptor,
};

/// Runs the program of a model on a GPU. See the [crate] page; [`session`](crate::session()) makes a session of one.
///
/// Construction uploads the coded weights, layer by layer. A run is one submission, and allocates no video
/// memory. Where a [budget](GpuOptions::vram_budget) keeps layers out of video memory, each of their blocks
/// adds a submission.
#[derive(Debug)]
pub struct GpuExecutor<'m> {
    gpu: Gpu,
    max_batch: usize,
    ports: Ports,
    stages: Vec<Stage>,
    values: Vec<Buffer>,
    slots: Option<Slots>,
    /// Where layers are streamed at every run.
    parameters: Option<Parameters<'m>>,
    plan: Plan,
}

/// A prepared step.
#[derive(Debug)]
enum Stage {
    /// Everything is in video memory.
    Resident(Vec<Dispatch>),
    /// Weights are streamed from the file.
    Streamed(Streamed),
}

impl<'m> GpuExecutor<'m> {
    /// Uploads a network and allocates what a run needs, for `max_batch` images at once or as many as the GPU's buffers
    /// can hold.
    ///
    /// Errors: payloads that are broken, operations or sizes beyond the GPU, a budget that is too small, and whatever the
    /// driver reports.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(
        gpu: &Gpu,
        model: &'m Model<'m>,
        max_batch: usize,
        options: &GpuOptions,
    ) -> Result<Self, GpuError> {
        pollster::block_on(Self::new_async(gpu, model, max_batch, options))
    }

    /// As [`new`](Self#method.new), for programs that may not wait.
    ///
    /// Errors: as there.
    pub async fn new_async(
        gpu: &Gpu,
        model: &'m Model<'m>,
        max_batch: usize,
        options: &GpuOptions,
    ) -> Result<Self, GpuError> {
        if options.half && !gpu.summary().has_f16 {
            let adapter = gpu.summary().name.clone();
            return Err(GpuError::Feature { adapter, feature: "16-bit floats, which half precision needs" });
        }
        let container = model.container()?;
        let rows_of = |parameter: usize| rows_and_cols(&container.graph().params()[parameter].shape);
        let lowered = lower(&model.program()?, &rows_of)?;
        if options.half {
            lowered.check_half()?;
        }
        let allocated = gpu.allocated_bytes();
        let places = Places::plan(&lowered);
        let max_batch = batch_that_fits(gpu, &places, max_batch.max(1))?;
        let element = if options.half { 2 } else { 4 };
        let sizes: Vec<u64> =
            places.lengths.iter().map(|&len| buffer_bytes(len.max(1) * max_batch, element)).collect();
        let ports = Ports::new(gpu, &lowered, &places, max_batch, element);
        let activation_bytes: u64 = sizes.iter().sum();
        let mut parameters = model.parameters()?;
        let mut coded = Coded::survey(gpu, &lowered, &parameters, options)?;
        let fixed = activation_bytes + ports.n_bytes();
        let mut budget =
            Budget::plan(gpu, options.vram_budget, fixed, &lowered, coded.as_ref(), model, max_batch);
        if matches!(budget, Err(GpuError::Budget { .. })) && coded.is_some() {
            // Without what decoding needs, more may fit.
            coded = None;
            budget = Budget::plan(gpu, options.vram_budget, fixed, &lowered, None, model, max_batch);
        }
        let budget = budget?;

        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let values: Vec<Buffer> = sizes.iter().map(|&size| buffer(gpu, size, usage)).collect();
        let slots = budget.slot_bytes.map(|bytes| Slots::new(gpu, bytes));
        let mut binder = Binder {
            gpu,
            variant: gpu.variant(options.half),
            max_batch,
            run: ports.run(),
            values: &values,
            places: &places,
            n_bytes: 0,
        };
        let decoder = coded.as_ref().map(|coded| Decoder::new(coded, &mut binder)).transpose()?;
        let mut stages = Vec::with_capacity(lowered.steps.len());
        let mut layers = Vec::new();
        for (index, step) in lowered.steps.iter().enumerate() {
            if let Some(decoder) = decoder.as_ref().filter(|_| coded.as_ref().is_some_and(|c| c.has(index)))
                && let Work::Layer(layer) = &step.work
            {
                let mut plan = layer_plan(step, layer);
                let dispatches = decoder.layer(&mut binder, step, layer, &mut parameters, &mut plan).await?;
                stages.push(Stage::Resident(dispatches));
                layers.push(plan);
                continue;
            }
            let slots = slots.as_ref().filter(|_| budget.is_streamed(index));
            stages.push(stage(&mut binder, step, &mut parameters, slots, &mut layers)?);
            finish_uploads(gpu).await?;
        }
        let n_bytes = binder.n_bytes;
        drop(decoder);
        finish_uploads(gpu).await?;
        let device = DevicePlan {
            name: gpu.summary().name.clone(),
            weight_bytes: n_bytes,
            activation_bytes,
            staging_bytes: ports.n_bytes() + slots.as_ref().map_or(0, Slots::n_bytes),
            allocated_bytes: gpu
                .allocated_bytes()
                .zip(allocated)
                .map(|(now, before)| now.saturating_sub(before)),
        };
        let parameters = stages.iter().any(|stage| matches!(stage, Stage::Streamed(_))).then_some(parameters);
        let plan = plan(&lowered, device, layers, max_batch, element);
        Ok(Self { gpu: gpu.clone(), max_batch, ports, stages, values, slots, parameters, plan })
    }

    /// How it is run, and its memory.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same executor without the file, unless layers are streamed from it at every run.
    pub(crate) fn without_file(self) -> Option<GpuExecutor<'static>> {
        let Self { gpu, max_batch, ports, stages, values, slots, parameters, plan } = self;
        let executor = GpuExecutor { gpu, max_batch, ports, stages, values, slots, parameters: None, plan };
        parameters.is_none().then_some(executor)
    }

    /// Runs the program, as [`Executor::run`](kompakt_runtime::Executor::run), for programs that may not wait. A
    /// run is awaited to its end.
    ///
    /// Errors: as there.
    pub async fn run_async(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<(), GpuError> {
        let mut first = 0;
        while first < batch {
            let n = self.max_batch.min(batch - first);
            self.run_part(inputs, first, n, outputs, None).await?;
            first += n;
        }
        Ok(())
    }

    /// Times every step, as [`Executor::profile`](kompakt_runtime::Executor::profile): from device timestamps, for one
    /// part of a batch; empty where there are none.
    ///
    /// Errors: as there.
    pub async fn profile_async(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        rounds: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<Vec<StepTime>, GpuError> {
        let n = batch.min(self.max_batch);
        let Some(mut timing) = Timing::new(&self.gpu, self.n_dispatches()).filter(|_| n > 0) else {
            return Ok(Vec::new());
        };
        let mut all: Vec<Vec<Duration>> = Vec::new();
        for _ in 0..rounds {
            timing.start();
            self.run_part(inputs, 0, n, outputs, Some(&mut timing)).await?;
            all.push(timing.read(&self.gpu).await?);
        }
        Ok(timing.steps(&all))
    }

    /// Runs `n` images from number `first` on.
    async fn run_part(
        &mut self,
        inputs: &[&[f32]],
        first: usize,
        n: usize,
        outputs: &mut [Vec<f32>],
        mut timing: Option<&mut Timing>,
    ) -> Result<(), GpuError> {
        let mut encoder = self.encoder();
        self.ports.upload(&self.gpu, inputs, first, n, &self.values, &mut encoder).await?;
        let mut pass: Option<ComputePass<'static>> = None;
        for stage in &self.stages {
            match stage {
                Stage::Resident(dispatches) => {
                    for dispatch in dispatches {
                        if let Some(timing) = &mut timing {
                            let mut pass = timing.pass(&mut encoder, dispatch);
                            self.dispatch(&mut pass, dispatch, n);
                        } else {
                            let pass = pass.get_or_insert_with(|| {
                                encoder
                                    .begin_compute_pass(&ComputePassDescriptor::default())
                                    .forget_lifetime()
                            });
                            self.dispatch(pass, dispatch, n);
                        }
                    }
                }
                Stage::Streamed(streamed) => {
                    drop(pass.take());
                    let Some((slots, parameters)) = self.slots.as_mut().zip(self.parameters.as_mut()) else {
                        continue;
                    };
                    let mut blocks = streamed.dispatches.iter().enumerate();
                    let gpu = &self.gpu;
                    streamed.blocks(parameters, &mut |block| {
                        let Some((k, dispatch)) = blocks.next() else { return Ok(()) };
                        slots.bring(gpu, k, &block.words, &mut encoder)?;
                        let mut pass = match &mut timing {
                            Some(timing) => timing.pass(&mut encoder, dispatch),
                            None => encoder
                                .begin_compute_pass(&ComputePassDescriptor::default())
                                .forget_lifetime(),
                        };
                        record(gpu, &mut pass, dispatch, n);
                        drop(pass);
                        let next = gpu.device.create_command_encoder(&CommandEncoderDescriptor::default());
                        let done = gpu.queue.submit([std::mem::replace(&mut encoder, next).finish()]);
                        slots.used(k, done);
                        gpu.check()
                    })?;
                }
            }
        }
        drop(pass);
        if let Some(timing) = timing {
            timing.resolve(&mut encoder);
        }
        self.ports.download(&self.gpu, first, n, &self.values, encoder, outputs).await
    }

    fn encoder(&self) -> CommandEncoder {
        self.gpu.device.create_command_encoder(&CommandEncoderDescriptor::default())
    }

    fn dispatch(&self, pass: &mut ComputePass<'_>, dispatch: &Dispatch, n: usize) {
        record(&self.gpu, pass, dispatch, n);
    }

    fn n_dispatches(&self) -> usize {
        let count = |stage: &Stage| match stage {
            Stage::Resident(dispatches) => dispatches.len(),
            Stage::Streamed(streamed) => streamed.dispatches.len(),
        };
        self.stages.iter().map(count).sum()
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl kompakt_runtime::Executor for GpuExecutor<'_> {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn run(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<(), kompakt_runtime::RuntimeError> {
        Ok(pollster::block_on(self.run_async(inputs, batch, outputs))?)
    }

    fn profile(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        rounds: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<Vec<StepTime>, kompakt_runtime::RuntimeError> {
        Ok(pollster::block_on(self.profile_async(inputs, batch, rounds, outputs))?)
    }
}

/// Records a dispatch for `n` images.
pub(crate) fn record(gpu: &Gpu, pass: &mut ComputePass<'_>, dispatch: &Dispatch, n: usize) {
    // The numbers of workgroups were checked when it was bound.
    let (groups, limit) = (dispatch.n_groups(n as u64), gpu.max_groups());
    let x = groups.min(limit).max(1);
    pass.set_pipeline(&dispatch.pipeline);
    pass.set_bind_group(0, &dispatch.bindings, &[]);
    pass.dispatch_workgroups(x as u32, groups.div_ceil(x) as u32, 1);
}

/// Prepares a step, and appends how a layer is run to `layers`. With `slots`, a layer is streamed at every
/// run.
fn stage(
    binder: &mut Binder<'_>,
    step: &Step,
    parameters: &mut Parameters<'_>,
    slots: Option<&Slots>,
    layers: &mut Vec<LayerPlan>,
) -> Result<Stage, GpuError> {
    let Work::Layer(layer) = &step.work else {
        return Ok(Stage::Resident(vec![binder.plain(step, parameters)?]));
    };
    let gpu = binder.gpu;
    let epilogue = binder.epilogue(step, layer, parameters)?;
    let by_tile = layer.suits_tile(binder.max_batch);
    let max_words = weights::max_words(slots.map_or(gpu.max_binding_bytes(), Slots::bytes_of_one));
    let is_in_file = parameters.container().section_of(layer.weight).is_some();
    let mut held = (slots.is_some() && !is_in_file).then(Vec::new);
    let mut dispatches = Vec::new();
    let mut layer_plan = layer_plan(step, layer);
    weights::blocks(parameters, layer.weight, by_tile, max_words, &mut |block| {
        let bytes = 4 * block.words.len();
        if layer.is_whole() && !dispatches.is_empty() {
            let (all, limit) = (layer_plan.anonymous_bytes + bytes, gpu.max_binding_bytes());
            return Err(gpu.too_large(format!("the recurrent layer {:?}", step.name), all as u64, limit));
        }
        let dispatch = match slots {
            Some(slots) => {
                layer_plan.file_bytes += bytes;
                binder.block(step, layer, &block.layout, slots.buffer(dispatches.len()), &epilogue)?
            }
            None => {
                layer_plan.anonymous_bytes += bytes;
                let weights = binder.filled(&step.name, &block.words, BufferUsages::STORAGE)?;
                binder.block(step, layer, &block.layout, &weights, &epilogue)?
            }
        };
        layer_plan.n_kept += block.layout.n_kept;
        layer_plan.form = match (slots, dispatch.shader) {
            (Some(_), _) => "streamed",
            (None, Shader::Tile) => "tile",
            (None, _) if block.layout.is_fields => "fields",
            (None, _) => "map",
        };
        dispatches.push(dispatch);
        if let Some(held) = &mut held {
            held.push(block);
        }
        Ok(())
    })?;
    layers.push(layer_plan);
    Ok(match slots {
        Some(slots) => Stage::Streamed(Streamed {
            weight: layer.weight,
            by_tile,
            max_words: weights::max_words(slots.bytes_of_one()),
            held,
            dispatches,
        }),
        None => Stage::Resident(dispatches),
    })
}

fn layer_plan(step: &Step, layer: &Layer) -> LayerPlan {
    let mut plan = LayerPlan::default();
    (plan.name, plan.n_weights) = (step.name.clone(), layer.n_rows() * layer.n_cols());
    plan
}

/// Submits the writes now, so that host memory holds one layer at most, and frees what is no longer used.
async fn finish_uploads(gpu: &Gpu) -> Result<(), GpuError> {
    gpu.queue.submit([]);
    #[cfg(target_arch = "wasm32")]
    crate::ports::done(gpu).await;
    gpu.poll()
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

/// Size in bytes of a buffer of that many elements, rounded up to words because buffers are copied by words.
pub(crate) fn buffer_bytes(elements: usize, element: usize) -> u64 {
    ((elements * element).next_multiple_of(4)).max(4) as u64
}

/// An empty buffer.
pub(crate) fn buffer(gpu: &Gpu, size: u64, usage: BufferUsages) -> Buffer {
    gpu.device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

fn plan(
    lowered: &Lowered,
    device: DevicePlan,
    layers: Vec<LayerPlan>,
    max_batch: usize,
    element: usize,
) -> Plan {
    let mut plan = Plan::default();
    (plan.isa, plan.threads, plan.max_batch, plan.layers) = ("gpu", 1, max_batch, layers);
    plan.activation_bytes = device.activation_bytes as usize;
    let made = lowered.inputs.iter().chain(lowered.steps.iter().map(|step| &step.writes));
    plan.activation_bytes_unshared = made.map(|&v| lowered.lens[v] * max_batch * element).sum();
    plan.file_bytes = plan.layers.iter().map(|layer| layer.file_bytes).sum();
    plan.device = Some(device);
    plan
}
