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
    /// A recurrent layer, one time step after another.
    Recurrent,
    /// Tiles of the tier `stream`, into rows as other shaders read them.
    Decode,
    /// Floats to bytes.
    Quantise,
    /// `MatrixVector`, `Convolution` and `Tile` over bytes.
    Int8Vector,
    Int8Convolution {
        positions: u32,
    },
    Int8Tile,
}

/// The variant of a shader for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variant {
    /// With subgroup operations.
    pub(crate) subgroups: bool,
    /// With values of 16 bits.
    pub(crate) half: bool,
    /// With products of four bytes at once.
    pub(crate) packed: bool,
}

/// Lanes of a workgroup, in every shader.
pub(crate) const LANES: u32 = 64;

/// The most units of a recurrent layer that resets its state before the product: they are in workgroup memory.
pub(crate) const MAX_RESET: usize = 3072;

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
            Self::Recurrent => "recurrent",
            Self::Decode => "decode",
            Self::Quantise => "quantise",
            Self::Int8Vector => "int8_vector",
            Self::Int8Convolution { .. } => "int8_convolution",
            Self::Int8Tile => "int8_tile",
        }
    }

    /// The text.
    fn source(self, variant: Variant) -> String {
        const ACTIVATION: &str =
            concat!(include_str!("shaders/functions.wgsl"), include_str!("shaders/activation.wgsl"));
        const INDEX: &str = include_str!("shaders/index.wgsl");
        const LAYER: &str = include_str!("shaders/layer.wgsl");
        const VALUES: &str = include_str!("shaders/values.wgsl");
        const INT8: &str = include_str!("shaders/int8.wgsl");
        let dot = match variant.packed {
            true => include_str!("shaders/dot_packed.wgsl"),
            false => include_str!("shaders/dot_portable.wgsl"),
        };
        let lanes = match variant.subgroups {
            true => include_str!("shaders/lanes_subgroup.wgsl"),
            false => include_str!("shaders/lanes_portable.wgsl"),
        };
        let parts: &[&str] = match self {
            Self::MatrixVector => {
                &[lanes, ACTIVATION, LAYER, VALUES, include_str!("shaders/matrix_vector.wgsl")]
            }
            Self::Convolution { .. } => {
                &[lanes, ACTIVATION, LAYER, VALUES, include_str!("shaders/convolution.wgsl")]
            }
            Self::Tile => &[ACTIVATION, LAYER, VALUES, include_str!("shaders/tile.wgsl")],
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
            Self::Embedding => {
                &[lanes, ACTIVATION, INDEX, LAYER, VALUES, include_str!("shaders/embedding.wgsl")]
            }
            Self::Take => &[INDEX, include_str!("shaders/take.wgsl")],
            Self::Scatter => &[INDEX, include_str!("shaders/scatter.wgsl")],
            Self::TopK => &[include_str!("shaders/top_k.wgsl")],
            Self::Recurrent => &[lanes, ACTIVATION, LAYER, include_str!("shaders/recurrent.wgsl")],
            Self::Decode => &[
                lanes,
                include_str!("shaders/decode.wgsl"),
                include_str!("shaders/decode_columns.wgsl"),
                include_str!("shaders/decode_codes.wgsl"),
            ],
            Self::Quantise => &[include_str!("shaders/quantise.wgsl")],
            Self::Int8Vector => {
                &[lanes, ACTIVATION, LAYER, dot, INT8, include_str!("shaders/int8_vector.wgsl")]
            }
            Self::Int8Convolution { .. } => {
                &[lanes, ACTIVATION, LAYER, dot, INT8, include_str!("shaders/int8_convolution.wgsl")]
            }
            Self::Int8Tile => &[ACTIVATION, LAYER, dot, INT8, include_str!("shaders/int8_tile.wgsl")],
        };
        let mut text = String::new();
        if variant.half {
            text += "enable f16;\n";
        }
        text += if variant.half { "alias value = f16;\n" } else { "alias value = f32;\n" };
        if let Self::Convolution { positions } | Self::Int8Convolution { positions } = self {
            text += &format!("const POSITIONS: u32 = {positions}u;\n");
        }
        if let Self::Recurrent = self {
            text += &format!("const MAX_RESET: u32 = {MAX_RESET}u;\n");
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

#[cfg(test)]
mod tests {
    use super::*;
    use naga::{
        AddressSpace,
        valid::{Capabilities, ValidationFlags, Validator},
    };

    const ALL: [Shader; 25] = [
        Shader::MatrixVector,
        Shader::Convolution { positions: 1 },
        Shader::Convolution { positions: 4 },
        Shader::Tile,
        Shader::Pointwise,
        Shader::Pairwise,
        Shader::Rearrange,
        Shader::Pool,
        Shader::Softmax,
        Shader::Resize,
        Shader::LocalResponseNorm,
        Shader::Select,
        Shader::Reduce,
        Shader::MatMul,
        Shader::Embedding,
        Shader::Take,
        Shader::Scatter,
        Shader::TopK,
        Shader::Recurrent,
        Shader::Decode,
        Shader::Quantise,
        Shader::Int8Vector,
        Shader::Int8Convolution { positions: 1 },
        Shader::Int8Convolution { positions: 4 },
        Shader::Int8Tile,
    ];

    /// Every shader is valid with what WebGPU has, beyond which only subgroups and 16-bit floats are used, and within the
    /// limits that every WebGPU adapter has: 8 storage buffers, 16384 bytes that a workgroup shares, 256 lanes.
    #[test]
    fn shaders_are_within_the_limits_of_webgpu() {
        for shader in ALL {
            for bits in 0..8 {
                let [subgroups, half, packed] = [1, 2, 4].map(|bit| bits & bit != 0);
                let source = shader.source(Variant { subgroups, half, packed });
                let name = shader.name();
                let module = match naga::front::wgsl::parse_str(&source) {
                    Ok(module) => module,
                    Err(error) => panic!("{name}: {}", error.emit_to_string(&source)),
                };
                let mut has = Capabilities::empty();
                has.set(Capabilities::SUBGROUP, subgroups);
                has.set(Capabilities::SHADER_FLOAT16, half);
                let checked = Validator::new(ValidationFlags::all(), has).validate(&module);
                let info = checked.unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&source)));
                let entry = info.get_entry_point(0);
                let (mut n_storage, mut shared) = (0, 0);
                for (handle, variable) in
                    module.global_variables.iter().filter(|(h, _)| !entry[*h].is_empty())
                {
                    let _ = handle;
                    match variable.space {
                        AddressSpace::Storage { .. } => n_storage += 1,
                        AddressSpace::WorkGroup => {
                            shared += module.types[variable.ty].inner.size(module.to_ctx());
                        }
                        _ => {}
                    }
                }
                assert!(n_storage <= 8 && shared <= 16384, "{name}: {n_storage} buffers, {shared} bytes");
                assert_eq!(module.entry_points[0].workgroup_size, [LANES, 1, 1], "{name}");
            }
        }
    }
}
