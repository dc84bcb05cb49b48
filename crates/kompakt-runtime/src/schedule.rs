//! A program scheduled for this machine: a flat list of steps over buffers.
//!
//! ```text
//! conv1 (scale and relu in its epilogue) ─ flatten ─ fc1        step 0  conv1   buffer 0 -> 1
//!                                                               step 1  fc1     buffer 1 -> 2
//! ```
//!
//! Elements are changed in place where they have no other reader, and reshapes are free where the layout
//! stays the same.
//!
//! A batch is stored in a buffer by [`Layout`]: vectors (one dimension besides the batch) feature by feature,
//! so that each weight is applied to all images together; anything else image by image. For one image they
//! are the same. Steps on images are run for a few of them at a time, from the first step to the last before
//! a vector is made ([`Segment`]).
//!
//! Values must be f32, their first dimension the batch, and all other dimensions fixed; the program may be more general,
//! and unsupported operations are refused by name.

mod compile;
mod convolution;
pub(crate) mod costs;
mod features_last;
pub(crate) mod forms;
pub(crate) mod general;
pub(crate) mod int8;
mod norms;
pub(crate) mod placement;
pub(crate) mod plan;
pub(crate) mod planner;
mod segments;
mod simplify;
mod step;
mod supported;

pub(crate) use step::{Channels, Combine, InPlace, OutOfPlace, Segment, Step, StepKind};

use crate::program::{Affine, Epilogue, ParameterId, Program};
use alloc::{string::String, vec::Vec};
use forms::Choice;
use kompakt_kernels::Convolution;

/// A buffer's number.
pub(crate) type BufferId = usize;

/// The layout of a batch of images in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `[features, images]`: feature by feature, for all images at once.
    FeatureMajor,
    /// `[images, ...]`: image by image.
    ImageMajor,
}

impl Layout {
    /// The layout of a value of that shape, without the batch.
    pub(crate) fn of(shape: &[usize]) -> Self {
        if shape.len() == 1 { Self::FeatureMajor } else { Self::ImageMajor }
    }

    /// For `n` images: how many are stored one after another, and how many are
    /// interleaved at each element.
    pub(crate) fn blocks(self, n: usize) -> (usize, usize) {
        match self {
            Self::FeatureMajor => (1, n),
            Self::ImageMajor => (n, 1),
        }
    }

    /// The stride among `n` images for a stride of `inner` in one image.
    pub(crate) fn distance(self, inner: usize, n: usize) -> usize {
        match self {
            Self::FeatureMajor => n,
            Self::ImageMajor => inner,
        }
    }
}

/// Whose memory a buffer is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// The session's.
    Arena,
    /// The caller's: this input, which no step writes.
    Input(usize),
    /// The caller's: this output.
    Output(usize),
}

/// The storage of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffer {
    /// Elements per image.
    pub(crate) len: usize,
    /// The first step that uses it.
    pub(crate) first: usize,
    /// The last step that uses it.
    pub(crate) last: usize,
    pub(crate) layout: Layout,
    /// How many images it holds: those that a [`Segment`] runs together, or `usize::MAX` for all.
    pub(crate) n_images: usize,
    pub(crate) home: Home,
}

impl Buffer {
    /// Of all images, used by step `at` alone.
    pub(crate) fn new(len: usize, at: usize, layout: Layout) -> Self {
        Self { len, first: at, last: at, layout, n_images: usize::MAX, home: Home::Arena }
    }

    /// Floats of the session's memory that it takes where up to `max_batch` images are run at once.
    pub(crate) fn floats(&self, max_batch: usize) -> usize {
        match self.home {
            Home::Arena => self.len.saturating_mul(self.n_images.min(max_batch)),
            Home::Input(_) | Home::Output(_) => 0,
        }
    }
}

/// A layer with weights.
#[derive(Debug, Clone)]
pub(crate) struct LayerSpec {
    pub(crate) name: String,
    pub(crate) weight: ParameterId,
    pub(crate) epilogue: Epilogue,
    /// The largest result, where a ReLU has one.
    pub(crate) ceiling: Option<f32>,
    pub(crate) conv: Option<Convolution>,
    /// Whether only the next layer reads it, in the same step: see [`StepKind::ExpandedDepthwise`].
    pub(crate) feeds_depthwise: bool,
    /// Whether it is the layer after such a layer, with its rows in memory.
    pub(crate) stays_in_memory: bool,
    /// Whether zeros in its input are likely: it reads the network's input or the output of a ReLU.
    pub(crate) input_has_zeros: bool,
    /// Whether its vectors lie one after another: the states of a recurrent layer, or features that are the last
    /// dimension of several.
    pub(crate) by_vector: bool,
    /// Vectors of an image that it multiplies together: the sequences of a recurrent layer, the places of
    /// features; else 1.
    pub(crate) n_vectors: usize,
    /// How often it multiplies them: the time steps of a recurrent layer, else 1.
    pub(crate) n_runs: usize,
}

