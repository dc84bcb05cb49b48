//! The binary arithmetic coder: one bit at a time, at a probability of 16 bits.
//!
//! A stream is one number `v` in `[0, 1)`, written as bytes, most significant first. Coding a bit splits the
//! current interval `[low, low + range)` in proportion to its probability and keeps one part:
//!
//! ```text
//! low                    low + split                 low + range
//!  ├────── bit = 1 ──────┼────────── bit = 0 ─────────┤        split = (range >> 16) * p1
//! ```
//!
//! `low` and `range` are kept as 56-bit integers; a byte is shifted out whenever `range` falls below 2^48. The
//! end is exact: `v` is the number in the last interval with the fewest bytes, and a reader refuses any other.

use super::tables::prepare;
use crate::EntropyError;
use alloc::vec::Vec;

/// Bits of the window that `low` and `range` live in.
const WINDOW: u32 = 56;
/// `range` never stays below this.
const LEAST: u64 = 1 << (WINDOW - 8);
/// Probabilities are in units of `1 / 65536`.
pub(crate) const PROBABILITY_BITS: u32 = 16;

/// Codes bits: the writer and the reader of a stream share every model through it.
pub(crate) trait Coder: Default {
    /// Codes one bit; `p1` is the probability of a one, 1 to 65535. A writer codes `bit` and returns it; a
    /// reader ignores `bit` and returns the bit that it read.
    fn code(&mut self, bit: bool, p1: u32) -> bool;

    /// Errors once a reader has used more bytes than there are.
    fn check(&self) -> Result<(), EntropyError>;
}

/// The writing side.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    /// Below 2^56.
    low: u64,
    /// 2^48 to 2^56 between two bits.
    range: u64,
    out: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    pub(crate) fn new() -> Self {
        prepare();
        Self { low: 0, range: 1 << WINDOW, out: Vec::new() }
    }

    /// The complete stream.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let (last, n_bytes) = shortest(self.low, self.range);
        self.low = last;
        self.carry();
        for _ in 0..n_bytes {
            self.shift();
        }
        self.out
    }

    /// Moves what `low` has above the window into the bytes already written.
    fn carry(&mut self) {
        if self.low >> WINDOW != 0 {
            self.low &= (1 << WINDOW) - 1;
            for byte in self.out.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
    }

    fn shift(&mut self) {
        self.out.push((self.low >> (WINDOW - 8)) as u8);
        self.low = (self.low << 8) & ((1 << WINDOW) - 1);
    }
}

impl Coder for Encoder {
    #[inline(always)]
    fn code(&mut self, bit: bool, p1: u32) -> bool {
        let split = (self.range >> PROBABILITY_BITS) * u64::from(p1);
        if bit {
            self.range = split;
        } else {
            self.low += split;
            self.range -= split;
            self.carry();
        }
        while self.range < LEAST {
            self.shift();
            self.range <<= 8;
        }
        bit
    }

    fn check(&self) -> Result<(), EntropyError> {
        Ok(())
    }
}

/// The number in `[low, low + range)` that needs the fewest bytes, and how many of the window it needs (0 or 1).
fn shortest(low: u64, range: u64) -> (u64, usize) {
    for n_bytes in 0..2 {
        let unit = 1_u64 << (WINDOW - 8 * n_bytes);
        let number = low.div_ceil(unit) * unit;
        if number < low + range {
            return (number, n_bytes as usize);
        }
    }
    unreachable!("range is at least 2^48, so a multiple of 2^48 is within it")
}

/// The reading side.
#[derive(Debug, Clone)]
pub(crate) struct Decoder<'a> {
    /// `v - low` in the window; below `range`, but for a broken stream.
    code: u64,
    /// 2^48 to 2^56 between two bits.
    range: u64,
    /// How many bytes have left the window.
    n_shifted: usize,
    bytes: &'a [u8],
}

