//! A list of steps, validated as a unit.

use crate::{
    colour, error::PrepError, filter, geometry, gradients, hash, limits::MAX_STEPS, middle, resize,
    shape::Shape, step::Step, wire::PipelineJson,
};
use alloc::{string::String, vec, vec::Vec};
use serde::{Deserialize, Serialize};

/// The steps between a raw image and a network's input, and the shapes between them.
///
/// In JSON: `{"input": [1, 28, 28], "steps": [{"step": "deskew", "max_shear": 1.0}]}`. A pipeline without steps
/// leaves its input as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PipelineJson", into = "PipelineJson")]
pub struct Pipeline {
    steps: Vec<Step>,
    /// Shape before each step and after the last: `steps.len() + 1` of them, each checked.
    shapes: Vec<Shape>,
}

/// Buffers that [`Pipeline::apply`] reuses between images.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    from: Vec<f32>,
    to: Vec<f32>,
}

impl Pipeline {
    /// Checks that each step supports the output shape of the one before.
    ///
    /// Shapes: `input` is `[channels, height, width]` or `[n]`.
    /// Errors: the first step that does not fit, or a bound that is exceeded.
    pub fn new(input: &[usize], steps: Vec<Step>) -> Result<Self, PrepError> {
        if steps.len() > MAX_STEPS {
            return Err(PrepError::TooManySteps(steps.len()));
        }
        let mut shapes = vec![Shape::from_dims(input)?];
        for (index, step) in steps.iter().enumerate() {
            let shape = step.output(shapes[index]).map_err(|problem| PrepError::Step {
                index,
                step: step.name(),
                problem,
                rule: step.rule(),
            })?;
            shapes.push(shape);
        }
        Ok(Self { steps, shapes })
    }

    /// The steps, first to last.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The shape of a raw input.
    pub fn input_shape(&self) -> Shape {
        self.shapes[0]
    }

    /// The shape of the network's input.
    pub fn output_shape(&self) -> Shape {
        self.shapes[self.steps.len()]
    }

    /// The shape after each step.
    pub fn shapes(&self) -> impl ExactSizeIterator<Item = Shape> + '_ {
        self.shapes[1..].iter().copied()
    }

    /// Whether the pipeline has no steps.
    pub fn is_identity(&self) -> bool {
        self.steps.is_empty()
    }

    /// Eight bytes, equal for pipelines with the same input shape and steps. Rule P-3.
    pub fn hash(&self) -> [u8; 8] {
        hash::of(self)
    }

    /// [`Pipeline::hash`] as 16 hexadecimal digits.
    pub fn hash_hex(&self) -> String {
        hash::hex(&self.hash())
    }

    /// Runs all steps over one raw input.
    ///
    /// Shapes: `input` as [`Pipeline::input_shape`], `output` as [`Pipeline::output_shape`], both row-major.
    /// Panics: if the lengths disagree.
    pub fn apply(&self, input: &[f32], output: &mut [f32], scratch: &mut Scratch) {
        assert_eq!(input.len(), self.input_shape().len(), "length of the raw input");
        assert_eq!(output.len(), self.output_shape().len(), "length of the prepared output");
        let Some((last, before)) = self.steps.split_last() else {
            output.copy_from_slice(input);
            return;
        };
        let Scratch { from, to } = scratch;
        from.clear();
        from.extend_from_slice(input);
        for (index, step) in before.iter().enumerate() {
            to.clear();
            to.resize(self.shapes[index + 1].len(), 0.0);
            run(step, self.shapes[index], from, self.shapes[index + 1], to);
            core::mem::swap(from, to);
        }
        run(last, self.shapes[before.len()], from, self.output_shape(), output);
    }

    /// [`Pipeline::apply`] into newly allocated memory.
    ///
    /// Panics: if `input` has another length than [`Pipeline::input_shape`].
    pub fn apply_to(&self, input: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; self.output_shape().len()];
        self.apply(input, &mut output, &mut Scratch::default());
        output
    }
}

/// One step over one image; the shapes were checked when the pipeline was made.
fn run(step: &Step, before: Shape, x: &[f32], after: Shape, y: &mut [f32]) {
    let (channels, height, width) = planes(before);
    let (_, new_height, new_width) = planes(after);
    let (plane, new_plane) = (height * width, new_height * new_width);
    match step {
        Step::Invert => colour::invert(x, y),
        Step::Grayscale => colour::grayscale(x, y),
        Step::Channels { order } => colour::channels(x, order, plane, y),
        Step::Normalize { mean, std } => colour::normalize(x, mean, std, plane, y),
        Step::Threshold { level } => filter::threshold(x, *level, y),
        Step::Median => {
            for (x, y) in x.chunks_exact(plane).zip(y.chunks_exact_mut(plane)) {
                filter::median(x, height, width, y);
            }
        }
        Step::Resize { filter, .. } => {
            for (x, y) in x.chunks_exact(plane).zip(y.chunks_exact_mut(new_plane)) {
                resize::resize(*filter, x, [height, width], [new_height, new_width], y);
            }
        }
        Step::Crop { threshold, margin, .. } => {
            geometry::crop(x, [channels, height, width], *threshold, *margin, [new_height, new_width], y);
        }
        Step::Center => geometry::deskew(x, [channels, height, width], 0.0, y),
        Step::Deskew { max_shear } => geometry::deskew(x, [channels, height, width], *max_shear, y),
        Step::Gradients { orientations, cells, pixels, locality, roots } => {
            let settings = gradients::Settings {
                orientations: *orientations,
                cells,
                pixels: *pixels,
                locality: *locality,
                roots: *roots,
            };
            gradients::gradients(x, [height, width], &settings, y);
        }
        Step::CenterCrop { .. } => {
            for (x, y) in x.chunks_exact(plane).zip(y.chunks_exact_mut(new_plane)) {
                middle::crop(x, [height, width], [new_height, new_width], y);
            }
        }
        Step::Subtract { height: rows, width: columns, values } => {
            let small = values.chunks_exact(rows * columns);
            for ((x, y), small) in x.chunks_exact(plane).zip(y.chunks_exact_mut(plane)).zip(small) {
                middle::subtract(x, [height, width], small, [*rows, *columns], y);
            }
        }
    }
}

/// Channels, height and width; a vector is one plane of one row.
fn planes(shape: Shape) -> (usize, usize, usize) {
    match shape {
        Shape::Image { channels, height, width } => (channels, height, width),
        Shape::Vector(n) => (1, 1, n),
    }
}
