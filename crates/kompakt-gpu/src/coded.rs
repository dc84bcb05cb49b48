//! Layers of the tier `stream` that the GPU decodes: at load, into the form that stays, or at every run.
//!
//! ```text
//! load   coded tiles ─ upload ─► decode.wgsl ─► a block of maps and codes, which stays        the rest is freed
//! run    coded tiles, which stay ─► decode.wgsl ─► one block, shared by all layers ─► the layer's shader
//! ```
//!
//! Every block is decoded once at load, and what the shader finds broken is an error then.

use crate::{
    Decode, GpuError, GpuOptions,
    adapter::Gpu,
    block::{code_bits, zero_bits},
    bound::{Binder, Dispatch},
    layer::Layer,
    memory::buffer,
    resident::{Resident, ResidentBlock},
    steps::{Lowered, Step, Work},
    stream_block::{Limits, Matrix, Refusal, StreamBlock, TILE_WORDS},
    waiting,
};
use kompakt_entropy::stream::{Tables, TileDecoder};
use kompakt_format::{SectionKind, Tile};
use kompakt_runtime::{Parameters, RuntimeError, program::ParameterId};
use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoderDescriptor, ComputePassDescriptor, MapMode,
};

/// Words of the slots of a table.
const SLOT_WORDS: usize = 4096;

/// Words of a block and of the scratch of tiles decoded at the same time, where all layers share them at every run.
const SHARED_WORDS: usize = 1 << 18;

/// The same for scratch that is freed after loading.
const LOADING_WORDS: usize = 1 << 22;

/// The layers that the GPU decodes, and the memory that this takes.
#[derive(Debug)]
pub(crate) struct Coded {
    decode: Decode,
    tables: Tables,
    limits: Limits,
    /// For each step, whether it is one of these layers.
    is_coded: Vec<bool>,
    /// The most words of any block.
    decoded_words: usize,
    scratch_words: usize,
    n_tiles: usize,
    /// Bytes that stay in video memory for the layers, where they are decoded at every run.
    layer_bytes: u64,
}

/// Why a layer is not decoded on the GPU.
enum Stop {
    /// The processor can.
    Host,
    Error(GpuError),
}

impl From<GpuError> for Stop {
    fn from(error: GpuError) -> Self {
        Self::Error(error)
    }
}

impl Coded {
    /// Finds the layers; `None` where there are none, or the processor is to decode.
    ///
    /// Errors: broken sections.
    pub(crate) fn survey(
        gpu: &Gpu,
        lowered: &Lowered,
        parameters: &Parameters<'_>,
        options: &GpuOptions,
    ) -> Result<Option<Self>, GpuError> {
        let is_by_host = match options.decode {
            Decode::Host => true,
            Decode::Load => options.vram_budget.is_some(),
            Decode::Run => false,
        };
        let container = parameters.container();
        if is_by_host
            || !container.sections().iter().any(|s| matches!(s.kind, SectionKind::StreamTiles { .. }))
        {
            return Ok(None);
        }
        let tables = container.stream_tables().map_err(RuntimeError::from)?;
        let words = crate::weights::max_words(gpu.max_binding_bytes());
        if tables.n_tables() * SLOT_WORDS > words {
            return Ok(None);
        }
        let limits = match options.decode {
            Decode::Run => Limits { buffer: words, decoded: SHARED_WORDS, scratch: SHARED_WORDS },
            Decode::Load | Decode::Host => Limits { buffer: words, decoded: words, scratch: LOADING_WORDS },
        };
        let mut this = Self {
            decode: options.decode,
            tables,
            limits,
            is_coded: vec![false; lowered.steps.len()],
            decoded_words: 0,
            scratch_words: 0,
            n_tiles: 0,
            layer_bytes: 0,
        };
        for (index, step) in lowered.steps.iter().enumerate() {
            let Work::Layer(layer) = &step.work else { continue };
            // Layers over bytes have other columns.
            if layer.quantiser.is_some() {
                continue;
            }
            let mut blocks = Vec::new();
            let found = this.blocks(parameters, layer, &mut |block| {
                let coded = block.words.len() + TILE_WORDS * block.tiles.len();
                blocks.push((block.sizes, block.tiles.len(), 4 * coded + 32 * block.groups.len()));
                Ok(())
            });
            match found {
                Ok(true) if !layer.is_whole() || blocks.len() == 1 => {}
                Ok(_) | Err(Stop::Host) => continue,
                Err(Stop::Error(error)) => return Err(error),
            }
            this.is_coded[index] = true;
            for (sizes, n_tiles, bytes) in blocks {
                this.decoded_words = this.decoded_words.max(sizes.decoded);
                this.scratch_words = this.scratch_words.max(sizes.scratch);
                this.n_tiles = this.n_tiles.max(n_tiles);
                this.layer_bytes += bytes as u64;
            }
        }
        Ok(this.is_coded.contains(&true).then_some(this))
    }

