//! Lists of numbers in the format they are stored in.

use crate::cbor::half_to_f64;
use alloc::vec::Vec;

/// How the numbers of a codebook or a dense tensor are stored. Rule F-14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// IEEE single precision. Code 0.
    F32,
    /// IEEE half precision. Code 1.
    F16,
    /// Whole numbers times one scale. Code 2.
    Scaled,
}

impl NumberFormat {
    /// The format's code.
    pub fn code(self) -> u64 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Scaled => 2,
        }
    }

    pub(crate) fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            2 => Some(Self::Scaled),
            _ => None,
        }
    }
}

/// Numbers as they are stored; [`Numbers::to_f32`] gives the values.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// The values.
    F32(Vec<f32>),
    /// The bits of half-precision values.
    F16(Vec<u16>),
    /// `value = integer * scale`: the integer as single precision, the product rounded to it.
    Scaled {
        /// What one step is worth.
        scale: f32,
        /// The steps.
        integers: Vec<i32>,
    },
}

impl Numbers {
    /// The format.
    pub fn format(&self) -> NumberFormat {
        match self {
            Self::F32(_) => NumberFormat::F32,
            Self::F16(_) => NumberFormat::F16,
            Self::Scaled { .. } => NumberFormat::Scaled,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F16(v) => v.len(),
            Self::Scaled { integers, .. } => integers.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number `i`, or `None` past the end.
    pub fn get(&self, i: usize) -> Option<f32> {
        match self {
            Self::F32(v) => v.get(i).copied(),
            Self::F16(v) => v.get(i).map(|&bits| half(bits)),
            Self::Scaled { scale, integers } => integers.get(i).map(|&n| scaled(n, *scale)),
        }
    }

    /// How many are below zero.
    pub fn n_negative(&self) -> usize {
        self.to_f32().iter().filter(|v| **v < 0.0).count()
    }

    /// All values.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(v) => v.clone(),
            Self::F16(v) => v.iter().map(|&bits| half(bits)).collect(),
            Self::Scaled { scale, integers } => integers.iter().map(|&n| scaled(n, *scale)).collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "every half is a single")]
fn half(bits: u16) -> f32 {
    half_to_f64(bits) as f32
}

fn scaled(integer: i32, scale: f32) -> f32 {
    integer as f32 * scale
}
