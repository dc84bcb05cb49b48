//! A stream that says how one edition of a network follows from another: weights beside the weights before, numbers by
//! their differences, bytes by what they are like.
//!
//! The same calls write and read: a writer is given the values and leaves them, a reader overwrites them.

use super::{
    binary::{Coder, Decoder, Encoder},
    bytes::ByteModel,
    cells::{Source, Target},
    counter::Counter,
    edition::{EditionModel, Expected, First, Next},
    numbers::{Float, HALF, NumberModel, Role, SINGLE},
    permutation::PermutationModel,
    stream::Hints,
    walk::WeightModel,
};
use crate::{EntropyError, Isa, MaskedCodesBuf};
use alloc::{boxed::Box, vec::Vec};

/// A patch's stream, being written or read.
///
/// No bytes make a reader panic; broken ones are an error at the latest in [`PatchStream::finish`], or other values.
#[derive(Debug, Clone)]
pub struct PatchStream<'a> {
    side: Side<'a>,
    weights: Box<WeightModel>,
    edition: Box<EditionModel>,
    numbers: NumberModel,
    /// Numbers by their differences.
    steps: NumberModel,
    bytes: ByteModel,
    permutation: PermutationModel,
    flags: [Counter; N_FLAGS],
}

/// Kinds of flags that are coded apart.
const N_FLAGS: usize = 8;
/// Whether numbers are coded by their differences.
const BY_DIFFERENCE: usize = N_FLAGS - 1;

#[derive(Debug, Clone)]
enum Side<'a> {
    Writer(Encoder),
    Reader(Decoder<'a>),
}

impl Default for Side<'_> {
    fn default() -> Self {
        Self::Writer(Encoder::new())
    }
}

impl Coder for Side<'_> {
    fn code(&mut self, bit: bool, p1: u32) -> bool {
        match self {
            Self::Writer(coder) => coder.code(bit, p1),
            Self::Reader(coder) => coder.code(bit, p1),
        }
    }
    fn check(&self) -> Result<(), EntropyError> {
        match self {
            Self::Writer(_) => Ok(()),
            Self::Reader(coder) => coder.check(),
        }
    }
}

impl Side<'_> {
    fn is_reader(&self) -> bool {
        matches!(self, Self::Reader(_))
    }

    fn wrong(&self, problem: &'static str) -> EntropyError {
        match self {
            Self::Writer(_) => EntropyError::weights(problem),
            Self::Reader(coder) => coder.wrong("E-6", problem),
        }
    }
}

impl<'a> PatchStream<'a> {
    /// An empty stream.
    pub fn writer() -> Self {
        Self::over(Side::Writer(Encoder::new()))
    }

    /// Over exactly the bytes of one.
    pub fn reader(bytes: &'a [u8]) -> Self {
        Self::over(Side::Reader(Decoder::new(bytes)))
    }

    fn over(side: Side<'a>) -> Self {
        Self {
            side,
            weights: Box::new(WeightModel::new()),
            edition: Box::new(EditionModel::new()),
            numbers: NumberModel::new(),
            steps: NumberModel::new(),
            bytes: ByteModel::new(),
            permutation: PermutationModel::new(),
            flags: [Counter::NEW; N_FLAGS],
        }
    }

    /// Whether it is being read.
    pub fn is_reader(&self) -> bool {
        self.side.is_reader()
    }

    /// A yes or no; `kind` (0 to 6) are coded apart.
    pub fn flag(&mut self, kind: usize, yes: bool) -> bool {
        let counter = &mut self.flags[kind % N_FLAGS];
        let yes = self.side.code(yes, (counter.p() >> 6).clamp(1, 65535));
        counter.learn(yes, 60);
        yes
    }

    /// A whole number of up to 32 bits; small ones are cheap.
    ///
    /// Errors: [`EntropyError::Stream`] where the bytes end too early; so do all the others.
    pub fn integer(&mut self, number: u32) -> Result<u32, EntropyError> {
        let read = self.steps.integers(Role::Codebook).unsigned(&mut self.side, u64::from(number));
        self.side.check()?;
        u32::try_from(read).map_err(|_| self.side.wrong("an integer is too large"))
    }

