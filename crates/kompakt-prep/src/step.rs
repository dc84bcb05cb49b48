//! One step: its settings, and its output shape.

use crate::{
    limits::{MAX_CELLS, MAX_ORIENTATIONS, MAX_SIDE},
    shape::Shape,
};
use alloc::{string::String, vec::Vec};
use kompakt_words::words;
use serde::{Deserialize, Serialize};

/// How a resized image is sampled from the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Bilinear, between the four nearest pixels: to enlarge.
    Bilinear,
    /// The mean over the area that a pixel covers: to shrink.
    Area,
}

/// One step. `spec/preprocessing.md` defines each; the rule is named beside it.
///
/// In JSON a step is an object whose `"step"` is the variant's name in snake case and whose other members are the
/// fields below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// `y = 1 - x`. Rule P-10.
    Invert,
    /// Red, green and blue to one plane of brightness; one plane stays as it is. Rule P-11.
    Grayscale,
    /// Plane `i` of the result is plane `order[i]` of the input. Rule P-12.
    Channels {
        /// Which planes, in which order.
        order: Vec<usize>,
    },
    /// `y = (x - mean) / std`, with one pair for all planes or one per plane. Rule P-13.
    Normalize {
        /// Subtracted.
        mean: Vec<f32>,
        /// Divided by; greater than 0.
        std: Vec<f32>,
    },
    /// Each pixel becomes the median of the 3 by 3 around it. Rule P-14.
    Median,
    /// Pixels below `level` become 0. Rule P-15.
    Threshold {
        /// The least value that stays.
        level: f32,
    },
    /// Resizes the image. Rule P-16.
    Resize {
        /// Rows afterwards.
        height: usize,
        /// Columns afterwards.
        width: usize,
        /// The resampling method.
        filter: Filter,
    },
    /// The smallest box with all pixels above `threshold`, fitted into the middle of a new image. Rule P-17.
    Crop {
        /// A pixel belongs to the object if it is above this in any plane.
        threshold: f32,
        /// Empty pixels on each side of the new image.
        margin: usize,
        /// Rows afterwards.
        height: usize,
        /// Columns afterwards.
        width: usize,
    },
    /// Shifts the centre of mass to the middle. Rule P-18.
    Center,
    /// Shifts the centre of mass to the middle and undoes the slant, found by second moments. Rule P-19.
    Deskew {
        /// The largest shear, in columns per row (1 is 45 degrees).
        max_shear: f32,
    },
    /// Histograms of gradient directions on grids of cells, and the image reduced in size. Rule P-20.
    Gradients {
        /// Number of directions, spread over the full circle; at least 3.
        orientations: usize,
        /// Sides of the grids: `[7, 4]` is one of 7 by 7 and one of 4 by 4 cells.
        cells: Vec<usize>,
        /// Side of the small image that follows the histograms; 0 for none.
        pixels: usize,
        /// What contrast is normalised by: 0 the entire grid's, 1 each cell's, in between a mixture.
        locality: f32,
        /// Whether the histograms are replaced by their square roots at the end.
        roots: bool,
    },
    /// A central crop. Rule P-21.
    CenterCrop {
        /// Rows afterwards.
        height: usize,
        /// Columns afterwards.
        width: usize,
    },
    /// Subtracts a mean image, which is stored small and enlarged. Rule P-22.
    Subtract {
        /// Rows of the small image.
        height: usize,
        /// Columns of the small image.
        width: usize,
        /// The small image, plane by plane, row by row: `[channels, height, width]`.
        values: Vec<f32>,
    },
}

