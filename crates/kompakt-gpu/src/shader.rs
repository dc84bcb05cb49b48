//! The compute pipelines, made once for each GPU.

use crate::adapter::Gpu;
use std::sync::PoisonError;
use wgpu::{ComputePipeline, ComputePipelineDescriptor, ShaderModuleDescriptor, ShaderSource};

/// A shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shader {
    /// A row of weights times one vector.
    MatrixVector,
    /// A row of weights at a multiple of 64 positions (64 or 256).
    Convolution {
        positions: u32,
    },
    /// 32 rows stored as fields, at 32 positions.
    Tile,
    Pointwise,
    Pairwise,
    Rearrange,
    Pool,
    Softmax,
    Resize,
    LocalResponseNorm,
    Select,
    Reduce,
    MatMul,
    Embedding,
    Take,
    Scatter,
    TopK,
}

/// The variant of a shader for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variant {
    /// With subgroup operations.
    pub(crate) subgroups: bool,
    /// With values of 16 bits.
    pub(crate) half: bool,
}

/// Lanes of a workgroup, in every shader.
pub(crate) const LANES: u32 = 64;

impl Shader {
    /// The name in timings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MatrixVector => "matrix_vector",
            Self::Convolution { .. } => "convolution",
            Self::Tile => "tile",
            Self::Pointwise => "pointwise",
            Self::Pairwise => "pairwise",
            Self::Rearrange => "rearrange",
            Self::Pool => "pool",
            Self::Softmax => "softmax",
            Self::Resize => "resize",
            Self::LocalResponseNorm => "local_response_norm",
            Self::Select => "select",
            Self::Reduce => "reduce",
            Self::MatMul => "matmul",
            Self::Embedding => "embedding",
            Self::Take => "take",
            Self::Scatter => "scatter",
            Self::TopK => "top_k",
        }
    }

    /// The text.
    fn source(self, variant: Variant) -> String {
        const ACTIVATION: &str =
            concat!(include_str!("shaders/functions.wgsl"), include_str!("shaders/activation.wgsl"));
        const INDEX: &str = include_str!("shaders/index.wgsl");
        const LAYER: &str = include_str!("shaders/layer.wgsl");
        let lanes = match variant.subgroups {
            true => include_str!("shaders/lanes_subgroup.wgsl"),
            false => include_str!("shaders/lanes_portable.wgsl"),
        };
        let parts: &[&str] = match self {
            Self::MatrixVector => &[lanes, ACTIVATION, LAYER, include_str!("shaders/matrix_vector.wgsl")],
            Self::Convolution { .. } => &[lanes, ACTIVATION, LAYER, include_str!("shaders/convolution.wgsl")],
            Self::Tile => &[ACTIVATION, LAYER, include_str!("shaders/tile.wgsl")],
            Self::Pointwise => &[ACTIVATION, include_str!("shaders/pointwise.wgsl")],
            Self::Pairwise => &[ACTIVATION, include_str!("shaders/pairwise.wgsl")],
            Self::Rearrange => &[include_str!("shaders/rearrange.wgsl")],
            Self::Pool => &[include_str!("shaders/pool.wgsl")],
            Self::Softmax => &[lanes, include_str!("shaders/softmax.wgsl")],
            Self::Resize => &[include_str!("shaders/resize.wgsl")],
            Self::LocalResponseNorm => &[include_str!("shaders/local_response_norm.wgsl")],
            Self::Select => &[include_str!("shaders/select.wgsl")],
            Self::Reduce => &[ACTIVATION, include_str!("shaders/reduce.wgsl")],
            Self::MatMul => &[include_str!("shaders/matmul.wgsl")],
            Self::Embedding => &[lanes, ACTIVATION, INDEX, LAYER, include_str!("shaders/embedding.wgsl")],
            Self::Take => &[INDEX, include_str!("shaders/take.wgsl")],
            Self::Scatter => &[INDEX, include_str!("shaders/scatter.wgsl")],
            Self::TopK => &[include_str!("shaders/top_k.wgsl")],
        };
        let mut text = String::new();
        if variant.half {
            text += "enable f16;\n";
        }
        text += if variant.half { "alias value = f16;\n" } else { "alias value = f32;\n" };
        if let Self::Convolution { positions } = self {
            text += &format!("const POSITIONS: u32 = {positions}u;\n");
        }
        text + &parts.join("\n")
    }
}

impl Gpu {
    /// The pipeline of a shader, compiled on first use.
    pub(crate) fn pipeline(&self, shader: Shader, variant: Variant) -> ComputePipeline {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            // wgpu's checks of bounds and of endless loops stay on: no shader reads past a buffer.
            let source = ShaderSource::Wgsl(shader.source(variant).into());
            let descriptor = ShaderModuleDescriptor { label: Some(shader.name()), source };
            let module = self.device.create_shader_module(descriptor);
            self.device.create_compute_pipeline(&ComputePipelineDescriptor {
                label: Some(shader.name()),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            })
        };
        pipelines.entry((shader, variant)).or_insert_with(make).clone()
    }
}
