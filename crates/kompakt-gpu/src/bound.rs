//! Steps prepared for the GPU: their parameters and weights in buffers, bound to a pipeline.

use crate::{
    GpuError,
    adapter::Gpu,
    block::Layout,
    bytes::{Bytes, Quantiser},
    layer::Layer,
    memory::buffer,
    places::Places,
    shader::{LANES, Shader, Variant},
    steps::{Groups, Step, Table, Work},
};
use kompakt_runtime::Parameters;
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, Buffer, BufferDescriptor, BufferUsages, ComputePass,
    ComputePipeline,
};

/// A step or a part of one, ready to be dispatched.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) name: String,
    pub(crate) shader: Shader,
    pub(crate) pipeline: ComputePipeline,
    pub(crate) bindings: BindGroup,
    groups: Groups,
}

impl Dispatch {
    /// Workgroups for `batch` images.
    pub(crate) fn n_groups(&self, batch: u64) -> u64 {
        self.groups.number(batch)
    }

    /// Records it for `n` images.
    pub(crate) fn record(&self, gpu: &Gpu, pass: &mut ComputePass<'_>, n: usize) {
        // The numbers of workgroups were checked when it was bound.
        let (groups, limit) = (self.n_groups(n as u64), gpu.max_groups());
        let x = groups.min(limit).max(1);
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.dispatch_workgroups(x as u32, groups.div_ceil(x) as u32, 1);
    }
}

impl Groups {
    /// Workgroups for `batch` images.
    pub(crate) fn number(self, batch: u64) -> u64 {
        match self {
            Self::Elements(n) => (n * batch).div_ceil(u64::from(LANES)),
            Self::Each(n) => n * batch,
            Self::Fixed(n) => n,
            Self::Tiles { rows, tile_rows, positions, tile_positions } => {
                rows.div_ceil(tile_rows) * (positions * batch).div_ceil(tile_positions)
            }
        }
    }
}

/// The numbers of a layer beside its rows, in video memory.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// Scale, then shift, of each row.
    epilogue: Buffer,
    /// Of a layer over bytes: the bytes of all codes.
    tables: Option<Buffer>,
    /// Words from the table of a row to the next; 0 where all have the same.
    table_words: usize,
}

/// Prepares steps.
pub(crate) struct Binder<'u> {
    pub(crate) gpu: &'u Gpu,
    pub(crate) variant: Variant,
    pub(crate) max_batch: usize,
    /// Holds the number of images.
    pub(crate) run: &'u Buffer,
    /// Buffers of the values.
    pub(crate) values: &'u [Buffer],
    pub(crate) places: &'u Places,
    /// Bytes allocated so far.
    pub(crate) n_bytes: u64,
}

