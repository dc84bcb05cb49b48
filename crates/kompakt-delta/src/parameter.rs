//! One parameter, written or read beside its old values.

use crate::{
    error::DeltaError,
    expected::{self, Levels, OldNumbers, Scale},
};
use kompakt_entropy::{
    MaskedCodesBuf,
    smallest::{Expected, Hints, PatchStream},
};
use kompakt_format::{Decoded, Descriptor, Form, Numbers, coder_shape};
use kompakt_numbers::NumberFormat;

/// Flags of the stream: whether mask and codes are as expected, whether integers are expected at the new scale, and whether it
/// is said which levels are the same.
const SAME: usize = 0;
const RESCALED: usize = 1;
const LEVELS: usize = 2;
/// Whether an old level became the level after that of the one before it, and whether it became the same.
const UP: usize = 3;
const AGAIN: usize = 4;

/// Codes a parameter of that shape and description; `new` is there where it is written.
pub(crate) fn parameter(
    stream: &mut PatchStream<'_>,
    shape: &[usize],
    descriptor: &Descriptor,
    hints: Hints<'_>,
    old: Option<&Decoded>,
    new: Option<&Decoded>,
) -> Result<Decoded, DeltaError> {
    let given = match new {
        Some(Decoded::Shared { codebook, weights }) => (Some(codebook), Some(weights.clone())),
        Some(Decoded::Dense { numbers, .. }) => (Some(numbers), None),
        None => (None, None),
    };
    let format = descriptor.format;
    match descriptor.form {
        Form::Shared { n_levels } => {
            let (mut same, mut before) = (None, None);
            if let Some(Decoded::Shared { codebook, .. }) = old {
                let wanted = old.zip(new).and_then(|(old, new)| expected::same_levels(old, new));
                if stream.flag(LEVELS, wanted.is_some()) {
                    let map = level_map(stream, codebook.len(), n_levels, wanted)?;
                    before = Some(OldNumbers::levels(codebook, &map, n_levels));
                    same = Some(map);
                } else if codebook.len() == n_levels {
                    before = Some(OldNumbers::all(codebook));
                }
            }
            let codebook = numbers(stream, format, n_levels, before, given.0)?;
            let levels = codebook.to_f32();
            if !levels.is_sorted_by(|a, b| a < b) || !levels.iter().all(|level| level.is_finite()) {
                return Err(DeltaError::damaged("E-8", "a codebook that does not ascend"));
            }
            let n_negative = codebook.n_negative();
            let mut weights =
                MaskedCodesBuf::new(coder_shape(shape), descriptor.is_masked, n_levels, n_negative)?
                    .with_block(descriptor.block)
                    .with_trellis(descriptor.trellis);
            let wanted = given.1.as_ref();
            codes(stream, &mut weights, hints, old, (&levels, same.as_ref()), wanted)?;
            Ok(Decoded::Shared { codebook, weights })
        }
        Form::Dense => {
            let n = shape.iter().product();
            let mut mask = None;
            if descriptor.is_masked {
                let mut weights = MaskedCodesBuf::new(coder_shape(shape), true, 1, 0)?;
                let wanted = new.and_then(Decoded::mask).map(|mask| {
                    let mut weights = weights.clone();
                    weights.mask = Some(mask.to_vec());
                    weights
                });
                codes(stream, &mut weights, hints, old, (&[1.0], None), wanted.as_ref())?;
                mask = weights.mask;
            }
            let n = mask.as_ref().map_or(n, |mask| mask.iter().filter(|kept| **kept).count());
            let before = old.map(|old| OldNumbers::of(old, mask.as_deref()));
            Ok(Decoded::Dense { numbers: numbers(stream, format, n, before, given.0)?, mask })
        }
    }
}

