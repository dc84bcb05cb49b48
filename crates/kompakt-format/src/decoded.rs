//! Decoded parameters.

use alloc::{vec, vec::Vec};
use kompakt_entropy::{MaskedCodes, MaskedCodesBuf};
use kompakt_numbers::Numbers;

/// One parameter, fully decoded. Its shape is the graph's.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// One value per kept weight.
    Dense {
        /// The kept values, row-major.
        numbers: Numbers,
        /// True = kept, row-major; `None`: all are.
        mask: Option<Vec<bool>>,
    },
    /// One code per kept weight.
    Shared {
        /// Strictly ascending, none of them zero.
        codebook: Numbers,
        /// Mask and codes. All codes are below `codebook.len()`.
        weights: MaskedCodesBuf,
    },
}

impl Decoded {
    /// True = kept; `None` when all are.
    pub fn mask(&self) -> Option<&[bool]> {
        match self {
            Self::Dense { mask, .. } => mask.as_deref(),
            Self::Shared { weights, .. } => weights.mask.as_deref(),
        }
    }

    /// Number of kept weights.
    pub fn n_kept(&self) -> usize {
        match self {
            Self::Dense { numbers, .. } => numbers.len(),
            Self::Shared { weights, .. } => weights.view().n_kept(),
        }
    }

    /// The codebook and the codes, if any.
    pub fn shared(&self) -> Option<(&Numbers, MaskedCodes<'_>)> {
        match self {
            Self::Dense { .. } => None,
            Self::Shared { codebook, weights } => Some((codebook, weights.view())),
        }
    }

    /// All weights as values, zeros included.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::Dense { numbers, mask: None } => numbers.to_f32(),
            Self::Dense { numbers, mask: Some(mask) } => {
                let mut kept = numbers.to_f32().into_iter();
                mask.iter().map(|&k| if k { kept.next().unwrap_or(0.0) } else { 0.0 }).collect()
            }
            Self::Shared { codebook, weights } => {
                let codebook = codebook.to_f32();
                let mut values = vec![0.0; weights.codes.len()];
                let view = weights.view();
                for (i, (value, &code)) in values.iter_mut().zip(&weights.codes).enumerate() {
                    if view.is_kept(i) {
                        *value = codebook.get(usize::from(code)).copied().unwrap_or(0.0);
                    }
                }
                values
            }
        }
    }
}

/// The shape of a parameter as the coders see it: output units, input channels, kernel positions.
pub fn coder_shape(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [rows] => [rows, 1, 1],
        [rows, channels] => [rows, channels, 1],
        [rows, channels, ref taps @ ..] => {
            [rows, channels, taps.iter().fold(1usize, |n, &d| n.saturating_mul(d))]
        }
        [] => [1, 1, 1],
    }
}

/// For each input channel of a consumer, how many weights the unit that produces it has kept.
pub fn unit_counts(producer: &Decoded, (rows, cols): (usize, usize), span: usize) -> Vec<u32> {
    let whole = u32::try_from(cols).unwrap_or(u32::MAX);
    let count = |row: &[bool]| u32::try_from(row.iter().filter(|&&k| k).count()).unwrap_or(u32::MAX);
    let units: Vec<u32> = match producer.mask() {
        None => vec![whole; rows],
        Some(mask) => mask.chunks_exact(cols.max(1)).map(count).collect(),
    };
    units.into_iter().flat_map(|n| core::iter::repeat_n(n, span)).collect()
}