impl Step {
    /// The step's name as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invert => "invert",
            Self::Grayscale => "grayscale",
            Self::Channels { .. } => "channels",
            Self::Normalize { .. } => "normalize",
            Self::Median => "median",
            Self::Threshold { .. } => "threshold",
            Self::Resize { .. } => "resize",
            Self::Crop { .. } => "crop",
            Self::Center => "center",
            Self::Deskew { .. } => "deskew",
            Self::Gradients { .. } => "gradients",
            Self::CenterCrop { .. } => "center_crop",
            Self::Subtract { .. } => "subtract",
        }
    }

    /// The rule of `spec/preprocessing.md` that defines the step.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Invert => "P-10",
            Self::Grayscale => "P-11",
            Self::Channels { .. } => "P-12",
            Self::Normalize { .. } => "P-13",
            Self::Median => "P-14",
            Self::Threshold { .. } => "P-15",
            Self::Resize { .. } => "P-16",
            Self::Crop { .. } => "P-17",
            Self::Center => "P-18",
            Self::Deskew { .. } => "P-19",
            Self::Gradients { .. } => "P-20",
            Self::CenterCrop { .. } => "P-21",
            Self::Subtract { .. } => "P-22",
        }
    }

    /// The shape after the step, or the error in its settings or in the shape before it.
    pub(crate) fn output(&self, input: Shape) -> Result<Shape, String> {
        match self {
            Self::Invert | Self::Threshold { .. } | Self::Normalize { .. } => self.elementwise(input),
            _ => {
                let Shape::Image { channels, height, width } = input else {
                    return Err(words!("works on an image, not on a vector {:?}", input.dims()));
                };
                self.image_output(channels, height, width)
            }
        }
    }

    fn elementwise(&self, input: Shape) -> Result<Shape, String> {
        match self {
            Self::Threshold { level } => finite("level", &[*level])?,
            Self::Normalize { mean, std } => {
                finite("mean", mean)?;
                finite("std", std)?;
                let planes = if let Shape::Image { channels, .. } = input { channels } else { 1 };
                if mean.len() != std.len() || (mean.len() != 1 && mean.len() != planes) {
                    return Err(words!(
                        "{} means and {} deviations for {planes} plane(s); give one of each, or one a plane",
                        mean.len(),
                        std.len()
                    ));
                }
                if std.iter().any(|s| *s < f32::MIN_POSITIVE) {
                    return Err("a deviation is not above 0".into());
                }
            }
            _ => {}
        }
        Ok(input)
    }

    fn image_output(&self, channels: usize, height: usize, width: usize) -> Result<Shape, String> {
        let image = |channels, height, width| Shape::Image { channels, height, width };
        let same = image(channels, height, width);
        let output = match self {
            Self::Grayscale if channels == 1 || channels == 3 => image(1, height, width),
            Self::Grayscale => return Err(words!("{channels} planes; it takes 1 or 3")),
            Self::Channels { order } => {
                if let Some(plane) = order.iter().find(|plane| **plane >= channels) {
                    return Err(words!("plane {plane} of {channels}; planes count from 0"));
                }
                image(order.len(), height, width)
            }
            Self::Resize { height, width, .. } => image(channels, *height, *width),
            Self::Crop { threshold, margin, height, width } => {
                finite("threshold", &[*threshold])?;
                if *margin >= MAX_SIDE || 2 * margin >= *height.min(width) {
                    return Err(words!("a margin of {margin} leaves nothing of {height} by {width}"));
                }
                image(channels, *height, *width)
            }
            Self::Deskew { max_shear } => {
                finite("max_shear", &[*max_shear])?;
                if *max_shear < 0.0 {
                    return Err("max_shear is below 0".into());
                }
                same
            }
            Self::CenterCrop { height: rows, width: columns } => {
                if *rows > height || *columns > width {
                    return Err(words!("the middle {rows} by {columns} of only {height} by {width}"));
                }
                image(channels, *rows, *columns)
            }
            Self::Subtract { height: rows, width: columns, values } => {
                finite("a value", values)?;
                let n = rows.checked_mul(*columns).and_then(|n| n.checked_mul(channels));
                if *rows > MAX_SIDE || *columns > MAX_SIDE || n != Some(values.len()) || values.is_empty() {
                    return Err(words!(
                        "{} values are not {channels} plane(s) of {rows} by {columns}",
                        values.len()
                    ));
                }
                same
            }
            Self::Gradients { orientations, cells, pixels, locality, .. } => {
                if !(0.0..=1.0).contains(locality) {
                    return Err(words!("a locality of {locality}; 0 to 1 is allowed"));
                }
                return gradients_output(channels, *orientations, cells, *pixels);
            }
            _ => same,
        };
        output.check().map_err(|problem| words!("makes {:?}: {problem}", output.dims()))?;
        Ok(output)
    }
}

fn gradients_output(
    channels: usize,
    directions: usize,
    cells: &[usize],
    pixels: usize,
) -> Result<Shape, String> {
    if channels != 1 {
        return Err(words!("{channels} planes; put grayscale before it"));
    }
    if !(3..=MAX_ORIENTATIONS).contains(&directions) {
        return Err(words!("{directions} orientations; 3 to {MAX_ORIENTATIONS} are allowed"));
    }
    if cells.len() > MAX_CELLS || cells.iter().chain([&pixels]).any(|side| *side > 256) {
        return Err(words!("at most {MAX_CELLS} grids, of at most 256 cells a side"));
    }
    if cells.contains(&0) {
        return Err("a grid of 0 cells".into());
    }
    let histograms: usize = cells.iter().map(|side| side * side * directions).sum();
    let output = Shape::Vector(histograms + pixels * pixels);
    output.check().map_err(|problem| words!("makes {:?}: {problem}", output.dims()))?;
    Ok(output)
}

fn finite(name: &str, values: &[f32]) -> Result<(), String> {
    match values.iter().find(|v| !v.is_finite()) {
        Some(value) => Err(words!("{name} is {value}")),
        None => Ok(()),
    }
}
