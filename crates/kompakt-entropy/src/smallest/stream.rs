//! A stream: tensors and number vectors in one arithmetic code, under models that live as long as the stream.

use super::{
    binary::{Coder, Decoder, Encoder},
    cells::{Cells, Source, Target},
    numbers::{Float, HALF, NumberModel, Role, SINGLE},
    primer,
    quick::QuickModel,
    walk::WeightModel,
};
use crate::{EntropyError, Isa, MaskedCodes, MaskedCodesBuf};
use alloc::{boxed::Box, vec::Vec};

/// The maximum number of rows, and of weights in a row.
pub const MAX_DIM: usize = 1 << 28;

const NOT_ASCENDING: EntropyError = EntropyError::weights("the codebook does not ascend");

/// Information from the graph about a tensor, beyond its shape. Writer and reader must be given the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints<'a> {
    /// For every input channel, how many weights the unit that makes it has kept; `[channels]`.
    pub producer: Option<&'a [u32]>,
    /// Height and width of the image that a row represents: the kernel's for a convolution (`height * width
    /// == taps`), the image's for a linear layer that reads a flattened one (`channels` is a multiple of
    /// `height * width`).
    pub grid: Option<(usize, usize)>,
}

impl Hints<'_> {
    pub(super) fn check(&self, weights: MaskedCodes<'_>) -> Result<(), EntropyError> {
        if weights.rows > MAX_DIM || weights.row_len() > MAX_DIM {
            return Err(EntropyError::weights("more than 2^28 rows, or weights in a row"));
        }
        if self.producer.is_some_and(|p| p.len() != weights.channels) {
            return Err(EntropyError::weights("the producer's counts are not one a channel"));
        }
        let fits = |(height, width): (usize, usize)| match height.checked_mul(width) {
            None | Some(0) => false,
            Some(area) if weights.taps > 1 => area == weights.taps,
            Some(area) => weights.channels.is_multiple_of(area),
        };
        if self.grid.is_some_and(|grid| !fits(grid)) {
            return Err(EntropyError::weights("the grid does not divide a row"));
        }
        Ok(())
    }
}

/// All models of a stream.
#[derive(Debug, Clone)]
struct Models {
    weights: WeightModels,
    numbers: NumberModel,
}

#[derive(Debug, Clone)]
enum WeightModels {
    Rich(Box<WeightModel>),
    Quick(QuickModel),
}

impl Models {
    fn rich() -> Self {
        Self { weights: WeightModels::Rich(Box::new(WeightModel::new())), numbers: NumberModel::new() }
    }

    fn quick() -> Self {
        Self { weights: WeightModels::Quick(QuickModel::new()), numbers: NumberModel::new() }
    }
}

impl WeightModels {
    fn code<C: Coder, D: Cells>(
        &mut self,
        isa: Isa,
        coder: &mut C,
        cells: &mut D,
        hints: Hints<'_>,
    ) -> Result<(), EntropyError> {
        match self {
            Self::Rich(models) => models.code(isa, coder, cells, hints),
            Self::Quick(models) => models.code(isa, coder, cells, hints),
        }
    }
}

