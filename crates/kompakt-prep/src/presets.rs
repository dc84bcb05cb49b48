//! Named pipelines.

use crate::{
    error::PrepError,
    pipeline::Pipeline,
    shape::Shape,
    step::{Filter, Step},
};
use alloc::{string::ToString, vec, vec::Vec};

/// The names that [`preset`] knows.
pub const PRESETS: [&str; 4] = ["none", "normalize", "deskew", "features"];

/// The pipeline called `name` for raw inputs of shape `input`.
///
/// `none` changes nothing; `normalize` subtracts `mean` and divides by `std` (one of each, or one per plane,
/// of the training images); `deskew` centres and straightens; `features` computes gradient directions on 7 by
/// 7 and 4 by 4 cells and 14 by 14 pixels of the deskewed image, 716 values.
///
/// Errors: an unknown name, or a shape that the steps do not support.
pub fn preset(name: &str, input: &[usize], mean: &[f32], std: &[f32]) -> Result<Pipeline, PrepError> {
    let shape = Shape::from_dims(input)?;
    let deskew = Step::Deskew { max_shear: 1.0 };
    let steps = match name {
        "none" => vec![],
        "normalize" => vec![Step::Normalize { mean: mean.to_vec(), std: std.to_vec() }],
        "deskew" => vec![deskew],
        "features" => {
            let mut steps = one_plane(shape);
            let cells = vec![7, 4];
            let gradients =
                Step::Gradients { orientations: 8, cells, pixels: 14, locality: 0.0, roots: true };
            steps.extend([deskew, gradients]);
            steps
        }
        _ => return Err(PrepError::UnknownPreset(name.to_string())),
    };
    Pipeline::new(input, steps)
}

/// Steps to one plane of at least 14 by 14 pixels, which the features need.
fn one_plane(shape: Shape) -> Vec<Step> {
    let Shape::Image { channels, height, width } = shape else { return vec![] };
    let mut steps = vec![];
    if channels != 1 {
        steps.push(Step::Grayscale);
    }
    if height < 14 || width < 14 {
        steps.push(Step::Resize { height: 28, width: 28, filter: Filter::Bilinear });
    }
    steps
}