    /// Bytes; what they are like is known to both sides.
    pub fn bytes(&mut self, bytes: &mut [u8], like: &[u8]) -> Result<(), EntropyError> {
        self.bytes.code(&mut self.side, bytes, like);
        self.side.check()
    }

    /// A permutation of 0 to its length less 1.
    pub fn permutation(&mut self, order: &mut [u32]) -> Result<(), EntropyError> {
        self.permutation.code(&mut self.side, order);
        self.side.check()
    }

    /// Numbers, beside those expected; of finite ones.
    ///
    /// Errors: also where the two have not the same length.
    pub fn numbers_f32(&mut self, numbers: &mut [f32], expected: Option<&[f32]>) -> Result<(), EntropyError> {
        let mut bits: Vec<u32> = numbers.iter().map(|n| n.to_bits()).collect();
        let expected: Option<Vec<u32>> = expected.map(|e| e.iter().map(|n| n.to_bits()).collect());
        self.floats(SINGLE, &mut bits, expected.as_deref())?;
        numbers.iter_mut().zip(bits).for_each(|(number, bits)| *number = f32::from_bits(bits));
        Ok(())
    }

    /// The same for the bits of half-precision numbers.
    pub fn numbers_f16(&mut self, numbers: &mut [u16], expected: Option<&[u16]>) -> Result<(), EntropyError> {
        let mut bits: Vec<u32> = numbers.iter().map(|&n| u32::from(n)).collect();
        let expected: Option<Vec<u32>> = expected.map(|e| e.iter().map(|&n| u32::from(n)).collect());
        self.floats(HALF, &mut bits, expected.as_deref())?;
        numbers.iter_mut().zip(bits).for_each(|(number, bits)| *number = bits as u16);
        Ok(())
    }

    /// The same for whole numbers.
    pub fn numbers_int(&mut self, numbers: &mut [i32], expected: Option<&[i32]>) -> Result<(), EntropyError> {
        let expected = self.checked(numbers.len(), expected)?;
        let size = |n: i64| 2 * u64::from(64 - n.unsigned_abs().leading_zeros()) + 1;
        let pays = expected.is_some_and(|expected| {
            let sizes = numbers.iter().zip(expected).map(|(&n, &e)| size(i64::from(n) - i64::from(e)));
            let fits = numbers.iter().zip(expected).all(|(&n, &e)| fits(i64::from(n) - i64::from(e)));
            fits && sizes.sum::<u64>() <= numbers.iter().map(|&n| size(i64::from(n))).sum()
        });
        let expected = expected.filter(|_| self.flag(BY_DIFFERENCE, pays));
        let model = if expected.is_some() { &mut self.steps } else { &mut self.numbers };
        let mut integers = model.integers(Role::Plain);
        for (i, number) in numbers.iter_mut().enumerate() {
            let expected = expected.map_or(0, |e| i64::from(e[i]));
            let read = expected + integers.signed(&mut self.side, i64::from(*number) - expected);
            self.side.check()?;
            *number = i32::try_from(read).map_err(|_| self.side.wrong("an integer is too large"))?;
        }
        Ok(())
    }

    /// Mask and codes of one layer, beside what is expected of them.
    /// Shape, levels and presence of a mask are given.
    ///
    /// Errors: also [`EntropyError::Weights`] where those, the hints or what is expected are not valid.
    pub fn weights(
        &mut self,
        weights: &mut MaskedCodesBuf,
        hints: Hints<'_>,
        expected: Option<Expected<'_>>,
    ) -> Result<(), EntropyError> {
        // Beside an earlier edition a trellis says little: codes are told apart among all levels.
        let trellis = core::mem::take(&mut weights.trellis);
        let coded = self.codes(weights, hints, expected);
        weights.trellis = trellis;
        coded
    }

