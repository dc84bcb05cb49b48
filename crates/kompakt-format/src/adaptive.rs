//! Decodes parameters from adaptive streams.

use crate::{
    check::check_codebook,
    decoded::{Decoded, coder_shape},
    descriptor::{Descriptor, Form},
    error::FormatError,
};
use alloc::vec;
use kompakt_entropy::{
    EntropyError, MaskedCodesBuf,
    smallest::{Hints, StreamDecoder},
};
use kompakt_graph::Param;
use kompakt_numbers::{NumberFormat, Numbers};

/// Reads one parameter of an adaptive stream: scale, codebook, mask and codes, and values. Codebooks of at least `gaps_from` entries
/// are coded by their gaps.
pub(crate) fn adaptive(
    decoder: &mut StreamDecoder<'_>,
    param: &Param,
    descriptor: &Descriptor,
    hints: Hints<'_>,
    gaps_from: usize,
    at: usize,
) -> Result<Decoded, FormatError> {
    let coded = |e| FormatError::coded(e, at);
    match descriptor.form {
        Form::Shared { n_levels } => {
            let ascends = n_levels >= gaps_from;
            let codebook = numbers(decoder, descriptor.format, n_levels, ascends).map_err(coded)?;
            check_codebook(&codebook, at)?;
            let mut weights = target(param, descriptor, &codebook, at)?;
            decoder.weights(&mut weights, hints).map_err(coded)?;
            Ok(Decoded::Shared { codebook, weights })
        }
        Form::Dense if descriptor.is_masked => {
            let one = Numbers::F32(vec![1.0]);
            let mut weights = target(param, descriptor, &one, at)?;
            decoder.weights(&mut weights, hints).map_err(coded)?;
            let n = weights.view().n_kept();
            let numbers = numbers(decoder, descriptor.format, n, false).map_err(coded)?;
            Ok(Decoded::Dense { numbers, mask: weights.mask })
        }
        Form::Dense => {
            let numbers = numbers(decoder, descriptor.format, param.len(), false).map_err(coded)?;
            Ok(Decoded::Dense { numbers, mask: None })
        }
    }
}

/// A list of values; one that `ascends` was written as such, unless its scale is not positive.
fn numbers(
    decoder: &mut StreamDecoder<'_>,
    format: NumberFormat,
    n: usize,
    ascends: bool,
) -> Result<Numbers, EntropyError> {
    Ok(match format {
        NumberFormat::F32 => {
            let mut values = vec![0.0; n];
            if ascends { decoder.codebook_f32(&mut values) } else { decoder.numbers_f32(&mut values) }?;
            Numbers::F32(values)
        }
        NumberFormat::F16 => {
            let mut bits = vec![0; n];
            if ascends { decoder.codebook_f16(&mut bits) } else { decoder.numbers_f16(&mut bits) }?;
            Numbers::F16(bits)
        }
        NumberFormat::Scaled => {
            let mut scale = [0.0];
            decoder.numbers_f32(&mut scale)?;
            let [scale] = scale;
            let mut integers = vec![0; n];
            let ascends = ascends && scale > 0.0;
            if ascends { decoder.codebook_int(&mut integers) } else { decoder.numbers_int(&mut integers) }?;
            Numbers::Scaled { scale, integers }
        }
    })
}

/// Weights to be filled in, shaped as the coders see a parameter: `[rows, channels, taps]`.
pub(crate) fn target(
    param: &Param,
    descriptor: &Descriptor,
    codebook: &Numbers,
    at: usize,
) -> Result<MaskedCodesBuf, FormatError> {
    MaskedCodesBuf::new(
        coder_shape(&param.shape),
        descriptor.is_masked,
        codebook.len(),
        codebook.n_negative(),
    )
    .map(|weights| weights.with_block(descriptor.block).with_trellis(descriptor.trellis))
    .map_err(|e| FormatError::coded(e, at))
}
