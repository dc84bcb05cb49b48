//! Layers whose weights stay in video memory, whatever the sizes at which the network runs.

use crate::{
    GpuError,
    adapter::Gpu,
    block::Layout,
    bound::{Binder, Dispatch},
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
    /// Scale and shift of each row.
    epilogue: Buffer,
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
    pub(crate) fn new(step: &Step, layer: &Layer, epilogue: Buffer) -> Self {
        let (weight, plan) = (layer.weight, layer_plan(step, layer));
        Self { weight, shape: (layer.n_rows(), layer.n_cols()), epilogue, blocks: Vec::new(), plan }
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
            let dispatch = binder.block(step, layer, &block.layout, &block.weights, &self.epilogue)?;
            plan.form = match dispatch.shader {
                _ if !block.decoding.is_empty() => "coded",
                Shader::Tile => "tile",
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
