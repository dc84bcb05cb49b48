//! Constraints on decoded values and masks: rules F-23, F-24, F-32 and F-33.

use crate::{
    decoded::Decoded,
    error::{FormatError, broken},
};
use kompakt_numbers::Numbers;

/// Checks that a mask removes something, of blocks all or nothing, that codes follow the trellis that they are said to follow, and that values are finite.
pub(crate) fn check(decoded: &Decoded, at: usize) -> Result<(), FormatError> {
    if decoded.mask().is_some_and(|mask| mask.iter().all(|&kept| kept)) {
        return broken("F-24", at, "a mask that keeps everything is not stored");
    }
    if decoded.shared().is_some_and(|(_, weights)| !weights.has_whole_blocks()) {
        return broken("F-32", at, "a mask that parts a block");
    }
    if decoded.shared().is_some_and(|(_, weights)| weights.trellis && !weights.follows_trellis()) {
        return broken("F-33", at, "codes that do not follow the trellis");
    }
    match decoded {
        Decoded::Dense { numbers, .. } if !is_finite(numbers) => {
            broken("F-23", at, "a number that is not finite")
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_codebook(codebook: &Numbers, at: usize) -> Result<(), FormatError> {
    let values = codebook.to_f32();
    let ascending = values.iter().zip(values.iter().skip(1)).all(|(a, b)| a < b);
    if !ascending || values.iter().any(|v| !v.is_finite() || *v == 0.0) {
        return broken("F-23", at, "a codebook that is not strictly ascending, or holds zero or no number");
    }
    Ok(())
}

fn is_finite(numbers: &Numbers) -> bool {
    match numbers {
        Numbers::F32(values) => values.iter().all(|v| v.is_finite()),
        Numbers::F16(bits) => bits.iter().all(|b| b & 0x7c00 != 0x7c00),
        Numbers::Scaled { scale, .. } => scale.is_finite() && numbers.to_f32().iter().all(|v| v.is_finite()),
    }
}