impl Default for Decoder<'_> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        prepare();
        let mut decoder = Self { code: 0, range: 1 << WINDOW, n_shifted: 0, bytes };
        decoder.code = decoder.window();
        decoder
    }

    /// The seven bytes from `n_shifted` on as a number; zeros follow the last byte.
    fn window(&self) -> u64 {
        (0..7).fold(0, |sum, i| (sum << 8) | self.byte(self.n_shifted.saturating_add(i)))
    }

    #[inline(always)]
    fn byte(&self, index: usize) -> u64 {
        self.bytes.get(index).copied().map_or(0, u64::from)
    }

    /// An error at the byte that is about to be used up.
    #[inline(always)]
    pub(crate) fn wrong(&self, rule: &'static str, problem: &'static str) -> EntropyError {
        EntropyError::stream(self.n_shifted.min(self.bytes.len()), rule, problem)
    }

    /// Checks that the stream ends here, and in the one way in which it may.
    pub(crate) fn finish(&self) -> Result<(), EntropyError> {
        self.check()?;
        let wrong = |problem| Err(EntropyError::stream(self.bytes.len(), "A-3", problem));
        // `v` may have carried out of the window: then `low` lies below it.
        let (low, last) = match self.window().checked_sub(self.code) {
            Some(low) => (low, self.window()),
            None => (self.window() + (1 << WINDOW) - self.code, self.window() + (1 << WINDOW)),
        };
        let (expected, n_bytes) = shortest(low, self.range);
        if self.bytes.len() != self.n_shifted + n_bytes {
            return wrong("there are more or fewer bytes than the stream needs");
        }
        if last != expected { wrong("the final state is not the one a writer leaves") } else { Ok(()) }
    }
}

impl Coder for Decoder<'_> {
    #[inline(always)]
    fn code(&mut self, _: bool, p1: u32) -> bool {
        let split = (self.range >> PROBABILITY_BITS) * u64::from(p1);
        let bit = self.code < split;
        if bit {
            self.range = split;
        } else {
            self.code -= split;
            self.range -= split;
        }
        while self.range < LEAST {
            self.code = (self.code << 8) | self.byte(self.n_shifted + 7);
            self.n_shifted += 1;
            self.range <<= 8;
        }
        bit
    }

    fn check(&self) -> Result<(), EntropyError> {
        if self.n_shifted <= self.bytes.len() {
            return Ok(());
        }
        Err(self.wrong("A-2", "the stream ends too early"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every string of up to 12 bits at lopsided probabilities comes back, and only from its own bytes.
    #[test]
    fn small_space_round_trip() {
        for p1 in [1, 300, 32768, 65000, 65535] {
            for n_bits in 0..=12_u32 {
                for word in 0..1_u32 << n_bits {
                    let bits = (0..n_bits).map(|i| word >> i & 1 == 1);
                    let mut encoder = Encoder::new();
                    bits.clone().for_each(|bit| assert_eq!(encoder.code(bit, p1), bit));
                    let bytes = encoder.finish();
                    let mut decoder = Decoder::new(&bytes);
                    bits.for_each(|bit| assert_eq!(decoder.code(false, p1), bit));
                    decoder.finish().unwrap();
                }
            }
        }
    }

    /// Whatever bytes a reader accepts are the ones that a writer makes of what was read.
    #[test]
    fn accepted_bytes_are_canonical() {
        arbtest::arbtest(|u| {
            let bytes: Vec<u8> = u.arbitrary()?;
            let probabilities: Vec<u32> =
                (0..u.int_in_range(0..=100)?).map(|_| u.int_in_range(1..=65535)).collect::<Result<_, _>>()?;
            let mut decoder = Decoder::new(&bytes);
            let bits: Vec<bool> = probabilities.iter().map(|&p1| decoder.code(false, p1)).collect();
            let accepted = decoder.finish().is_ok();
            let mut encoder = Encoder::new();
            bits.iter().zip(&probabilities).for_each(|(&bit, &p1)| assert_eq!(encoder.code(bit, p1), bit));
            assert_eq!(accepted, encoder.finish() == bytes);
            Ok(())
        });
    }
}
