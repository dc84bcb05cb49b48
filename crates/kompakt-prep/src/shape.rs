//! The shape of values between steps.

use crate::{
    error::PrepError,
    limits::{MAX_ELEMENTS, MAX_SIDE},
};
use alloc::{vec, vec::Vec};
use kompakt_words::words;

/// An image or a vector; the batch is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[channels, height, width]`, row-major.
    Image {
        /// Colour planes.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `[n]`.
    Vector(usize),
}

impl Shape {
    /// A shape of one or three dimensions, none of them zero.
    ///
    /// Errors: [`PrepError::Input`] for another rank, a zero, more than [`MAX_SIDE`] per side or
    /// [`MAX_ELEMENTS`] in all.
    pub fn from_dims(dims: &[usize]) -> Result<Self, PrepError> {
        let shape = match *dims {
            [n] => Self::Vector(n),
            [channels, height, width] => Self::Image { channels, height, width },
            _ => return Err(PrepError::Input(words!("{dims:?} has {} dimensions", dims.len()))),
        };
        shape.check().map_err(|problem| PrepError::Input(words!("{dims:?}: {problem}")))?;
        Ok(shape)
    }

    /// The problem with the sizes, if any.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let dims = self.dims();
        if dims.contains(&0) {
            return Err("a dimension is 0");
        }
        if matches!(self, Self::Image { .. }) && dims.iter().any(|d| *d > MAX_SIDE) {
            return Err("a side is longer than 4096");
        }
        match dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) {
            Some(n) if n <= MAX_ELEMENTS => Ok(()),
            _ => Err("more than 2^24 elements"),
        }
    }

    /// The dimensions, `[channels, height, width]` or `[n]`.
    pub fn dims(&self) -> Vec<usize> {
        match *self {
            Self::Image { channels, height, width } => vec![channels, height, width],
            Self::Vector(n) => vec![n],
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match *self {
            Self::Image { channels, height, width } => channels * height * width,
            Self::Vector(n) => n,
        }
    }

    /// Whether there are none (never, in a checked pipeline).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
