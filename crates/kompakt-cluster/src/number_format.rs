//! The formats in which codebooks and biases are stored.

use crate::error::ClusterError;
use kompakt_model::Numbers;
use std::{fmt, str::FromStr};

/// How a list of values is stored: the choice behind [`Numbers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// Integers of the given width times one scale, the largest value at the largest integer; 2 to 24 bits.
    Int(u32),
}

impl NumberFormat {
    /// The values rounded to this format.
    ///
    /// What the format cannot represent (f16 ends at 65,504; a scale may underflow) stays F32.
    pub fn round(self, numbers: &Numbers) -> Numbers {
        let rounded = match self {
            Self::F32 => Numbers::F32(numbers.to_f32()),
            Self::F16 => numbers.to_f16(),
            Self::Int(bits) => numbers.to_scaled(bits),
        };
        let is_sound = match &rounded {
            Numbers::Scaled { scale, .. } => scale.is_normal(),
            other => other.is_finite(),
        };
        if is_sound { rounded } else { Numbers::F32(numbers.to_f32()) }
    }

    /// The narrowest format of this family that represents the values exactly: the one to round to after they
    /// change.
    pub fn of(numbers: &Numbers) -> Self {
        match numbers {
            Numbers::F32(_) => Self::F32,
            Numbers::F16(_) => Self::F16,
            Numbers::Scaled { integers, .. } => {
                match integers.iter().map(|i| i.unsigned_abs()).max().unwrap_or(0) {
                    // Zeros alone do not determine the format; 8 bits are the usual one.
                    0 => Self::Int(8),
                    largest => Self::Int((33 - largest.leading_zeros()).clamp(2, 24)),
                }
            }
        }
    }
}

impl FromStr for NumberFormat {
    type Err = ClusterError;

    fn from_str(text: &str) -> Result<Self, ClusterError> {
        let unknown = || ClusterError::NumberFormat(text.to_string());
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            _ => match text.strip_prefix("int").and_then(|bits| bits.parse().ok()) {
                Some(bits @ 2..=24) => Ok(Self::Int(bits)),
                _ => Err(unknown()),
            },
        }
    }
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F32 => f.write_str("f32"),
            Self::F16 => f.write_str("f16"),
            Self::Int(bits) => write!(f, "int{bits}"),
        }
    }
}