impl LayerSpec {
    /// The most vectors that it multiplies together.
    pub(crate) fn max_vectors(&self, max_batch: usize) -> usize {
        max_batch.saturating_mul(self.n_vectors)
    }
}

/// Numbers of a step without weights: one or two per channel, or its output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PerChannel {
    /// Scale and bias.
    Affine(Affine),
    /// Slopes of a PReLU, or the numbers of a constant.
    Numbers(ParameterId),
}

/// See the [module page](self).
#[derive(Debug, Clone, Default)]
pub(crate) struct Schedule {
    pub(crate) steps: Vec<Step>,
    pub(crate) buffers: Vec<Buffer>,
    /// All steps, in order.
    pub(crate) segments: Vec<Segment>,
    pub(crate) layers: Vec<LayerSpec>,
    pub(crate) per_channel: Vec<PerChannel>,
    /// The matrices of embeddings.
    pub(crate) tables: Vec<ParameterId>,
    /// Numbers of constants.
    pub(crate) n_constant: usize,
    /// One per input of the program.
    pub(crate) inputs: Vec<BufferId>,
    /// One per output of the program.
    pub(crate) outputs: Vec<BufferId>,
}

impl Schedule {
    /// Schedules a program for up to `max_batch` images at once. The forms of its layers are still open.
    ///
    /// Errors: all operations that cannot be run here, with the reasons.
    ///
    /// `fuses_depthwise`: whether a convolution and the depthwise one after it may be one step.
    pub(crate) fn new(
        program: &Program,
        max_batch: usize,
        fuses_depthwise: bool,
    ) -> Result<Self, Vec<String>> {
        let program = features_last::multiply(simplify::simplify(program));
        let (program, norms) = norms::fuse(program);
        compile::compile(&program, &norms, max_batch > 1, fuses_depthwise)
    }

    /// Sets the convolutions' input layouts for the chosen forms, and divides the steps into segments. Called
    /// once, before buffers are placed.
    ///
    /// `n_bytes`: for each layer that reads bytes, elements of four of them in an image.
    pub(crate) fn settle(&mut self, choices: &[Choice], n_bytes: &[Option<usize>], max_batch: usize) {
        for (spec, choice) in self.layers.iter_mut().zip(choices) {
            spec.conv = choice.conv;
        }
        let Self { steps, buffers, layers, .. } = self;
        for (at, step) in steps.iter_mut().enumerate() {
            if let StepKind::Linear { layer } | StepKind::Convolution { layer, .. } = step.kind
                && let Some(len) = n_bytes[layer]
            {
                let layout = buffers[step.reads[0]].layout;
                buffers.push(Buffer::new(len, at, layout));
                step.bytes = Some(buffers.len() - 1);
            }
            if let StepKind::Convolution { layer, conv } = &mut step.kind
                && let Some(chosen) = layers[*layer].conv
            {
                *conv = chosen;
                step.scratch = conv.laid_out_len().map(|len| {
                    let layout = Layout::ImageMajor;
                    buffers.push(Buffer::new(len, at, layout));
                    buffers.len() - 1
                });
            }
        }
        segments::cut(self, max_batch);
        self.lend(max_batch);
    }

    /// Leaves inputs and outputs where the caller has them, instead of copying them in and out: inputs that no step writes,
    /// outputs that a step makes, each for itself. Vectors of a batch are transposed on their way, so they are copied.
    fn lend(&mut self, max_batch: usize) {
        let Self { steps, buffers, inputs, outputs, .. } = self;
        let is_as_given = |buffer: &Buffer| max_batch == 1 || buffer.layout == Layout::ImageMajor;
        let is_written = |buffer| {
            let writes =
                |step: &Step| step.writes == buffer || [step.scratch, step.bytes].contains(&Some(buffer));
            steps.iter().any(writes)
        };
        for (index, &buffer) in inputs.iter().enumerate() {
            if is_as_given(&buffers[buffer]) && !is_written(buffer) {
                buffers[buffer].home = Home::Input(index);
            }
        }
        for (index, &buffer) in outputs.iter().enumerate() {
            let is_one_output = outputs.iter().filter(|other| **other == buffer).count() == 1;
            if is_one_output && is_as_given(&buffers[buffer]) && is_written(buffer) {
                buffers[buffer].home = Home::Output(index);
            }
        }
    }
}
