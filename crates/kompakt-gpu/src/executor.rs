//! Executes a program on a GPU, with all memory allocated in advance.

use crate::{
    GpuError, GpuOptions,
    adapter::Gpu,
    prepare::{Kept, Network, Request},
    prepared::Prepared,
};
use kompakt_runtime::{Model, Plan, StepTime, program::Program};

/// Runs the program of a model on a GPU. See the [crate] page; [`session`](crate::session()) makes a session of one.
///
/// Construction uploads the coded weights, layer by layer. A run is one submission, and allocates no video
/// memory. Where a [budget](GpuOptions::vram_budget) keeps layers out of video memory, each of their blocks
/// adds a submission.
///
/// At other sizes, where the file leaves sizes open, everything but the weights is made anew: they stay in video memory. With a
/// budget they are uploaded again, so that both are never there together.
#[derive(Debug)]
pub struct GpuExecutor<'m> {
    gpu: Gpu,
    /// Nothing where the file was given up: other sizes need it.
    model: Option<&'m Model<'m>>,
    program: Program,
    /// As wanted; buffers may hold fewer.
    max_batch: usize,
    options: GpuOptions,
    /// Nothing after a failure that left nothing in video memory.
    prepared: Option<Prepared<'m>>,
    kept: Kept,
    plan: Plan,
}

impl<'m> GpuExecutor<'m> {
    /// Uploads a network and allocates what a run needs, for `max_batch` images at once or as many as the GPU's buffers
    /// can hold.
    ///
    /// Errors: payloads that are broken, operations or sizes beyond the GPU, a budget that is too small, a device that does
    /// not answer, and whatever the driver reports.
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
        let gpu = gpu.clone().with_limit(options.timeout);
        let program = model.program()?;
        let request = Request { gpu: &gpu, model, program: &program, max_batch, options };
        let Network { prepared, plan, kept } = request.load().await?;
        let (model, prepared, options) = (Some(model), Some(prepared), options.clone());
        Ok(Self { gpu, model, program, max_batch, options, prepared, kept, plan })
    }

    /// How it is run, and its memory.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same executor without the file, unless layers are streamed from it at every run.
    pub(crate) fn without_file(self) -> Option<GpuExecutor<'static>> {
        let Self { gpu, program, max_batch, options, prepared, kept, plan, .. } = self;
        let prepared = prepared?.without_file()?;
        let (model, prepared) = (None, Some(prepared));
        Some(GpuExecutor { gpu, model, program, max_batch, options, prepared, kept, plan })
    }

    /// Prepares for the program of the same model at other sizes, as
    /// [`Executor::resize`](kompakt_runtime::Executor::resize), for programs that may not wait.
    ///
    /// Errors: as [`new`](Self#method.new); it stays as it is, unless a budget has made it give up its memory and the device
    /// fails again at the sizes before.
    pub async fn resize_async(&mut self, program: &Program) -> Result<(), GpuError> {
        let Some(model) = self.model else {
            let problem = "other sizes need the file, which is not kept here";
            return Err(GpuError::Unsupported(vec![problem.into()]));
        };
        let gpu = &self.gpu;
        let (max_batch, options) = (self.max_batch, &self.options);
        let request = Request { gpu, model, program, max_batch, options };
        if options.vram_budget.is_none() {
            let (prepared, plan) = request.fit(&self.kept).await?;
            (self.prepared, self.plan) = (Some(prepared), plan);
        } else {
            (self.prepared, self.kept) = (None, Kept::default());
            let (network, result) = match request.load().await {
                Ok(network) => (network, Ok(())),
                Err(error) => (Request { program: &self.program, ..request }.load().await?, Err(error)),
            };
            (self.prepared, self.plan, self.kept) = (Some(network.prepared), network.plan, network.kept);
            result?;
        }
        self.program = program.clone();
        Ok(())
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
        self.prepared.as_mut().ok_or_else(gone)?.run(&self.gpu, inputs, batch, outputs).await
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
        let prepared = self.prepared.as_mut().ok_or_else(gone)?;
        prepared.profile(&self.gpu, inputs, batch, rounds, outputs).await
    }
}

/// After a failure that left nothing in video memory.
fn gone() -> GpuError {
    GpuError::Unsupported(vec!["it could not be prepared again for other sizes; make a new session".into()])
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

    fn is_resizable(&self) -> bool {
        self.model.is_some()
    }

    fn resize(&mut self, program: &Program) -> Result<(), kompakt_runtime::RuntimeError> {
        Ok(pollster::block_on(self.resize_async(program))?)
    }
}
