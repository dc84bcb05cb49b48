//! A network on a GPU for programs that may not wait, such as pages in browsers.

use crate::{Gpu, GpuError, GpuExecutor, GpuOptions};
use kompakt_prep::{Pipeline, Scratch};
use kompakt_runtime::{Executor, Model, Plan, Port, RuntimeError, Session};

/// A network on a GPU for programs that may not wait, such as pages in browsers.
///
/// It keeps nothing of the file: weights are in video memory, and the memory of the file can be freed. Elsewhere a
/// session does more; see `kompakt_gpu::session`.
#[derive(Debug)]
pub struct Network {
    executor: GpuExecutor<'static>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    pipeline: Option<Pipeline>,
    scratch: Scratch,
    prepared: Vec<f32>,
    results: Vec<Vec<f32>>,
}

impl Network {
    /// Opens a model: uploads its weights and allocates what a run needs, for `max_batch` images at once or as many as the
    /// GPU's buffers can hold.
    ///
    /// Errors: as [`GpuExecutor::new_async`]; a [budget](GpuOptions::vram_budget) for which layers would have to be streamed
    /// from the file at every run.
    pub async fn open(
        gpu: &Gpu,
        model: &Model<'_>,
        max_batch: usize,
        options: &GpuOptions,
    ) -> Result<Self, GpuError> {
        let session = Session::with_executor(model, Box::new(Nothing::default()))?;
        let (inputs, outputs) = (session.inputs().to_vec(), session.outputs().to_vec());
        let pipeline = session.pipeline().cloned();
        let executor = GpuExecutor::new_async(gpu, model, max_batch, options).await?.without_file();
        let executor = executor.ok_or_else(|| {
            let why = "layers beyond the budget are streamed from the file, which is not kept here";
            GpuError::Unsupported(vec![why.into()])
        })?;
        let results = outputs.iter().map(|_| Vec::new()).collect();
        let (scratch, prepared) = (Scratch::default(), Vec::new());
        Ok(Self { executor, inputs, outputs, pipeline, scratch, prepared, results })
    }

    /// How it is run, and its memory.
    pub fn plan(&self) -> &Plan {
        self.executor.plan()
    }

    /// The inputs, in the order in which [`run_raw`](Self::run_raw) takes them, after preprocessing.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs, in the order in which [`run_raw`](Self::run_raw) returns them.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Shape of a raw input: that of the file's preprocessing, or the network's where there is none.
    pub fn raw_shape(&self) -> Vec<usize> {
        self.pipeline.as_ref().map_or_else(|| self.inputs[0].shape.clone(), |p| p.input_shape().dims())
    }

    /// Runs the network on raw inputs, after the file's preprocessing; returns all outputs.
    ///
    /// Shapes: an input is `[batch, shape...]`, with [`raw_shape`](Self::raw_shape) where there is preprocessing; so is an
    /// output; row-major. Units: bytes of images divided by 255.
    /// Errors: the wrong number of inputs or an input of the wrong length; a device that is lost, or reports an error.
    pub async fn run_raw(&mut self, raw: &[&[f32]], batch: usize) -> Result<&[Vec<f32>], GpuError> {
        let n_inputs = self.inputs.len();
        if raw.len() != n_inputs {
            return Err(RuntimeError::InputCount { expected: n_inputs, found: raw.len() }.into());
        }
        let is_prepared = self.pipeline.is_some();
        for (port, input) in self.inputs.iter().zip(raw) {
            let shape = if is_prepared { self.raw_shape() } else { port.shape.clone() };
            let len: usize = shape.iter().product();
            let (expected, found) = (len.saturating_mul(batch), input.len());
            if expected != found {
                let name = if is_prepared { "raw".into() } else { port.name.clone() };
                return Err(RuntimeError::Input { name, shape, batch, expected, found }.into());
            }
        }
        for (result, port) in self.results.iter_mut().zip(&self.outputs) {
            result.resize(port.len * batch, 0.0);
        }
        match (&self.pipeline, raw) {
            (Some(pipeline), [raw]) => {
                let (from, to) = (pipeline.input_shape().len(), pipeline.output_shape().len());
                self.prepared.resize(to * batch, 0.0);
                for (raw, out) in raw.chunks_exact(from).zip(self.prepared.chunks_exact_mut(to)) {
                    pipeline.apply(raw, out, &mut self.scratch);
                }
                self.executor.run_async(&[&self.prepared], batch, &mut self.results).await?;
            }
            _ => self.executor.run_async(raw, batch, &mut self.results).await?,
        }
        Ok(&self.results)
    }
}

/// Runs nothing: a session tells what a network's inputs and outputs are, whatever runs it.
#[derive(Debug, Default)]
struct Nothing(Plan);

impl Executor for Nothing {
    fn plan(&self) -> &Plan {
        &self.0
    }

    fn run(&mut self, _: &[&[f32]], _: usize, _: &mut [Vec<f32>]) -> Result<(), RuntimeError> {
        Err(RuntimeError::Executor("this session only describes a network".into()))
    }
}
