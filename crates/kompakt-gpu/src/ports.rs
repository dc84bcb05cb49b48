//! Upload of inputs and download of results.

use crate::{
    GpuError,
    adapter::Gpu,
    memory::{buffer, buffer_bytes},
    places::Places,
    steps::Lowered,
    waiting::{map, wait},
};
use half::f16;
use wgpu::{Buffer, BufferDescriptor, BufferUsages, CommandEncoder, MapMode};

/// See the [module page](self).
#[derive(Debug)]
pub(crate) struct Ports {
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// Bytes of an element in video memory: 4, or 2 in half precision.
    element: usize,
    /// Holds the number of images for the shaders.
    run: Buffer,
    /// The number of images, then the inputs. Mapped between runs.
    upload: Buffer,
    download: Buffer,
    is_mapped: bool,
}

/// An input or output.
#[derive(Debug)]
struct Port {
    /// Elements per image.
    len: usize,
    /// Its buffer.
    place: usize,
    /// Its offset in the upload or download buffer.
    at: u64,
}

/// Bytes before the inputs.
const RUN_BYTES: u64 = 16;

impl Ports {
    pub(crate) fn new(
        gpu: &Gpu,
        lowered: &Lowered,
        places: &Places,
        max_batch: usize,
        element: usize,
    ) -> Self {
        let list = |values: &[usize], mut at: u64| {
            let port = |&value: &usize| {
                let len = lowered.lens[value];
                let port = Port { len, place: places.of_value[value].unwrap_or(0), at };
                at += buffer_bytes(len * max_batch, element);
                port
            };
            let ports: Vec<Port> = values.iter().map(port).collect();
            (ports, at)
        };
        let (inputs, upload_bytes) = list(&lowered.inputs, RUN_BYTES);
        let (outputs, download_bytes) = list(&lowered.outputs, 0);
        Self {
            inputs,
            outputs,
            element,
            run: buffer(gpu, RUN_BYTES, BufferUsages::UNIFORM | BufferUsages::COPY_DST),
            upload: gpu.device.create_buffer(&BufferDescriptor {
                label: Some("inputs"),
                size: upload_bytes,
                usage: BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC,
                mapped_at_creation: true,
            }),
            download: buffer(gpu, download_bytes.max(4), BufferUsages::MAP_READ | BufferUsages::COPY_DST),
            is_mapped: true,
        }
    }

    pub(crate) fn run(&self) -> &Buffer {
        &self.run
    }

    pub(crate) fn n_bytes(&self) -> u64 {
        self.run.size() + self.upload.size() + self.download.size()
    }

    /// Writes `n` images from number `first` on, and records their copy to the buffers of the values.
    pub(crate) async fn upload(
        &mut self,
        gpu: &Gpu,
        inputs: &[&[f32]],
        first: usize,
        n: usize,
        values: &[Buffer],
        encoder: &mut CommandEncoder,
    ) -> Result<(), GpuError> {
        if !self.is_mapped {
            // An earlier run has failed.
            let mapped = map(&self.upload, MapMode::Write);
            wait(gpu, [mapped]).await?;
        }
        self.is_mapped = false;
        {
            let mut view = self.upload.slice(..).get_mapped_range_mut().map_err(|e| gpu.failed(e))?;
            let images = u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
            view.slice(..4).copy_from_slice(&images);
            let mut bytes = Vec::with_capacity(1 << 14);
            for (port, input) in self.inputs.iter().zip(inputs) {
                let mut at = port.at as usize;
                for piece in input[first * port.len..(first + n) * port.len].chunks(1 << 12) {
                    bytes.clear();
                    match self.element {
                        2 => bytes.extend(piece.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes())),
                        _ => bytes.extend(piece.iter().flat_map(|v| v.to_le_bytes())),
                    }
                    view.slice(at..at + bytes.len()).copy_from_slice(&bytes);
                    at += bytes.len();
                }
            }
        }
        self.upload.unmap();
        encoder.copy_buffer_to_buffer(&self.upload, 0, &self.run, 0, RUN_BYTES);
        for port in &self.inputs {
            let size = buffer_bytes(port.len * n, self.element);
            encoder.copy_buffer_to_buffer(&self.upload, port.at, &values[port.place], 0, size);
        }
        Ok(())
    }

    /// Records the copy of the results, submits, waits, and writes them out starting at image `first`.
    pub(crate) async fn download(
        &mut self,
        gpu: &Gpu,
        first: usize,
        n: usize,
        values: &[Buffer],
        mut encoder: CommandEncoder,
        outputs: &mut [Vec<f32>],
    ) -> Result<(), GpuError> {
        for port in &self.outputs {
            let size = buffer_bytes(port.len * n, self.element);
            encoder.copy_buffer_to_buffer(&values[port.place], 0, &self.download, port.at, size);
        }
        gpu.queue.submit([encoder.finish()]);
        // The next run's inputs can be written once this run's have been read.
        let (down, up) = (map(&self.download, MapMode::Read), map(&self.upload, MapMode::Write));
        wait(gpu, [down, up]).await?;
        self.is_mapped = true;
        {
            let view = self.download.slice(..).get_mapped_range().map_err(|e| gpu.failed(e))?;
            for (port, output) in self.outputs.iter().zip(outputs) {
                let bytes = &view[port.at as usize..][..port.len * n * self.element];
                let to = &mut output[first * port.len..(first + n) * port.len];
                match self.element {
                    2 => to
                        .iter_mut()
                        .zip(bytes.as_chunks().0)
                        .for_each(|(v, &b)| *v = f16::from_le_bytes(b).to_f32()),
                    _ => {
                        to.iter_mut().zip(bytes.as_chunks().0).for_each(|(v, &b)| *v = f32::from_le_bytes(b))
                    }
                }
            }
        }
        self.download.unmap();
        gpu.check()
    }
}