/// Writes a stream. A reader must know what was written, and in which order.
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
    /// An empty stream whose weights have rich models: the fewest bytes, for networks of up to some millions of weights.
    pub fn new() -> Self {
        Self { coder: Encoder::new(), models: Models::rich() }
    }

    /// An empty stream whose weights have quick models: for tensors of 100,000 weights and more about as few bytes, in
    /// a third of the time. The reader must be told.
    pub fn quick() -> Self {
        Self { coder: Encoder::new(), models: Models::quick() }
    }

    /// A stream that begins with these bytes, a directory, whose models have read the primer: the fewest bytes for a small network.
    /// The reader must be told, and know from the bytes themselves where they end.
    pub fn compact(head: &[u8]) -> Self {
        let (mut model, numbers) = primer::primed();
        let mut coder = Encoder::new();
        for &byte in head {
            model.byte(&mut coder, byte);
        }
        Self { coder, models: Models { numbers, ..Models::rich() } }
    }

    /// Writes one layer's mask and codes; shape and levels are not written.
    ///
    /// Errors: [`EntropyError::Weights`] if weights or hints are not valid; nothing is written then.
    pub fn weights(&mut self, weights: &MaskedCodes<'_>, hints: Hints<'_>) -> Result<(), EntropyError> {
        weights.validate()?;
        if weights.trellis && !weights.follows_trellis() {
            return Err(EntropyError::weights("the codes do not follow the trellis"));
        }
        hints.check(*weights)?;
        self.models.weights.code(Isa::best(), &mut self.coder, &mut Source(weights), hints)
    }

    /// Writes numbers, bit by bit the same when read: zeros keep their sign and NaNs their payload.
    pub fn numbers_f32(&mut self, numbers: &[f32]) {
        self.floats(Role::Plain, SINGLE, numbers.iter().map(|n| n.to_bits()));
    }

    /// Writes the bits of half-precision numbers.
    pub fn numbers_f16(&mut self, numbers: &[u16]) {
        self.floats(Role::Plain, HALF, numbers.iter().map(|&n| u32::from(n)));
    }

    /// Writes whole numbers; small ones are cheap.
    pub fn numbers_int(&mut self, numbers: &[i32]) {
        let mut integers = self.models.numbers.integers(Role::Plain);
        for &number in numbers {
            integers.signed(&mut self.coder, i64::from(number));
        }
    }

    /// As [`Self::numbers_f32`], for numbers that ascend: cheaper from about 32 on.
    ///
    /// Errors: [`EntropyError::Weights`] if one is not larger than the one before, or is minus zero; nothing is
    /// written then.
    pub fn codebook_f32(&mut self, numbers: &[f32]) -> Result<(), EntropyError> {
        self.codebook(SINGLE, numbers.iter().map(|n| n.to_bits()))
    }

    /// As [`Self::codebook_f32`], for half-precision numbers.
    pub fn codebook_f16(&mut self, numbers: &[u16]) -> Result<(), EntropyError> {
        self.codebook(HALF, numbers.iter().map(|&n| u32::from(n)))
    }

    /// Writes whole numbers that ascend.
    ///
    /// Errors: [`EntropyError::Weights`] if one is not larger than the one before; nothing is written then.
    pub fn codebook_int(&mut self, numbers: &[i32]) -> Result<(), EntropyError> {
        if !numbers.is_sorted_by(|a, b| a < b) {
            return Err(NOT_ASCENDING);
        }
        let mut integers = self.models.numbers.integers(Role::Codebook);
        for (i, &number) in numbers.iter().enumerate() {
            match i {
                0 => _ = integers.signed(&mut self.coder, i64::from(number)),
                _ => _ = integers.unsigned(&mut self.coder, u64::from(number.abs_diff(numbers[i - 1])) - 1),
            }
        }
        Ok(())
    }

    fn codebook(
        &mut self,
        float: Float,
        numbers: impl ExactSizeIterator<Item = u32> + Clone,
    ) -> Result<(), EntropyError> {
        let ranks: Option<Vec<i64>> = numbers.clone().map(|bits| float.rank(bits)).collect();
        let ranks = ranks.filter(|ranks| ranks.is_sorted_by(|a, b| a < b)).ok_or(NOT_ASCENDING)?;
        if ranks.is_empty() {
            return Ok(());
        }
        let mut floats = self.models.numbers.floats(Role::Codebook, float);
        floats.spare(&mut self.coder, float.spare(numbers.clone()));
        for first in numbers.take(1) {
            floats.code(&mut self.coder, first);
        }
        for pair in ranks.windows(2) {
            floats.gap(&mut self.coder, pair[1] - pair[0]);
        }
        Ok(())
    }

    fn floats(&mut self, role: Role, float: Float, numbers: impl ExactSizeIterator<Item = u32> + Clone) {
        if numbers.len() > 0 {
            let mut floats = self.models.numbers.floats(role, float);
            floats.spare(&mut self.coder, float.spare(numbers.clone()));
            for number in numbers {
                floats.code(&mut self.coder, number);
            }
        }
    }

    /// The bytes. An empty stream has none.
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
    isa: Isa,
}

