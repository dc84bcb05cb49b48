//! Lists of numbers in the format they are stored in.

use crate::half::{f16_from_f32, f16_to_f32};
use alloc::vec::Vec;

/// How the numbers of a codebook or a dense tensor are stored. Rule F-14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// IEEE single precision. Code 0.
    F32,
    /// IEEE half precision. Code 1.
    F16,
    /// Integers times one scale. Code 2.
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

    /// The format with this code.
    pub fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            2 => Some(Self::Scaled),
            _ => None,
        }
    }
}

/// Numbers in their storage format; [`Numbers::to_f32`] returns the values.
///
/// Whoever makes the numbers (clustering, fine-tuning) chooses the format; packing keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// The values.
    F32(Vec<f32>),
    /// The bits of half-precision values.
    F16(Vec<u16>),
    /// `value = integer * scale`: the integer as single precision, the product rounded to it.
    Scaled {
        /// The scale.
        scale: f32,
        /// The integers.
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
            Self::F16(v) => v.get(i).map(|&bits| f16_to_f32(bits)),
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
            Self::F16(v) => v.iter().map(|&bits| f16_to_f32(bits)).collect(),
            Self::Scaled { scale, integers } => integers.iter().map(|&n| scaled(n, *scale)).collect(),
        }
    }

    /// The values rounded to half precision.
    pub fn to_f16(&self) -> Self {
        Self::F16(self.to_f32().into_iter().map(f16_from_f32).collect())
    }

    /// The values rounded to multiples of a step such that the largest magnitude is `2^(bits-1) - 1` steps.
    ///
    /// `bits` is 2 to 24. All zeros give a step of 1.
    pub fn to_scaled(&self, bits: u32) -> Self {
        let values = self.to_f32();
        let largest = values.iter().fold(0f32, |m, v| m.max(v.abs()));
        let steps = ((1i32 << (bits.clamp(2, 24) - 1)) - 1) as f32;
        let scale = if largest > 0.0 { largest / steps } else { 1.0 };
        let integers = values.iter().map(|v| libm::roundf(v / scale) as i32).collect();
        Self::Scaled { scale, integers }
    }

    /// Whether all values are finite.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::F32(v) => v.iter().all(|x| x.is_finite()),
            Self::F16(v) => v.iter().all(|&bits| f16_to_f32(bits).is_finite()),
            Self::Scaled { scale, .. } => scale.is_finite(),
        }
    }

    /// Keeps the entries for which `keep` returns true, in order.
    pub fn retain(&mut self, keep: &[bool]) {
        match self {
            Self::F32(v) => keep_only(v, keep),
            Self::F16(v) => keep_only(v, keep),
            Self::Scaled { integers, .. } => keep_only(integers, keep),
        }
    }
}

fn scaled(integer: i32, scale: f32) -> f32 {
    integer as f32 * scale
}

fn keep_only<T>(v: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    v.retain(|_| keep.next().is_some_and(|k| *k));
}