/// The new level of each old one: mostly one more than that of the old level before.
fn level_map(
    stream: &mut PatchStream<'_>,
    n_old: usize,
    n_levels: usize,
    wanted: Option<Levels>,
) -> Result<Levels, DeltaError> {
    let mut map = wanted.unwrap_or_else(|| vec![0; n_old]);
    let mut last = None;
    for level in &mut map {
        let next = last.map_or(0, |last: u8| usize::from(last) + 1);
        if next < n_levels && stream.flag(UP, usize::from(*level) == next) {
            *level = next as u8;
        } else if let Some(last) = last
            && stream.flag(AGAIN, *level == last)
        {
            *level = last;
        } else {
            let read = stream.integer(u32::from(*level))?;
            let fits = u8::try_from(read).ok().filter(|&level| usize::from(level) < n_levels);
            *level = fits.ok_or_else(|| DeltaError::damaged("E-8", "a level that is not there"))?;
        }
        last = Some(*level);
    }
    Ok(map)
}

/// Mask and codes; `wanted` where they are written.
fn codes(
    stream: &mut PatchStream<'_>,
    weights: &mut MaskedCodesBuf,
    hints: Hints<'_>,
    old: Option<&Decoded>,
    (levels, same): (&[f32], Option<&Levels>),
    wanted: Option<&MaskedCodesBuf>,
) -> Result<(), DeltaError> {
    let mut before = old.map(|old| {
        let mut before = weights.clone();
        expected::codes(old, levels, same, &mut before);
        before
    });
    if let Some(before) = &before
        && stream.flag(SAME, wanted == Some(before))
    {
        weights.clone_from(before);
        return Ok(());
    }
    // The edition before may have had other blocks, or none.
    if let Some(before) = &mut before {
        before.block = 1;
    }
    if let Some(wanted) = wanted {
        weights.clone_from(wanted);
    }
    let scale = Scale::new(levels);
    let places = old.map(|old| scale.places(old, same.is_some(), before.as_ref()));
    let expected = before.as_ref().zip(places.as_ref()).map(|(before, places)| Expected {
        weights: before.view(),
        levels: &scale.levels,
        places,
    });
    Ok(stream.weights(weights, hints, expected)?)
}

/// `n` numbers; `new` where they are written.
fn numbers(
    stream: &mut PatchStream<'_>,
    format: NumberFormat,
    n: usize,
    old: Option<OldNumbers>,
    new: Option<&Numbers>,
) -> Result<Numbers, DeltaError> {
    match format {
        NumberFormat::F32 => {
            let mut values = match new {
                Some(Numbers::F32(values)) => values.clone(),
                _ => vec![0.0; n],
            };
            stream.numbers_f32(&mut values, old.as_ref().map(|old| &old.values[..]))?;
            Ok(Numbers::F32(values))
        }
        NumberFormat::F16 => {
            let mut bits = match new {
                Some(Numbers::F16(bits)) => bits.clone(),
                _ => vec![0; n],
            };
            let before = old.map(|old| expected::half(&old.values));
            stream.numbers_f16(&mut bits, before.as_deref())?;
            Ok(Numbers::F16(bits))
        }
        NumberFormat::Scaled => {
            let (scale, mut integers) = match new {
                Some(Numbers::Scaled { scale, integers }) => (*scale, integers.clone()),
                _ => (0.0, vec![0; n]),
            };
            let mut scale = [scale];
            let stored = old.as_ref().and_then(|old| old.scaled.as_ref());
            stream.numbers_f32(&mut scale, stored.map(|(scale, _)| [*scale]).as_ref().map(|s| &s[..]))?;
            let rescaled = old.as_ref().map(|old| expected::scaled(&old.values, scale[0]));
            let before = match (rescaled, stored) {
                (Some(rescaled), Some((_, stored))) => {
                    let far = |to: &[i32]| -> u64 {
                        to.iter().zip(&integers).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
                    };
                    match stream.flag(RESCALED, far(&rescaled) < far(stored)) {
                        true => Some(rescaled),
                        false => Some(stored.clone()),
                    }
                }
                (rescaled, _) => rescaled,
            };
            stream.numbers_int(&mut integers, before.as_deref())?;
            Ok(Numbers::Scaled { scale: scale[0], integers })
        }
    }
}
