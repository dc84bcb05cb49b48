//! Buffers of video memory.

use crate::{GpuError, adapter::Gpu};
use wgpu::{Buffer, BufferDescriptor, BufferUsages};

/// Size in bytes of a buffer of that many elements, rounded up to words because buffers are copied by words.
pub(crate) fn buffer_bytes(elements: usize, element: usize) -> u64 {
    ((elements * element).next_multiple_of(4)).max(4) as u64
}

/// An empty buffer.
pub(crate) fn buffer(gpu: &Gpu, size: u64, usage: BufferUsages) -> Buffer {
    gpu.device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

/// Submits the writes now, so that host memory holds one layer at most, and frees what is no longer used.
pub(crate) async fn finish_uploads(gpu: &Gpu) -> Result<(), GpuError> {
    gpu.queue.submit([]);
    #[cfg(target_arch = "wasm32")]
    crate::waiting::done(gpu).await?;
    gpu.poll()
}