impl<'a> StreamDecoder<'a> {
    /// Over exactly the bytes of one stream, written with rich models.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { coder: Decoder::new(bytes), models: Models::rich(), isa: Isa::best() }
    }

    /// The same, written with quick models.
    pub fn quick(bytes: &'a [u8]) -> Self {
        Self { coder: Decoder::new(bytes), models: Models::quick(), isa: Isa::best() }
    }

    /// The same, begun with bytes: reads them, up to the one for which `is_last` returns true.
    ///
    /// Errors: [`EntropyError::Stream`] where the stream ends before, or (rule F-30 of the container) there are more than `most` bytes.
    pub fn compact(
        bytes: &'a [u8],
        most: usize,
        mut is_last: impl FnMut(u8) -> bool,
    ) -> Result<(Self, Vec<u8>), EntropyError> {
        let (mut model, numbers) = primer::primed();
        let (mut coder, mut head) = (Decoder::new(bytes), Vec::new());
        loop {
            if head.len() == most {
                return Err(coder.wrong("F-30", "the head of a compact stream is too long"));
            }
            let byte = model.byte(&mut coder, 0);
            coder.check()?;
            head.push(byte);
            if is_last(byte) {
                break;
            }
        }
        let models = Models { numbers, ..Models::rich() };
        Ok((Self { coder, models, isa: Isa::best() }, head))
    }

    /// The same on that instruction set, instead of the best.
    pub fn on(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// Reads into `weights`, whose shape, levels and presence of a mask are given.
    ///
    /// Errors: [`EntropyError::Weights`] if those or the hints are not valid; [`EntropyError::Stream`] where the
    /// bytes end too early.
    pub fn weights(&mut self, weights: &mut MaskedCodesBuf, hints: Hints<'_>) -> Result<(), EntropyError> {
        weights.clear();
        weights.view().validate()?;
        hints.check(weights.view())?;
        self.models.weights.code(self.isa, &mut self.coder, &mut Target(weights), hints)
    }

    /// Reads numbers.
    ///
    /// Errors: [`EntropyError::Stream`] where the bytes end too early or no writer would have written them; so do
    /// all the others.
    pub fn numbers_f32(&mut self, numbers: &mut [f32]) -> Result<(), EntropyError> {
        self.floats(Role::Plain, SINGLE, numbers.iter_mut(), |number, bits| *number = f32::from_bits(bits))
    }

    /// Reads the bits of half-precision numbers.
    pub fn numbers_f16(&mut self, numbers: &mut [u16]) -> Result<(), EntropyError> {
        self.floats(Role::Plain, HALF, numbers.iter_mut(), |number, bits| *number = bits as u16)
    }

    /// Reads whole numbers.
    pub fn numbers_int(&mut self, numbers: &mut [i32]) -> Result<(), EntropyError> {
        let mut integers = self.models.numbers.integers(Role::Plain);
        for number in numbers {
            let read = integers.signed(&mut self.coder, 0);
            *number = i32::try_from(read).map_err(|_| self.coder.wrong("A-5", "an integer is too large"))?;
            self.coder.check()?;
        }
        Ok(())
    }

    /// Reads numbers that were written as a codebook.
    pub fn codebook_f32(&mut self, numbers: &mut [f32]) -> Result<(), EntropyError> {
        self.floats(Role::Codebook, SINGLE, numbers.iter_mut(), |number, bits| *number = f32::from_bits(bits))
    }

    /// Reads half-precision numbers that were written as a codebook.
    pub fn codebook_f16(&mut self, numbers: &mut [u16]) -> Result<(), EntropyError> {
        self.floats(Role::Codebook, HALF, numbers.iter_mut(), |number, bits| *number = bits as u16)
    }

    /// Reads whole numbers that were written as a codebook: they ascend.
    pub fn codebook_int(&mut self, numbers: &mut [i32]) -> Result<(), EntropyError> {
        let mut integers = self.models.numbers.integers(Role::Codebook);
        let mut last = None;
        for number in numbers {
            let read = match last {
                None => integers.signed(&mut self.coder, 0),
                Some(last) => i64::from(last) + 1 + integers.unsigned(&mut self.coder, 0) as i64,
            };
            *number = i32::try_from(read).map_err(|_| self.coder.wrong("A-5", "an integer is too large"))?;
            last = Some(*number);
            self.coder.check()?;
        }
        Ok(())
    }

    fn floats<'n, T: 'n>(
        &mut self,
        role: Role,
        float: Float,
        numbers: impl ExactSizeIterator<Item = &'n mut T>,
        set: impl Fn(&mut T, u32),
    ) -> Result<(), EntropyError> {
        let is_codebook = role == Role::Codebook;
        if numbers.len() == 0 {
            return Ok(());
        }
        let mut floats = self.models.numbers.floats(role, float);
        let spare = floats.spare(&mut self.coder, 0);
        let mut all = 0;
        let mut last: Option<i64> = None;
        for number in numbers {
            let bits = match last {
                // Plain, or the first.
                None => Some(floats.code(&mut self.coder, 0)),
                Some(last) => float.number(last + floats.gap(&mut self.coder, 0)),
            };
            self.coder.check()?;
            let bits = bits.ok_or_else(|| self.coder.wrong("A-5", "a number is too large"))?;
            if is_codebook {
                let rank = float.rank(bits);
                last = Some(rank.ok_or_else(|| self.coder.wrong("A-6", "a codebook with a minus zero"))?);
            }
            all |= bits;
            set(number, bits);
        }
        if float.spare(core::iter::once(all)) != spare {
            return Err(self.coder.wrong("A-4", "the spared bits are not all those that are 0"));
        }
        Ok(())
    }

    /// Checks that the stream ends exactly here.
    pub fn finish(self) -> Result<(), EntropyError> {
        self.coder.finish()
    }
}