    /// Whether a step is one of the layers.
    pub(crate) fn has(&self, step: usize) -> bool {
        self.is_coded.get(step).copied().unwrap_or(false)
    }

    /// Bytes of video memory that stay taken, where layers are decoded at every run.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let shared = self.decoded_words + self.scratch_words + SLOT_WORDS * self.tables.n_tables();
        self.layer_bytes + 4 * shared as u64 + 2 * self.result_bytes()
    }

    fn result_bytes(&self) -> u64 {
        8 * self.n_tiles.max(2) as u64
    }

    /// Hands the blocks of a layer to `take`; false where it has no tiles of the tier.
    fn blocks(
        &self,
        parameters: &Parameters<'_>,
        layer: &Layer,
        take: &mut dyn FnMut(StreamBlock) -> Result<(), Stop>,
    ) -> Result<bool, Stop> {
        let Some((tiles, levels)) = tiles(parameters, layer.weight) else { return Ok(false) };
        let mut limits = self.limits;
        if layer.is_whole() {
            limits.decoded = limits.buffer;
        }
        let matrix = Matrix { levels: &levels, tables: &self.tables };
        let refuse = |tile: &Tile<'_>, refusal: Refusal| match refusal {
            Refusal::Broken(error) => Stop::Error(error.into()),
            Refusal::TooLarge => Stop::Host,
            Refusal::Suspect => {
                self.rule_broken(std::slice::from_ref(tile), &levels).map_or(Stop::Host, Stop::Error)
            }
        };
        matrix.blocks(&tiles, limits, refuse, take)?;
        Ok(true)
    }

    /// What the processor's decoder finds wrong with tiles.
    fn rule_broken(&self, tiles: &[Tile<'_>], levels: &[f32]) -> Option<GpuError> {
        let mut decoder = TileDecoder::new(self.tables.isa());
        let n_negative = levels.iter().filter(|level| **level < 0.0).count();
        let found = tiles.iter().find_map(|tile| tile.stream(&mut decoder, n_negative, &self.tables).err());
        found.map(|error| RuntimeError::from(error).into())
    }
}

/// The tiles of a parameter and its codebook, if it has any.
fn tiles<'p>(parameters: &'p Parameters<'_>, weight: ParameterId) -> Option<(Vec<Tile<'p>>, Vec<f32>)> {
    let container = parameters.container();
    let kind = container.section_of(weight).map(|section| &section.kind);
    if !matches!(kind, Some(SectionKind::StreamTiles { .. })) {
        return None;
    }
    Some((container.tiles(weight)?.iter().collect(), parameters.codebook(weight)?))
}

/// The memory that all decoding shares.
#[derive(Debug)]
pub(crate) struct Decoder<'c> {
    coded: &'c Coded,
    slots: Buffer,
    scratch: Buffer,
    /// For each tile of a block: whether it is broken, and its kept weights.
    result: Buffer,
    read: Buffer,
    /// A decoded block, where layers are decoded at every run.
    decoded: Option<Buffer>,
}

