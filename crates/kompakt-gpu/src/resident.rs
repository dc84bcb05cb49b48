//! Layers whose weights stay in video memory, whatever the sizes at which the network runs.

use crate::{
    GpuError,
    adapter::Gpu,
    block::Layout,
    bound::{Binder, Dispatch, Numbers},
    bytes::{self, Quantiser},
    layer::Layer,
    shader::Shader,
    steps::Step,
    weights,
};
use kompakt_runtime::{LayerPlan, Parameters, program::ParameterId};
use wgpu::{Buffer, BufferUsages};

/// The weights of a layer in video memory.
#[derive(Debug)]
pub(crate) struct Resident {
    weight: ParameterId,
    shape: (usize, usize),
    numbers: Numbers,
    pub(crate) blocks: Vec<ResidentBlock>,
    /// Without the form, which depends on the sizes.
    pub(crate) plan: LayerPlan,
}

/// Some of its rows.
#[derive(Debug)]
pub(crate) struct ResidentBlock {
    /// What fills `weights` at every run; nothing where they stay.
    pub(crate) decoding: Vec<Dispatch>,
    pub(crate) layout: Layout,
    pub(crate) weights: Buffer,
}

impl Resident {
    /// A layer without its rows.
    pub(crate) fn new(step: &Step, layer: &Layer, numbers: Numbers) -> Self {
        let (weight, plan) = (layer.weight, layer_plan(step, layer));
        Self { weight, shape: (layer.n_rows(), layer.n_cols()), numbers, blocks: Vec::new(), plan }
    }

    /// Uploads a layer.
    ///
    /// Errors: broken sections, limits of the device, those of the driver.
    pub(crate) fn load(
        binder: &mut Binder<'_>,
        step: &Step,
        layer: &Layer,
        parameters: &mut Parameters<'_>,
    ) -> Result<Self, GpuError> {
        let gpu: &Gpu = binder.gpu;
        let mut this = Self::new(step, layer, binder.epilogue(step, layer, parameters)?);
        let (by_tile, limit) = (layer.suits_tile(binder.max_batch), gpu.max_binding_bytes());
        let max_words = weights::max_words(limit);
        weights::blocks(parameters, layer.weight, by_tile, max_words, &mut |block| {
            let bytes = 4 * block.words.len();
            if layer.is_whole() && !this.blocks.is_empty() {
                let all = this.plan.anonymous_bytes + bytes;
                return Err(gpu.too_large(format!("the recurrent layer {:?}", step.name), all as u64, limit));
            }
            this.plan.anonymous_bytes += bytes;
            this.plan.n_kept += block.layout.n_kept;
            let weights = binder.filled(&step.name, &block.words, BufferUsages::STORAGE)?;
            this.blocks.push(ResidentBlock { decoding: Vec::new(), layout: block.layout, weights });
            Ok(())
        })?;
        Ok(this)
    }

    /// Uploads a layer over bytes.
    ///
    /// Errors: as [`load`](Self::load).
    pub(crate) fn load_bytes(
        binder: &mut Binder<'_>,
        step: &Step,
        (layer, quantiser): (&Layer, Quantiser),
        parameters: &mut Parameters<'_>,
    ) -> Result<Self, GpuError> {
        let rows = parameters.rows(layer.weight)?;
        let by_tile = layer.suits_tile(binder.max_batch);
        let max_words = weights::max_words(binder.gpu.max_binding_bytes());
        let (mut blocks, mut plan) = (Vec::new(), layer_plan(step, layer));
        let bytes = bytes::blocks(&rows, layer, by_tile, max_words, &mut |block| {
            plan.anonymous_bytes += 4 * block.words.len();
            let weights = binder.filled(&step.name, &block.words, BufferUsages::STORAGE)?;
            blocks.push(ResidentBlock { decoding: Vec::new(), layout: block.layout, weights });
            Ok(())
        })?;
        (plan.n_kept, plan.int8_error) = (rows.n_kept(), Some(bytes.error));
        plan.anonymous_bytes += 4 * bytes.tables.len();
        let numbers = binder.epilogue_of_bytes(step, (layer, quantiser), &bytes, parameters)?;
        Ok(Self { blocks, plan, ..Self::new(step, layer, numbers) })
    }

    /// Whether it is this layer, perhaps at other sizes.
    pub(crate) fn is(&self, layer: &Layer) -> bool {
        self.weight == layer.weight && self.shape == (layer.n_rows(), layer.n_cols())
    }

    /// Its dispatches at the sizes of `layer`, and its plan.
    ///
    /// Errors: more workgroups than there can be, those of the driver.
    pub(crate) fn dispatches(
        &self,
        binder: &mut Binder<'_>,
        step: &Step,
        layer: &Layer,
    ) -> Result<(Vec<Dispatch>, LayerPlan), GpuError> {
        let (mut all, mut plan) = (Vec::new(), self.plan.clone());
        for block in &self.blocks {
            let dispatch = binder.block(step, layer, &block.layout, &block.weights, &self.numbers)?;
            plan.form = match dispatch.shader {
                _ if !block.decoding.is_empty() => "coded",
                Shader::Tile => "tile",
                Shader::Int8Tile => "int8 tile",
                _ if layer.quantiser.is_some() && block.layout.is_fields => "int8 fields",
                _ if layer.quantiser.is_some() => "int8 map",
                _ if block.layout.is_fields => "fields",
                _ => "map",
            };
            all.extend(block.decoding.iter().cloned());
            all.push(dispatch);
        }
        Ok((all, plan))
    }
}

/// The plan of a layer before it has a form.
pub(crate) fn layer_plan(step: &Step, layer: &Layer) -> LayerPlan {
    let mut plan = LayerPlan::default();
    (plan.name, plan.n_weights) = (step.name.clone(), layer.n_rows() * layer.n_cols());
    plan
}
