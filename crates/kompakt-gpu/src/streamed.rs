//! Layers that are not resident in video memory: each run streams their blocks through two staging buffers.
//!
//! ```text
//! file ─ pack block k ─► staging k % 2 ─ copy ─► slot k % 2 ─► shader        while the device works on block k,
//!                                                                            the host packs block k + 1
//! ```

use crate::{GpuError, adapter::Gpu, block::Block, bound::Dispatch, memory::buffer, weights};
use kompakt_runtime::{Parameters, program::ParameterId};
use wgpu::{Buffer, BufferUsages, CommandEncoder, SubmissionIndex};

/// Two buffers for the host and two for the shaders.
#[derive(Debug)]
pub(crate) struct Slots {
    pairs: [Pair; 2],
}

#[derive(Debug)]
#[cfg_attr(
    target_arch = "wasm32",
    allow(dead_code, reason = "a browser keeps blocks itself until they are used")
)]
struct Pair {
    staging: Buffer,
    slot: Buffer,
    /// The submission that reads it.
    used_by: Option<SubmissionIndex>,
}

impl Slots {
    /// Slots for blocks of at most that many bytes.
    pub(crate) fn new(gpu: &Gpu, bytes: u64) -> Self {
        let pair = || Pair {
            staging: buffer(gpu, bytes, BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC),
            slot: buffer(gpu, bytes, BufferUsages::STORAGE | BufferUsages::COPY_DST),
            used_by: None,
        };
        Self { pairs: [pair(), pair()] }
    }

    /// Bytes of all four for blocks of `bytes`.
    pub(crate) fn bytes_for(bytes: u64) -> u64 {
        4 * bytes
    }

    pub(crate) fn n_bytes(&self) -> u64 {
        Self::bytes_for(self.bytes_of_one())
    }

    pub(crate) fn bytes_of_one(&self) -> u64 {
        self.pairs[0].slot.size()
    }

    /// The buffer that block number `k` of a layer is read from.
    pub(crate) fn buffer(&self, k: usize) -> &Buffer {
        &self.pairs[k % 2].slot
    }

    /// Writes block number `k` to its staging buffer, once the device has finished with its contents, and
    /// records the copy.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn bring(
        &mut self,
        gpu: &Gpu,
        k: usize,
        words: &[u32],
        encoder: &mut CommandEncoder,
    ) -> Result<(), GpuError> {
        let pair = &mut self.pairs[k % 2];
        let mapping = crate::waiting::map(&pair.staging, wgpu::MapMode::Write);
        gpu.poll_until(pair.used_by.take())?;
        // Another thread that polls the same device may be about to deliver it.
        pollster::block_on(crate::waiting::mapped(gpu, mapping))?;
        let mut view = pair.staging.slice(..).get_mapped_range_mut().map_err(|e| gpu.failed(e))?;
        crate::bound::write_words(&mut view, words);
        drop(view);
        pair.staging.unmap();
        encoder.copy_buffer_to_buffer(&pair.staging, 0, &pair.slot, 0, 4 * words.len() as u64);
        Ok(())
    }

    /// Writes block number `k` to its slot: a browser keeps the order of writes and submissions, and nobody may wait there.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn bring(
        &mut self,
        gpu: &Gpu,
        k: usize,
        words: &[u32],
        _: &mut CommandEncoder,
    ) -> Result<(), GpuError> {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        gpu.queue.write_buffer(&self.pairs[k % 2].slot, 0, &bytes);
        Ok(())
    }

    /// Records which submission reads block `k`.
    pub(crate) fn used(&mut self, k: usize, by: SubmissionIndex) {
        self.pairs[k % 2].used_by = Some(by);
    }
}

/// A layer whose weights are streamed at every run.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) weight: ParameterId,
    pub(crate) by_tile: bool,
    pub(crate) max_words: usize,
    /// Its blocks, where they cannot be reread from the file (the layer's section can only be decoded as a
    /// whole).
    pub(crate) held: Option<Vec<Block>>,
    /// One per block, each bound to its slot.
    pub(crate) dispatches: Vec<Dispatch>,
}

impl Streamed {
    /// Its blocks, the same at every run.
    pub(crate) fn blocks(
        &self,
        parameters: &mut Parameters<'_>,
        take: &mut dyn FnMut(&Block) -> Result<(), GpuError>,
    ) -> Result<(), GpuError> {
        match &self.held {
            Some(blocks) => blocks.iter().try_for_each(take),
            None => weights::blocks(parameters, self.weight, self.by_tile, self.max_words, &mut |b| take(&b)),
        }
    }
}