impl<'c> Decoder<'c> {
    /// Errors: those of the driver.
    pub(crate) fn new(coded: &'c Coded, binder: &mut Binder<'_>) -> Result<Self, GpuError> {
        let mut slots = Vec::with_capacity(SLOT_WORDS * coded.tables.n_tables());
        (0..coded.tables.n_tables())
            .for_each(|table| slots.extend_from_slice(&coded.tables.slots(table)[..]));
        let before = binder.n_bytes;
        let slots = binder.filled("tables", &slots, BufferUsages::STORAGE)?;
        let scratch = binder.empty("scratch", 4 * coded.scratch_words as u64)?;
        let decoded = match coded.decode {
            Decode::Run => Some(binder.empty("decoded", 4 * coded.decoded_words as u64)?),
            Decode::Load | Decode::Host => None,
        };
        let result = binder.gpu.device.create_buffer(&BufferDescriptor {
            label: Some("result"),
            size: coded.result_bytes(),
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let read = buffer(binder.gpu, coded.result_bytes(), BufferUsages::MAP_READ | BufferUsages::COPY_DST);
        if decoded.is_none() {
            // All of it is freed when the layers are there.
            binder.n_bytes = before;
        } else {
            binder.n_bytes += 2 * coded.result_bytes();
        }
        Ok(Self { coded, slots, scratch, result, read, decoded })
    }

    /// Loads a layer.
    ///
    /// Errors: broken tiles, those of the driver.
    pub(crate) async fn layer(
        &self,
        binder: &mut Binder<'_>,
        step: &Step,
        layer: &Layer,
        parameters: &mut Parameters<'_>,
    ) -> Result<Resident, GpuError> {
        let mut resident = Resident::new(step, layer, binder.epilogue(step, layer, parameters)?);
        let Some((tiles, levels)) = tiles(parameters, layer.weight) else { return Ok(resident) };
        let mut blocks = Vec::new();
        let found = self.coded.blocks(parameters, layer, &mut |block| {
            blocks.push(block);
            Ok(())
        });
        if let Err(Stop::Error(error)) = found {
            return Err(error);
        }
        let mut is_broken = false;
        for block in blocks {
            let before = binder.n_bytes;
            let (decoding, out) = self.decoding(binder, &step.name, &block)?;
            let n_coded = binder.n_bytes - before;
            match self.decode(binder.gpu, &decoding, block.tiles.len()).await? {
                Some(n_kept) => resident.plan.n_kept += n_kept,
                None => is_broken = true,
            }
            let decoding = if self.decoded.is_some() {
                resident.plan.anonymous_bytes += n_coded as usize;
                decoding
            } else {
                binder.n_bytes = before + out.size();
                resident.plan.anonymous_bytes += out.size() as usize;
                Vec::new()
            };
            resident.blocks.push(ResidentBlock { decoding, layout: block.layout, weights: out });
        }
        if is_broken {
            return Err(self.coded.rule_broken(&tiles, &levels).unwrap_or_else(|| {
                let step = &step.name;
                binder
                    .gpu
                    .failed(format!("{step:?} was not decoded as on the processor: see the option decode"))
            }));
        }
        Ok(resident)
    }

    /// The decoding of a block, and the buffer that it fills.
    fn decoding(
        &self,
        binder: &mut Binder<'_>,
        step: &str,
        block: &StreamBlock,
    ) -> Result<(Vec<Dispatch>, Buffer), GpuError> {
        let coded = binder.filled(step, &block.words, BufferUsages::STORAGE)?;
        let tiles = binder.filled(step, block.tiles.as_flattened(), BufferUsages::STORAGE)?;
        let out = match &self.decoded {
            Some(shared) => shared.clone(),
            None => binder.empty(step, 4 * block.sizes.decoded as u64)?,
        };
        let layout = &block.layout;
        let mut all = Vec::with_capacity(block.groups.len());
        for group in &block.groups {
            let numbers = [
                group.start as u32,
                group.len() as u32,
                layout.n_cols as u32,
                layout.n_levels as u32,
                block.n_negative as u32,
                code_bits(layout.n_levels),
                zero_bits(layout.n_levels),
                0,
            ];
            let buffers = [&tiles, &coded, &self.slots, &self.scratch, &out, &self.result];
            all.push(binder.decoding(step, &numbers, &buffers, group.len())?);
        }
        Ok((all, out))
    }

    /// Decodes a block now; the number of kept weights, or `None` if one of its tiles is broken.
    async fn decode(
        &self,
        gpu: &Gpu,
        decoding: &[Dispatch],
        n_tiles: usize,
    ) -> Result<Option<usize>, GpuError> {
        let mut encoder = gpu.device.create_command_encoder(&CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
        decoding.iter().for_each(|dispatch| dispatch.record(gpu, &mut pass, 1));
        drop(pass);
        encoder.copy_buffer_to_buffer(&self.result, 0, &self.read, 0, 8 * n_tiles as u64);
        gpu.queue.submit([encoder.finish()]);
        waiting::wait(gpu, [waiting::map(&self.read, MapMode::Read)]).await?;
        let mut n_kept = Some(0);
        {
            let view = self.read.slice(..).get_mapped_range().map_err(|e| gpu.failed(e))?;
            let results = view.as_chunks().0.iter().map(|&b: &[u8; 8]| u64::from_le_bytes(b)).take(n_tiles);
            for result in results {
                let (n_broken, n) = (result as u32, (result >> 32) as usize);
                n_kept = n_kept.filter(|_| n_broken == 0).map(|all| all + n);
            }
        }
        self.read.unmap();
        Ok(n_kept)
    }
}
