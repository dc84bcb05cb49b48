//! Steps as numbers: a code and a flat list, the form in which a container stores them.

use crate::{
    error::PrepError,
    limits::MAX_NUMBERS,
    step::{Filter, Step},
};
use alloc::{string::String, vec, vec::Vec};
use kompakt_words::words;

/// One number of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A count, a size or a choice.
    Int(i64),
    /// A real-valued setting.
    Float(f32),
}

/// Codes, which never change. Rule P-2.
mod code {
    pub(super) const INVERT: u8 = 1;
    pub(super) const GRAYSCALE: u8 = 2;
    pub(super) const CHANNELS: u8 = 3;
    pub(super) const NORMALIZE: u8 = 4;
    pub(super) const MEDIAN: u8 = 5;
    pub(super) const THRESHOLD: u8 = 6;
    pub(super) const RESIZE: u8 = 7;
    pub(super) const CROP: u8 = 8;
    pub(super) const CENTER: u8 = 9;
    pub(super) const DESKEW: u8 = 10;
    pub(super) const GRADIENTS: u8 = 11;
    pub(super) const CENTER_CROP: u8 = 12;
    pub(super) const SUBTRACT: u8 = 13;
}

impl Step {
    /// The step's code and its numbers.
    ///
    /// `channels`, `gradients` and `subtract` end in their list, `normalize` lists all means and then all deviations, so that
    /// no length is stored.
    pub fn to_numbers(&self) -> (u8, Vec<Number>) {
        match self {
            Self::Invert => (code::INVERT, vec![]),
            Self::Grayscale => (code::GRAYSCALE, vec![]),
            Self::Channels { order } => (code::CHANNELS, order.iter().map(|p| int(*p)).collect()),
            Self::Normalize { mean, std } => {
                (code::NORMALIZE, mean.iter().chain(std).map(|v| Number::Float(*v)).collect())
            }
            Self::Median => (code::MEDIAN, vec![]),
            Self::Threshold { level } => (code::THRESHOLD, vec![Number::Float(*level)]),
            Self::Resize { height, width, filter } => {
                let filter = match filter {
                    Filter::Bilinear => 0,
                    Filter::Area => 1,
                };
                (code::RESIZE, vec![int(*height), int(*width), int(filter)])
            }
            Self::Crop { threshold, margin, height, width } => {
                (code::CROP, vec![Number::Float(*threshold), int(*margin), int(*height), int(*width)])
            }
            Self::Center => (code::CENTER, vec![]),
            Self::Deskew { max_shear } => (code::DESKEW, vec![Number::Float(*max_shear)]),
            Self::Gradients { orientations, cells, pixels, locality, roots } => {
                let roots = int(usize::from(*roots));
                let mut numbers = vec![int(*orientations), int(*pixels), Number::Float(*locality), roots];
                numbers.extend(cells.iter().map(|side| int(*side)));
                (code::GRADIENTS, numbers)
            }
            Self::CenterCrop { height, width } => (code::CENTER_CROP, vec![int(*height), int(*width)]),
            Self::Subtract { height, width, values } => {
                let mut numbers = vec![int(*height), int(*width)];
                numbers.extend(values.iter().map(|v| Number::Float(*v)));
                (code::SUBTRACT, numbers)
            }
        }
    }

    /// The step for `code` and `numbers`. A [`Number::Int`] may stand where a float is expected.
    ///
    /// Errors: an unknown code, a number that is missing, left over, negative or of the wrong kind. Settings
    /// are checked by [`crate::Pipeline::new`].
    pub fn from_numbers(code: u8, numbers: &[Number]) -> Result<Self, PrepError> {
        if numbers.len() > MAX_NUMBERS {
            let problem = words!("{} numbers, at most {MAX_NUMBERS} are allowed", numbers.len());
            return Err(PrepError::Numbers { code, problem });
        }
        let mut numbers = Numbers { code, rest: numbers };
        let step = match code {
            code::INVERT => Self::Invert,
            code::GRAYSCALE => Self::Grayscale,
            code::CHANNELS => Self::Channels { order: numbers.sizes()? },
            code::NORMALIZE => {
                let mut mean = numbers.floats()?;
                if mean.len() % 2 == 1 {
                    return Err(numbers.error("an odd count of means and deviations"));
                }
                let std = mean.split_off(mean.len() / 2);
                Self::Normalize { mean, std }
            }
            code::MEDIAN => Self::Median,
            code::THRESHOLD => Self::Threshold { level: numbers.float()? },
            code::RESIZE => {
                let (height, width) = (numbers.size()?, numbers.size()?);
                let filter = match numbers.size()? {
                    0 => Filter::Bilinear,
                    1 => Filter::Area,
                    _ => return Err(numbers.error("an unknown filter")),
                };
                Self::Resize { height, width, filter }
            }
            code::CROP => Self::Crop {
                threshold: numbers.float()?,
                margin: numbers.size()?,
                height: numbers.size()?,
                width: numbers.size()?,
            },
            code::CENTER => Self::Center,
            code::DESKEW => Self::Deskew { max_shear: numbers.float()? },
            code::GRADIENTS => {
                let (orientations, pixels, locality) = (numbers.size()?, numbers.size()?, numbers.float()?);
                let roots = match numbers.size()? {
                    0 => false,
                    1 => true,
                    _ => return Err(numbers.error("roots is 0 or 1")),
                };
                Self::Gradients { orientations, cells: numbers.sizes()?, pixels, locality, roots }
            }
            code::CENTER_CROP => Self::CenterCrop { height: numbers.size()?, width: numbers.size()? },
            code::SUBTRACT => {
                Self::Subtract { height: numbers.size()?, width: numbers.size()?, values: numbers.floats()? }
            }
            _ => return Err(PrepError::UnknownCode(code)),
        };
        match numbers.rest {
            [] => Ok(step),
            rest => Err(numbers.error(&words!("{} number(s) left over", rest.len()))),
        }
    }
}

fn int(n: usize) -> Number {
    Number::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The numbers of one step, taken one by one.
struct Numbers<'a> {
    code: u8,
    rest: &'a [Number],
}

impl Numbers<'_> {
    fn error(&self, problem: &str) -> PrepError {
        PrepError::Numbers { code: self.code, problem: String::from(problem) }
    }

    fn next(&mut self) -> Result<Number, PrepError> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| self.error("a number is missing"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn size(&mut self) -> Result<usize, PrepError> {
        match self.next()? {
            Number::Int(i) => u32::try_from(i)
                .ok()
                .and_then(|i| usize::try_from(i).ok())
                .ok_or_else(|| self.error("a size is negative or above 2^32")),
            Number::Float(_) => Err(self.error("a whole number is needed, not a float")),
        }
    }

    fn float(&mut self) -> Result<f32, PrepError> {
        match self.next()? {
            Number::Float(f) => Ok(f),
            Number::Int(i) if i.unsigned_abs() <= 1 << 24 => Ok(i as f32),
            Number::Int(_) => Err(self.error("a whole number too large for a float")),
        }
    }

    fn sizes(&mut self) -> Result<Vec<usize>, PrepError> {
        (0..self.rest.len()).map(|_| self.size()).collect()
    }

    fn floats(&mut self) -> Result<Vec<f32>, PrepError> {
        (0..self.rest.len()).map(|_| self.float()).collect()
    }
}
