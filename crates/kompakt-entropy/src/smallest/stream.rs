//! A stream: tensors and number vectors in one arithmetic code, under models that live as long as the stream.

use super::{
    binary::{Coder as _, Decoder, Encoder},
    cells::{Source, Target},
    map::WeightModel,
    numbers::NumberModel,
};
use crate::{EntropyError, Weights, WeightsBuf};
use alloc::vec::Vec;

/// What the graph tells about a tensor beyond its shape. Writer and reader must be given the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints<'a> {
    /// For every input channel, how many weights the unit that makes it has kept; `[channels]`.
    pub producer: Option<&'a [u32]>,
    /// Height and width of the picture that a row is: the kernel's for a convolution (`height * width == taps`),
    /// the image's for a linear layer that reads a flattened one (`channels` is a multiple of `height * width`).
    pub grid: Option<(usize, usize)>,
}

impl Hints<'_> {
    fn check(&self, weights: Weights<'_>) -> Result<(), EntropyError> {
        if self.producer.is_some_and(|p| p.len() != weights.channels) {
            return Err(EntropyError::Weights { problem: "the producer's counts are not one a channel" });
        }
        let fits = |(height, width): (usize, usize)| match height.checked_mul(width) {
            None | Some(0) => false,
            Some(area) if weights.taps > 1 => area == weights.taps,
            Some(area) => weights.channels.is_multiple_of(area),
        };
        if self.grid.is_some_and(|grid| !fits(grid)) {
            return Err(EntropyError::Weights { problem: "the grid does not divide a row" });
        }
        Ok(())
    }
}

/// Every model of a stream.
#[derive(Debug, Clone)]
struct Models {
    weights: WeightModel,
    numbers: NumberModel,
}

impl Models {
    fn new() -> Self {
        Self { weights: WeightModel::new(), numbers: NumberModel::new() }
    }
}

/// Writes a stream. What is written, and in which order, a reader has to know.
#[derive(Debug, Clone)]
pub struct StreamEncoder {
    coder: Encoder,
    models: Models,
}

impl Default for StreamEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamEncoder {
    /// An empty stream.
    pub fn new() -> Self {
        Self { coder: Encoder::new(), models: Models::new() }
    }

    /// Writes one layer's mask and codes; shape and levels are not written.
    ///
    /// Errors: [`EntropyError::Weights`] if weights or hints are not valid; nothing is written then.
    pub fn weights(&mut self, weights: &Weights<'_>, hints: Hints<'_>) -> Result<(), EntropyError> {
        weights.validate()?;
        hints.check(*weights)?;
        self.models.weights.code(&mut self.coder, &mut Source(weights), hints)
    }

    /// Writes numbers, bit by bit the same when read: zeros keep their sign and NaNs their payload.
    pub fn numbers_f32(&mut self, numbers: &[f32]) {
        for &number in numbers {
            self.models.numbers.float::<_, 8, 23>(&mut self.coder, number.to_bits());
        }
    }

    /// Writes the bits of half-precision numbers.
    pub fn numbers_f16(&mut self, numbers: &[u16]) {
        for &number in numbers {
            self.models.numbers.float::<_, 5, 10>(&mut self.coder, u32::from(number));
        }
    }

    /// Writes whole numbers; small ones are cheap.
    pub fn numbers_int(&mut self, numbers: &[i32]) {
        for &number in numbers {
            self.models.numbers.integer(&mut self.coder, number);
        }
    }

    /// The bytes. An empty stream is none.
    pub fn finish(self) -> Vec<u8> {
        self.coder.finish()
    }
}

/// Reads a stream. No bytes make it panic; broken ones are an error at the latest in [`StreamDecoder::finish`],
/// or (rarely: other than by a checksum, not every change can be noticed) are other numbers.
#[derive(Debug, Clone)]
pub struct StreamDecoder<'a> {
    coder: Decoder<'a>,
    models: Models,
}

impl<'a> StreamDecoder<'a> {
    /// Over exactly the bytes of one stream.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { coder: Decoder::new(bytes), models: Models::new() }
    }

    /// Reads into `weights`, whose shape, levels and presence of a mask are given.
    ///
    /// Errors: [`EntropyError::Weights`] if those or the hints are not valid; [`EntropyError::Stream`] where the
    /// bytes end too early.
    pub fn weights(&mut self, weights: &mut WeightsBuf, hints: Hints<'_>) -> Result<(), EntropyError> {
        weights.clear();
        weights.view().validate()?;
        hints.check(weights.view())?;
        self.models.weights.code(&mut self.coder, &mut Target(weights), hints)
    }

    /// Reads numbers.
    pub fn numbers_f32(&mut self, numbers: &mut [f32]) -> Result<(), EntropyError> {
        for number in numbers {
            *number = f32::from_bits(self.models.numbers.float::<_, 8, 23>(&mut self.coder, 0));
            self.coder.check()?;
        }
        Ok(())
    }

    /// Reads the bits of half-precision numbers.
    pub fn numbers_f16(&mut self, numbers: &mut [u16]) -> Result<(), EntropyError> {
        for number in numbers {
            *number = self.models.numbers.float::<_, 5, 10>(&mut self.coder, 0) as u16;
            self.coder.check()?;
        }
        Ok(())
    }

    /// Reads whole numbers.
    pub fn numbers_int(&mut self, numbers: &mut [i32]) -> Result<(), EntropyError> {
        for number in numbers {
            *number = self.models.numbers.integer(&mut self.coder, 0);
            self.coder.check()?;
        }
        Ok(())
    }

    /// Checks that the stream ends exactly here.
    pub fn finish(self) -> Result<(), EntropyError> {
        self.coder.finish()
    }
}
