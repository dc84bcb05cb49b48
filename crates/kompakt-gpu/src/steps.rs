//! The steps of a program, one per dispatch, with activations fused into the step before them.
//!
//! ```text
//! conv (scale and shift in its epilogue) ─ silu ─ pool ─ reshape ─ linear      layer (silu at its end) ─ pool ─ layer
//! ```
//!
//! A reshape adds no step: its value is the one that it reads. Shaders see one image at a time and
//! handle the batch themselves, so shapes have no batch dimension here. No wgpu.

mod activation;
mod dimensions;
mod elementwise;
mod lower;
mod matmul;
mod moves;
mod reductions;
mod windows;

pub(crate) use {
    activation::Activation,
    dimensions::{check_extent, image, word},
    lower::lower,
};

use crate::{GpuError, layer::Layer, shader::Shader};
use kompakt_runtime::program::{Affine, ParameterId, ValueId};

/// One step: reads values, writes one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// The first node that it computes.
    pub(crate) name: String,
    pub(crate) work: Work,
    pub(crate) activation: Option<Activation>,
    pub(crate) reads: Vec<ValueId>,
    pub(crate) writes: ValueId,
}

/// The operation of a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Work {
    /// A layer with weights.
    Layer(Layer),
    /// Anything else: a shader and its parameters. Where the step has an activation, its three words go in
    /// place of the three from `activation_at` on.
    Plain { shader: Shader, words: Vec<u32>, activation_at: usize, table: Table, groups: Groups },
}

/// An additional buffer that a shader reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Table {
    /// Nothing.
    None,
    /// None, but the shader has a binding for it.
    Empty,
    Indices(Vec<u32>),
    /// Scale, then shift, of each channel.
    Affine(Affine),
    Numbers(ParameterId),
}

/// The number of workgroups per image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Groups {
    /// One lane per element of the result; the number of elements per image.
    Elements(u64),
    /// One workgroup per result; the number of results per image.
    Each(u64),
    /// The same number whatever the batch.
    Fixed(u64),
    /// One workgroup per tile of rows and positions of all images: rows, rows per tile, positions per image,
    /// positions per tile.
    Tiles { rows: u64, tile_rows: u64, positions: u64, tile_positions: u64 },
}

/// A program as steps.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    pub(crate) steps: Vec<Step>,
    /// The inputs.
    pub(crate) inputs: Vec<ValueId>,
    /// The outputs, as steps compute them.
    pub(crate) outputs: Vec<ValueId>,
    /// Elements per image, for each value.
    pub(crate) lens: Vec<usize>,
}

impl Lowered {
    /// Errors: steps that read or write indices, which 16-bit floats cannot hold exactly beyond 2048.
    pub(crate) fn check_half(&self) -> Result<(), GpuError> {
        let has_indices = |step: &&Step| match &step.work {
            Work::Layer(layer) => layer.is_embedding(),
            Work::Plain { shader: Shader::Take | Shader::Scatter, .. } => true,
            Work::Plain { shader: Shader::Reduce, words, .. } => words[3] > 4,
            Work::Plain { shader: Shader::TopK, words, .. } => words[5] == 1,
            Work::Plain { .. } => false,
        };
        let text = |step: &Step| format!("{}: indices in 16 bits, which --half asks for", step.name);
        let problems: Vec<String> = self.steps.iter().filter(has_indices).map(text).collect();
        if problems.is_empty() { Ok(()) } else { Err(GpuError::Unsupported(problems)) }
    }
}

impl Step {
    /// The shader parameters of a step without weights.
    pub(crate) fn words(&self) -> Vec<u32> {
        let Work::Plain { words, activation_at, .. } = &self.work else { return Vec::new() };
        let mut words = words.clone();
        if let Some(activation) = self.activation {
            words[*activation_at..activation_at + 3].copy_from_slice(&activation.words());
        }
        words
    }
}

impl Work {
    /// A step without an activation.
    fn plain(shader: Shader, words: Vec<u32>, groups: Groups) -> Self {
        Self::plain_with(shader, words, 0, Table::None, groups)
    }

    fn plain_with(
        shader: Shader,
        words: Vec<u32>,
        activation_at: usize,
        table: Table,
        groups: Groups,
    ) -> Self {
        Self::Plain { shader, words, activation_at, table, groups }
    }
}
