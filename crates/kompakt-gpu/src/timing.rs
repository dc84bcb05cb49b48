//! The time of each dispatch, from device timestamps.

use crate::{GpuError, adapter::Gpu, bound::Dispatch, memory::buffer, waiting};
use kompakt_runtime::StepTime;
use std::time::Duration;
use wgpu::{
    Buffer, BufferUsages, CommandEncoder, ComputePass, ComputePassDescriptor, ComputePassTimestampWrites,
    Features, MapMode, QuerySet, QuerySetDescriptor, QueryType,
};

/// See the [module page](self).
#[derive(Debug)]
pub(crate) struct Timing {
    queries: QuerySet,
    resolved: Buffer,
    read: Buffer,
    /// Names and shaders of the dispatches of this round.
    names: Vec<(String, &'static str)>,
}

/// The maximum number of timestamps in a query set.
const MAX_QUERIES: usize = 4096;

impl Timing {
    /// For rounds of that many dispatches; `None` where the device has no timestamps, or too few.
    pub(crate) fn new(gpu: &Gpu, n_dispatches: usize) -> Option<Self> {
        let has_timestamps = gpu.device.features().contains(Features::TIMESTAMP_QUERY);
        if !has_timestamps || n_dispatches == 0 || 2 * n_dispatches > MAX_QUERIES {
            return None;
        }
        let bytes = 16 * n_dispatches as u64;
        Some(Self {
            queries: gpu.device.create_query_set(&QuerySetDescriptor {
                label: None,
                ty: QueryType::Timestamp,
                count: 2 * n_dispatches as u32,
            }),
            resolved: buffer(gpu, bytes, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            read: buffer(gpu, bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST),
            names: Vec::with_capacity(n_dispatches),
        })
    }

    /// Begins a round.
    pub(crate) fn start(&mut self) {
        self.names.clear();
    }

    /// A pass for one dispatch.
    pub(crate) fn pass(&mut self, encoder: &mut CommandEncoder, dispatch: &Dispatch) -> ComputePass<'static> {
        let first = 2 * self.names.len() as u32;
        self.names.push((dispatch.name.clone(), dispatch.shader.name()));
        let writes = ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        };
        let descriptor = ComputePassDescriptor { label: None, timestamp_writes: Some(writes) };
        encoder.begin_compute_pass(&descriptor).forget_lifetime()
    }

    /// Records the readback of the round's times.
    pub(crate) fn resolve(&self, encoder: &mut CommandEncoder) {
        let n = 2 * self.names.len() as u32;
        encoder.resolve_query_set(&self.queries, 0..n, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.read, 0, u64::from(n) * 8);
    }

    /// The times of the round's dispatches.
    pub(crate) async fn read(&self, gpu: &Gpu) -> Result<Vec<Duration>, GpuError> {
        waiting::wait(gpu, [waiting::map(&self.read, MapMode::Read)]).await?;
        let period = f64::from(gpu.queue.get_timestamp_period());
        let times = {
            let view = self.read.slice(..).get_mapped_range().map_err(|e| gpu.failed(e))?;
            let ticks: Vec<u64> = view.as_chunks().0.iter().map(|&b| u64::from_le_bytes(b)).collect();
            let time = |pair: &[u64; 2]| {
                Duration::from_nanos((pair[1].saturating_sub(pair[0]) as f64 * period) as u64)
            };
            ticks.as_chunks().0.iter().take(self.names.len()).map(time).collect()
        };
        self.read.unmap();
        Ok(times)
    }

    /// Medians over all rounds; the parts of a step that one shader computes are added up.
    pub(crate) fn steps(&self, rounds: &[Vec<Duration>]) -> Vec<StepTime> {
        let mut steps: Vec<StepTime> = Vec::new();
        let mut first = 0;
        while first < self.names.len() {
            let (name, kind) = &self.names[first];
            let n = self.names[first..]
                .iter()
                .take_while(|(other, shader)| other == name && shader == kind)
                .count();
            let mut times: Vec<Duration> =
                rounds.iter().map(|round| round[first..first + n].iter().sum()).collect();
            times.sort_unstable();
            if let (Some(&least), Some(&time)) = (times.first(), times.get(times.len() / 2)) {
                steps.push(StepTime { name: name.clone(), kind, time, least });
            }
            first += n;
        }
        steps
    }
}
