//! A network that is ready to run, at one size of each of its open dimensions.

use crate::{
    GpuError,
    adapter::Gpu,
    bound::Dispatch,
    ports::Ports,
    streamed::{Slots, Streamed},
    timing::Timing,
};
use kompakt_runtime::{Parameters, StepTime};
use std::time::Duration;
use wgpu::{Buffer, CommandEncoder, CommandEncoderDescriptor, ComputePass, ComputePassDescriptor};

/// See the [module page](self).
#[derive(Debug)]
pub(crate) struct Prepared<'m> {
    pub(crate) max_batch: usize,
    pub(crate) ports: Ports,
    pub(crate) stages: Vec<Stage>,
    pub(crate) values: Vec<Buffer>,
    pub(crate) slots: Option<Slots>,
    /// Where layers are streamed at every run.
    pub(crate) parameters: Option<Parameters<'m>>,
}

/// A prepared step.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Everything is in video memory.
    Resident(Vec<Dispatch>),
    /// Weights are streamed from the file.
    Streamed(Streamed),
}

impl Prepared<'_> {
    /// The same without the file, unless layers are streamed from it at every run.
    pub(crate) fn without_file(self) -> Option<Prepared<'static>> {
        let Self { max_batch, ports, stages, values, slots, parameters } = self;
        parameters.is_none().then_some(Prepared { max_batch, ports, stages, values, slots, parameters: None })
    }

    /// Runs a batch, in parts of at most [`max_batch`](Self::max_batch) images.
    pub(crate) async fn run(
        &mut self,
        gpu: &Gpu,
        inputs: &[&[f32]],
        batch: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<(), GpuError> {
        let mut first = 0;
        while first < batch {
            let n = self.max_batch.min(batch - first);
            self.run_part(gpu, inputs, first, n, outputs, None).await?;
            first += n;
        }
        Ok(())
    }

    /// Times every step of one part of a batch; empty where the device has no timestamps.
    pub(crate) async fn profile(
        &mut self,
        gpu: &Gpu,
        inputs: &[&[f32]],
        batch: usize,
        rounds: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<Vec<StepTime>, GpuError> {
        let n = batch.min(self.max_batch);
        let Some(mut timing) = Timing::new(gpu, self.n_dispatches()).filter(|_| n > 0) else {
            return Ok(Vec::new());
        };
        let mut all: Vec<Vec<Duration>> = Vec::new();
        for _ in 0..rounds {
            timing.start();
            self.run_part(gpu, inputs, 0, n, outputs, Some(&mut timing)).await?;
            all.push(timing.read(gpu).await?);
        }
        Ok(timing.steps(&all))
    }

    /// Runs `n` images from number `first` on.
    async fn run_part(
        &mut self,
        gpu: &Gpu,
        inputs: &[&[f32]],
        first: usize,
        n: usize,
        outputs: &mut [Vec<f32>],
        mut timing: Option<&mut Timing>,
    ) -> Result<(), GpuError> {
        let mut encoder = gpu.device.create_command_encoder(&CommandEncoderDescriptor::default());
        self.ports.upload(gpu, inputs, first, n, &self.values, &mut encoder).await?;
        let mut pass: Option<ComputePass<'static>> = None;
        for stage in &self.stages {
            match stage {
                Stage::Resident(dispatches) => {
                    for dispatch in dispatches {
                        match &mut timing {
                            Some(timing) => {
                                dispatch.record(gpu, &mut timing.pass(&mut encoder, dispatch), n);
                            }
                            None => {
                                let pass = pass.get_or_insert_with(|| new_pass(&mut encoder));
                                dispatch.record(gpu, pass, n);
                            }
                        }
                    }
                }
                Stage::Streamed(streamed) => {
                    drop(pass.take());
                    let Some((slots, parameters)) = self.slots.as_mut().zip(self.parameters.as_mut()) else {
                        continue;
                    };
                    let mut blocks = streamed.dispatches.iter().enumerate();
                    streamed.blocks(parameters, &mut |block| {
                        let Some((k, dispatch)) = blocks.next() else { return Ok(()) };
                        slots.bring(gpu, k, &block.words, &mut encoder)?;
                        let mut pass = match &mut timing {
                            Some(timing) => timing.pass(&mut encoder, dispatch),
                            None => new_pass(&mut encoder),
                        };
                        dispatch.record(gpu, &mut pass, n);
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
        self.ports.download(gpu, first, n, &self.values, encoder, outputs).await
    }

    fn n_dispatches(&self) -> usize {
        let count = |stage: &Stage| match stage {
            Stage::Resident(dispatches) => dispatches.len(),
            Stage::Streamed(streamed) => streamed.dispatches.len(),
        };
        self.stages.iter().map(count).sum()
    }
}

fn new_pass(encoder: &mut CommandEncoder) -> ComputePass<'static> {
    encoder.begin_compute_pass(&ComputePassDescriptor::default()).forget_lifetime()
}
