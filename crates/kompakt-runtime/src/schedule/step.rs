//! Steps: operations on buffers, in execution order.

use super::{BufferId, Layout, general::General};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::ops::Range;
use kompakt_graph::{Cell, UnaryFunction};
use kompakt_kernels::{
    Convolution, ExpandedDepthwise, Pairwise, PoolWindow, normalise::ResponseNorm, rearrange,
};

/// One step: reads buffers, writes one.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The node that it runs, or the first of several.
    pub(crate) name: String,
    pub(crate) kind: StepKind,
    /// The buffers read, never the one written; none for in-place steps.
    pub(crate) reads: Vec<BufferId>,
    pub(crate) writes: BufferId,
    /// Scratch for this step only.
    pub(crate) scratch: Option<BufferId>,
    /// The same, for the input as bytes.
    pub(crate) bytes: Option<BufferId>,
}

/// Consecutive steps that are run together for some images, then for the next.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) steps: Range<usize>,
    /// Images that are run together; `usize::MAX` for all.
    pub(crate) n_images: usize,
}

/// The kind of a step.
#[derive(Debug, Clone)]
pub(crate) enum StepKind {
    Linear {
        layer: usize,
    },
    /// A linear layer over the last dimension of several: so many vectors of an image, one after another.
    Vectors {
        layer: usize,
        n: usize,
    },
    Convolution {
        layer: usize,
        conv: Convolution,
    },
    /// A 1 x 1 convolution followed by a depthwise one.
    ExpandedDepthwise {
        expand: usize,
        layer: usize,
        convs: Box<ExpandedDepthwise>,
    },
    /// An in-place operation on the output.
    InPlace(InPlace),
    /// Combines the input into the output.
    Combine(Combine),
    /// The same of a first and a second input, where the first has other readers; it has the output's shape.
    CombineTo(Combine),
    /// Computes the output from the input.
    OutOfPlace(OutOfPlace),
    /// Concatenates the inputs: of each, so many elements in turn, as many times in an image as there are blocks. One block is the
    /// first dimension after the batch.
    Concat {
        lengths: Vec<usize>,
        n_blocks: usize,
        layout: Layout,
    },
    /// Computes the output from the inputs, image by image.
    General(General),
    /// A recurrent layer: `hidden` numbers of state, `time` steps, `batch` sequences.
    Recurrent {
        layer: usize,
        cell: Cell,
        reverse: bool,
        /// Time steps, sequences, size of the state.
        sizes: [usize; 3],
    },
}

/// An in-place operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum InPlace {
    /// A scale and a bias for each channel, perhaps with a ReLU.
    Affine {
        numbers: usize,
        channels: Channels,
        relu: bool,
    },
    Prelu {
        numbers: usize,
        channels: Channels,
    },
    Relu,
    Sigmoid,
    Tanh,
    Scale {
        factor: f32,
        offset: f32,
    },
    Clip {
        low: f32,
        high: f32,
    },
    LeakyRelu {
        slope: f32,
    },
    HardSigmoid {
        slope: f32,
        offset: f32,
    },
    HardSwish,
    Silu,
    Function(UnaryFunction),
    /// Over `len` elements of stride `inner`.
    Softmax {
        len: usize,
        inner: usize,
        layout: Layout,
    },
}

/// Channels of a buffer: how many, and elements per channel in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Channels {
    pub(crate) n: usize,
    pub(crate) plane: usize,
    pub(crate) layout: Layout,
}

/// An operation that combines two buffers into the second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Combine {
    /// Adds a buffer of the same shape, perhaps with a ReLU.
    Add { relu: bool },
    /// Any two shapes, without the batch; dimensions of one element are broadcast.
    Pairwise { op: Pairwise, x: Vec<usize>, y: Vec<usize>, layout: Layout },
}

/// An out-of-place operation. Shapes are those of the input, without the batch, unless stated otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OutOfPlace {
    MaxPool(PoolWindow),
    AveragePool(PoolWindow, bool),
    GlobalAveragePool,
    Copy,
    /// The same values in the other [`Layout`]: a transpose of images and features.
    ChangeLayout {
        to: Layout,
    },
    Slice {
        from: Vec<usize>,
        start: Vec<usize>,
        step: Vec<usize>,
        to: Vec<usize>,
        layout: Layout,
    },
    /// Zeros around the input.
    Pad {
        from: Vec<usize>,
        before: Vec<usize>,
        to: Vec<usize>,
        layout: Layout,
    },
    Transpose {
        from: Vec<usize>,
        axes: Vec<usize>,
    },
    /// Along an axis of `len` elements with stride `inner`.
    Gather {
        len: usize,
        inner: usize,
        layout: Layout,
        indices: Vec<usize>,
    },
    Resize {
        size: [usize; 2],
        rows: rearrange::Places,
        columns: rearrange::Places,
    },
    Spread {
        size: [usize; 2],
        step: [usize; 2],
    },
    ResponseNorm {
        norm: ResponseNorm,
        plane: usize,
        layout: Layout,
    },
    LogSoftmax {
        inner: usize,
        layout: Layout,
    },
}

impl StepKind {
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Linear { .. } | Self::Vectors { .. } => "linear",
            Self::Convolution { .. } | Self::ExpandedDepthwise { .. } => "conv2d",
            Self::InPlace(kind) => kind.name(),
            Self::Combine(kind) | Self::CombineTo(kind) => kind.name(),
            Self::OutOfPlace(kind) => kind.name(),
            Self::Concat { .. } => "concat",
            Self::General(kind) => kind.name(),
            Self::Recurrent { .. } => "recurrent",
        }
    }
}

impl InPlace {
    fn name(self) -> &'static str {
        match self {
            Self::Affine { .. } => "scale_bias",
            Self::Prelu { .. } => "prelu",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Scale { .. } => "scale",
            Self::Clip { .. } => "clip",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::HardSigmoid { .. } => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
            Self::Silu => "silu",
            Self::Function(_) => "unary",
            Self::Softmax { .. } => "softmax",
        }
    }
}

impl Combine {
    fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } | Self::Pairwise { op: Pairwise::Add, .. } => "add",
            Self::Pairwise { op: Pairwise::Mul, .. } => "mul",
            Self::Pairwise { op: Pairwise::Sub, .. } => "sub",
            Self::Pairwise { op: Pairwise::Div, .. } => "div",
            Self::Pairwise { op: Pairwise::Max | Pairwise::Min, .. } => "binary",
            Self::Pairwise { op: Pairwise::Set, .. } => "repeat",
        }
    }
}

impl OutOfPlace {
    fn name(&self) -> &'static str {
        match self {
            Self::MaxPool(_) => "max_pool",
            Self::AveragePool(..) => "avg_pool",
            Self::GlobalAveragePool => "global_avg_pool",
            Self::Copy => "copy",
            Self::ChangeLayout { .. } => "change_layout",
            Self::Slice { .. } => "slice",
            Self::Pad { .. } => "pad",
            Self::Transpose { .. } => "transpose",
            Self::Gather { .. } => "gather",
            Self::Resize { .. } => "resize",
            Self::Spread { .. } => "spread",
            Self::ResponseNorm { .. } => "local_response_norm",
            Self::LogSoftmax { .. } => "log_softmax",
        }
    }
}