impl Binder<'_> {
    /// A step without weights.
    pub(crate) fn plain(
        &mut self,
        step: &Step,
        parameters: &mut Parameters<'_>,
    ) -> Result<Dispatch, GpuError> {
        let Work::Plain { shader, table, groups, .. } = &step.work else {
            return Err(GpuError::Unsupported(vec![format!("{}: a layer is no plain step", step.name)]));
        };
        let table = match table {
            Table::None => None,
            Table::Empty => Some(vec![0]),
            Table::Indices(indices) => Some(indices.clone()),
            Table::Numbers(parameter) => Some(to_words(&parameters.numbers(*parameter)?)),
            Table::Affine(affine) => {
                let (scale, shift) = parameters.affine(*affine)?;
                Some(to_words(&[scale, shift].concat()))
            }
        };
        let table = table.map(|words| self.filled(&step.name, &words, BufferUsages::STORAGE)).transpose()?;
        self.bind(step, *shader, &step.words(), &table.iter().collect::<Vec<_>>(), *groups)
    }

    /// The numbers of a layer beside its rows: those of its epilogue.
    pub(crate) fn epilogue(
        &mut self,
        step: &Step,
        layer: &Layer,
        parameters: &mut Parameters<'_>,
    ) -> Result<Numbers, GpuError> {
        let both = scale_and_shift(layer, parameters)?.concat();
        let epilogue = self.filled(&step.name, &to_words(&both), BufferUsages::STORAGE)?;
        Ok(Numbers { epilogue, tables: None, table_words: 0 })
    }

    /// The same of a layer over bytes: `y = s_x s_w (sum of w q - z sum of w)`, then scale and shift.
    pub(crate) fn epilogue_of_bytes(
        &mut self,
        step: &Step,
        (layer, quantiser): (&Layer, Quantiser),
        bytes: &Bytes,
        parameters: &mut Parameters<'_>,
    ) -> Result<Numbers, GpuError> {
        let [mut scale, mut shift] = scale_and_shift(layer, parameters)?;
        for (row, (scale, shift)) in scale.iter_mut().zip(&mut shift).enumerate() {
            *scale *= quantiser.scale * bytes.scales[row];
            let offset = f64::from(quantiser.zero) * f64::from(bytes.sums[row]) * f64::from(*scale);
            *shift = (f64::from(*shift) - offset) as f32;
        }
        let n_tables = bytes.tables.len() / bytes.n_table_words.max(1);
        Ok(Numbers {
            epilogue: self.filled(&step.name, &to_words(&[scale, shift].concat()), BufferUsages::STORAGE)?,
            tables: Some(self.filled(&step.name, &bytes.tables, BufferUsages::STORAGE)?),
            table_words: if n_tables > 1 { bytes.n_table_words } else { 0 },
        })
    }

    /// A block of the rows of a layer, packed in `weights`.
    pub(crate) fn block(
        &mut self,
        step: &Step,
        layer: &Layer,
        layout: &Layout,
        weights: &Buffer,
        numbers: &Numbers,
    ) -> Result<Dispatch, GpuError> {
        let (shader, groups) = layer.shader(layout, self.max_batch);
        let words = layer.words(layout, step.activation, numbers.table_words);
        let buffers: Vec<&Buffer> = [weights, &numbers.epilogue].into_iter().chain(&numbers.tables).collect();
        self.bind(step, shader, &words, &buffers, groups)
    }

    /// A part of the decoding of a layer: `n_groups` workgroups, with the buffers of `decode.wgsl` after its numbers.
    pub(crate) fn decoding(
        &mut self,
        step: &str,
        numbers: &[u32],
        buffers: &[&Buffer],
        n_groups: usize,
    ) -> Result<Dispatch, GpuError> {
        let pipeline =
            self.gpu.pipeline(Shader::Decode, Variant { half: false, packed: true, ..self.variant });
        let numbers = self.filled(step, numbers, BufferUsages::UNIFORM)?;
        let all: Vec<&Buffer> = [&numbers].into_iter().chain(buffers.iter().copied()).collect();
        let bindings = self.bindings(step, &pipeline, &all);
        self.gpu.check()?;
        let (name, groups) = (step.to_string(), Groups::Fixed(n_groups as u64));
        Ok(Dispatch { name, shader: Shader::Decode, pipeline, bindings, groups })
    }

    /// An empty buffer for shaders.
    ///
    /// Errors: more than a shader can be given.
    pub(crate) fn empty(&mut self, step: &str, bytes: u64) -> Result<Buffer, GpuError> {
        let (size, limit) = (bytes.max(16), self.gpu.max_binding_bytes());
        if size > limit {
            return Err(self.gpu.too_large(format!("a part of {step:?}"), size, limit));
        }
        self.n_bytes += size;
        Ok(buffer(self.gpu, size, BufferUsages::STORAGE))
    }

    fn bindings(&self, step: &str, pipeline: &ComputePipeline, buffers: &[&Buffer]) -> BindGroup {
        let entries: Vec<BindGroupEntry<'_>> = buffers
            .iter()
            .zip(0..)
            .map(|(buffer, binding)| BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        self.gpu.device.create_bind_group(&BindGroupDescriptor {
            label: Some(step),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    /// A buffer of `words`.
    ///
    /// Errors: more than a shader can be given.
    pub(crate) fn filled(
        &mut self,
        step: &str,
        words: &[u32],
        usage: BufferUsages,
    ) -> Result<Buffer, GpuError> {
        let size = 4 * words.len().max(4) as u64;
        let limit = self.gpu.max_binding_bytes();
        if size > limit {
            return Err(self.gpu.too_large(format!("a part of {step:?}"), size, limit));
        }
        self.n_bytes += size;
        let buffer = self.gpu.device.create_buffer(&BufferDescriptor {
            label: Some(step),
            size,
            usage,
            mapped_at_creation: true,
        });
        let mut view = buffer.slice(..).get_mapped_range_mut().map_err(|e| self.gpu.failed(e))?;
        write_words(&mut view, words);
        drop(view);
        buffer.unmap();
        Ok(buffer)
    }

    /// Binds a shader's parameters, the run's, `buffers`, the values that it reads and the value that it
    /// writes.
    fn bind(
        &mut self,
        step: &Step,
        shader: Shader,
        numbers: &[u32],
        buffers: &[&Buffer],
        groups: Groups,
    ) -> Result<Dispatch, GpuError> {
        let n_groups = groups.number(self.max_batch as u64);
        let most = self.gpu.max_groups().saturating_mul(self.gpu.max_groups());
        if n_groups > most.min(u32::MAX.into()) {
            let what = format!("{:?} needs {n_groups} workgroups; {most} are possible", step.name);
            return Err(GpuError::Unsupported(vec![what]));
        }
        let pipeline = self.gpu.pipeline(shader, self.variant);
        let numbers = self.filled(&step.name, numbers, BufferUsages::UNIFORM)?;
        let place = |&value: &usize| self.places.of_value[value].map(|place| &self.values[place]);
        let values: Vec<&Buffer> = step.reads.iter().chain([&step.writes]).filter_map(place).collect();
        let all: Vec<&Buffer> =
            [&numbers, self.run].into_iter().chain(buffers.iter().copied()).chain(values).collect();
        let bindings = self.bindings(&step.name, &pipeline, &all);
        self.gpu.check()?;
        Ok(Dispatch { name: step.name.clone(), shader, pipeline, bindings, groups })
    }
}

/// Writes words to the front of mapped memory.
pub(crate) fn write_words(view: &mut wgpu::BufferViewMut, words: &[u32]) {
    // In pieces, so that the bytes are not held a second time.
    let mut bytes = Vec::with_capacity(1 << 14);
    for (i, piece) in words.chunks(1 << 12).enumerate() {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|w| w.to_le_bytes()));
        view.slice(i << 14..(i << 14) + bytes.len()).copy_from_slice(&bytes);
    }
}

/// The scale and shift of each row of a layer.
fn scale_and_shift(layer: &Layer, parameters: &mut Parameters<'_>) -> Result<[Vec<f32>; 2], GpuError> {
    let n = layer.n_rows();
    let (scale, shift) = parameters.epilogue(&layer.epilogue)?;
    Ok([scale.unwrap_or_else(|| vec![1.0; n]), shift.unwrap_or_else(|| vec![0.0; n])])
}

fn to_words(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}
