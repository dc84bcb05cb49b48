//! A raw image as the first step sees it.

use crate::{error::PrepError, shape::Shape};
use alloc::vec::Vec;
use kompakt_words::words;

/// The value of an image byte: `byte / 255`, rounded once to f32. Rule P-1.
pub fn byte_value(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// An image of f32 values; 0 is black and 1 is white.
///
/// Layout: plane by plane, row by row: `data[(c * height + y) * width + x]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    channels: usize,
    height: usize,
    width: usize,
    /// `channels * height * width` values.
    data: Vec<f32>,
}

impl Image {
    /// An image of existing values.
    ///
    /// Errors: [`PrepError::Input`] if a dimension is 0 or too large, or `data` has another length.
    pub fn new(dims: [usize; 3], data: Vec<f32>) -> Result<Self, PrepError> {
        let shape = Shape::from_dims(&dims)?;
        if shape.len() != data.len() {
            return Err(PrepError::Input(words!("{dims:?} with {} values", data.len())));
        }
        Ok(Self { channels: dims[0], height: dims[1], width: dims[2], data })
    }

    /// An image of bytes in the layout of the struct; each becomes [`byte_value`].
    ///
    /// Errors: as [`Image::new`].
    pub fn from_bytes(dims: [usize; 3], bytes: &[u8]) -> Result<Self, PrepError> {
        Self::new(dims, bytes.iter().map(|b| byte_value(*b)).collect())
    }

    /// `[channels, height, width]`.
    pub fn dims(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// The values, in the layout of the struct.
    pub fn data(&self) -> &[f32] {
        &self.data
    }
}