    fn codes(
        &mut self,
        weights: &mut MaskedCodesBuf,
        hints: Hints<'_>,
        expected: Option<Expected<'_>>,
    ) -> Result<(), EntropyError> {
        if self.is_reader() {
            weights.clear();
        }
        let view = weights.view();
        view.validate()?;
        hints.check(view)?;
        expected.map_or(Ok(()), |expected| expected.check(view))?;
        let (models, isa) = (&mut *self.weights, Isa::best());
        match (&mut self.side, expected) {
            (Side::Writer(coder), None) => {
                models.code_edition(isa, coder, &mut Source(&view), hints, &mut First)
            }
            (Side::Writer(coder), Some(before)) => {
                let mut next = Next::new(&mut self.edition, before);
                models.code_edition(isa, coder, &mut Source(&view), hints, &mut next)
            }
            (Side::Reader(coder), None) => {
                models.code_edition(isa, coder, &mut Target(weights), hints, &mut First)
            }
            (Side::Reader(coder), Some(before)) => {
                let mut next = Next::new(&mut self.edition, before);
                models.code_edition(isa, coder, &mut Target(weights), hints, &mut next)
            }
        }
    }

    /// The bytes of a writer; of a reader none, and a check that the stream ends exactly here.
    pub fn finish(self) -> Result<Vec<u8>, EntropyError> {
        match self.side {
            Side::Writer(coder) => Ok(coder.finish()),
            Side::Reader(coder) => coder.finish().map(|()| Vec::new()),
        }
    }

    fn checked<'e, T>(&self, n: usize, expected: Option<&'e [T]>) -> Result<Option<&'e [T]>, EntropyError> {
        match expected {
            Some(expected) if expected.len() != n => {
                Err(EntropyError::weights("as many numbers as are expected"))
            }
            // An empty list takes no bits.
            _ => Ok(expected.filter(|_| n > 0)),
        }
    }

    fn floats(
        &mut self,
        float: Float,
        numbers: &mut [u32],
        expected: Option<&[u32]>,
    ) -> Result<(), EntropyError> {
        let expected = self.checked(numbers.len(), expected)?;
        if numbers.is_empty() {
            return Ok(());
        }
        let spare = float.spare(numbers.iter().copied());
        let pays = expected.is_some_and(|expected| difference_pays(float, numbers, expected, spare));
        let expected = expected.filter(|_| self.flag(BY_DIFFERENCE, pays));
        let model = if expected.is_some() { &mut self.steps } else { &mut self.numbers };
        let mut floats = model.floats(Role::Plain, float);
        let spare = floats.spare(&mut self.side, spare);
        if spare > float.significand() {
            return Err(self.side.wrong("more bits are spared than there are"));
        }
        let Some(expected) = expected else {
            for number in numbers {
                *number = floats.code(&mut self.side, *number);
                self.side.check()?;
            }
            return Ok(());
        };
        let mut integers = self.steps.integers(Role::Plain);
        for (number, &expected) in numbers.iter_mut().zip(expected) {
            let expected = float.step(expected, spare);
            let read = expected + integers.signed(&mut self.side, float.step(*number, spare) - expected);
            self.side.check()?;
            let rank = read.checked_mul(1 << spare).and_then(|rank| float.number(rank));
            *number = rank.ok_or_else(|| self.side.wrong("a number is too large"))?;
        }
        Ok(())
    }
}

/// Whether differences are smaller than the numbers, and can be coded: minus zero has none.
fn difference_pays(float: Float, numbers: &[u32], expected: &[u32], spare: u32) -> bool {
    let bits = |n: i64| u64::from(64 - n.unsigned_abs().leading_zeros());
    let steps = || numbers.iter().zip(expected).map(|(&n, &e)| float.step(n, spare) - float.step(e, spare));
    let sizes: u64 = steps().map(|step| 1 + 3 * bits(step) / 2).sum();
    let can_be = numbers.iter().all(|&n| float.rank(n).is_some()) && steps().all(fits);
    can_be && sizes <= numbers.len() as u64 * float.bits(spare)
}

/// Whether a difference has 32 bits at most.
fn fits(difference: i64) -> bool {
    difference.unsigned_abs() <= u64::from(u32::MAX)
}
