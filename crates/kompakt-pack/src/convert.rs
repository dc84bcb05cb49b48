//! Between the interchange's parameters and the container's.

use kompakt_entropy::{MaskedCodes, MaskedCodesBuf};
use kompakt_format::{Decoded, Descriptor, Form, Numbers, coder_shape};
use kompakt_model::{Block, Parameter};

/// Kept weights of a layer of which it can be said that they follow a trellis.
const FEWEST_KEPT: usize = 64;

/// The container's form of a parameter. A mask that keeps everything is dropped; one that keeps and drops blocks of weights is
/// said to.
pub(crate) fn to_container(parameter: Parameter) -> Decoded {
    match parameter {
        Parameter::Dense { values, mask, .. } => {
            let mask = mask.filter(|m| m.contains(&false));
            let mut values = values;
            if let Some(mask) = &mask {
                values.retain(mask);
            }
            Decoded::Dense { numbers: values, mask }
        }
        Parameter::Shared { shape, codebook, codes, mask } => {
            let mask = mask.filter(|m| m.contains(&false));
            let n_negative = codebook.to_f32().iter().filter(|v| **v < 0.0).count();
            let [rows, channels, taps] = coder_shape(&shape);
            let n_levels = codebook.len();
            let block = mask.as_ref().map_or(1, |mask| Block::of_mask(&shape, mask).n_inputs());
            let mut weights = MaskedCodesBuf {
                rows,
                channels,
                taps,
                mask,
                block,
                trellis: false,
                codes,
                n_levels,
                n_negative,
            };
            weights.trellis = follows_trellis(&weights.view());
            Decoded::Shared { codebook, weights }
        }
    }
}

/// The interchange's form of a parameter; `dense`: without codes, as single precision.
pub(crate) fn to_interchange(decoded: Decoded, shape: &[usize], dense: bool) -> Parameter {
    let shape = shape.to_vec();
    if dense {
        return Parameter::dense(shape, decoded.to_f32());
    }
    match decoded {
        Decoded::Dense { numbers, mask: None } => Parameter::Dense { shape, values: numbers, mask: None },
        Decoded::Dense { numbers, mask: Some(mask) } => {
            let values = spread(numbers, &mask);
            Parameter::Dense { shape, values, mask: Some(mask) }
        }
        Decoded::Shared { codebook, weights } => {
            Parameter::Shared { shape, codebook, codes: weights.codes, mask: weights.mask }
        }
    }
}

/// The directory's description of a parameter.
pub(crate) fn descriptor(decoded: &Decoded) -> Descriptor {
    let (form, format) = match decoded {
        Decoded::Dense { numbers, .. } => (Form::Dense, numbers.format()),
        Decoded::Shared { codebook, .. } => (Form::Shared { n_levels: codebook.len() }, codebook.format()),
    };
    let (block, trellis) =
        decoded.shared().map_or((1, false), |(_, weights)| (weights.block, weights.trellis));
    Descriptor { form, format, is_masked: decoded.mask().is_some(), block, trellis }
}

/// Whether codes follow a trellis, and not by chance: fewer would in one layer of 2^64.
pub(crate) fn follows_trellis(weights: &MaskedCodes<'_>) -> bool {
    weights.block == 1 && weights.n_kept() >= FEWEST_KEPT && weights.follows_trellis()
}

/// Puts zeros where the mask has none.
fn spread(numbers: Numbers, mask: &[bool]) -> Numbers {
    fn fill<T: Copy + Default>(kept: Vec<T>, mask: &[bool]) -> Vec<T> {
        let mut kept = kept.into_iter();
        mask.iter().map(|&k| if k { kept.next().unwrap_or_default() } else { T::default() }).collect()
    }
    match numbers {
        Numbers::F32(v) => Numbers::F32(fill(v, mask)),
        Numbers::F16(v) => Numbers::F16(fill(v, mask)),
        Numbers::Scaled { scale, integers } => Numbers::Scaled { scale, integers: fill(integers, mask) },
    }
}
