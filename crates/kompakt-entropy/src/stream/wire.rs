//! The compact encoding of histograms.
//!
//! ```text
//! a histogram   8 bits   symbols - 1
//!               4 bits   precision: bits of each frequency after its first, at most
//!               for each symbol, its length (0: none; else 1 + floor(log2(freq))) less the one before:
//!                        d >= 0 as 2 d, d < 0 as -2 d - 1, in Elias' gamma code of that + 1; before the first: 8
//!               for each symbol with a length, but for the first of the longest: its bits after the first,
//!                        at most `precision`; zeros follow
//! ```
//!
//! The first of the longest has what is left of 4096.

use crate::rans::Histogram;
use alloc::vec::Vec;

/// Writes fields of any width, lowest bit first.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    n_bits: usize,
}

impl BitWriter {
    pub(super) fn write(&mut self, value: u32, width: u32) {
        for i in 0..width {
            if self.n_bits.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> i & 1) as u8) << (self.n_bits % 8);
            }
            self.n_bits += 1;
        }
    }

    /// Elias' gamma code of a `value` above 0: as many zeros as it has bits after its first, a one, those bits.
    pub(super) fn write_gamma(&mut self, value: u32) {
        let n = value.ilog2();
        self.write(0, n);
        self.write(1, 1);
        self.write(value & ((1 << n) - 1), n);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what [`BitWriter`] wrote. `None` past the end.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// At most 16 bits.
    pub(super) fn read(&mut self, width: u32) -> Option<u32> {
        let end = self.at + width as usize;
        if end > self.bytes.len() * 8 {
            return None;
        }
        let value = crate::bits::read(self.bytes, self.at, width);
        self.at = end;
        Some(value)
    }

    pub(super) fn read_gamma(&mut self) -> Option<u32> {
        let mut n = 0;
        while self.read(1)? == 0 {
            n += 1;
            if n > 15 {
                return None;
            }
        }
        Some(1 << n | self.read(n)?)
    }

    /// Whether everything was read, except zero bits in the last byte.
    pub(super) fn is_at_end(&mut self) -> bool {
        let left = self.bytes.len() * 8 - self.at;
        left < 8 && self.read(left as u32) == Some(0)
    }

    /// The byte that is read next.
    pub(super) fn offset(&self) -> usize {
        self.at / 8
    }
}

const FIRST_LENGTH: u32 = 8;
/// With this many bits after the first, every frequency is exact.
const EXACT: u32 = 11;

/// A histogram that can be written, and its size.
#[derive(Debug, Clone)]
pub(super) struct Coded {
    pub(super) histogram: Histogram,
    precision: u32,
    pub(super) n_bits: u64,
}

impl Coded {
    /// The histogram that is cheapest for `counts`, its own bits included. `None` where nothing occurs.
    pub(super) fn of_counts(counts: &[u64]) -> Option<Self> {
        let exact = Histogram::of_counts(counts)?;
        let mut best: Option<(u64, Self)> = None;
        for precision in [0, 1, 2, 3, 4, EXACT] {
            let Some(histogram) = rounded(exact.freqs(), precision) else { continue };
            let coded = Self { n_bits: n_bits(&histogram, precision), histogram, precision };
            let Some(cost) = coded.cost(counts) else { continue };
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, coded));
            }
        }
        best.map(|(_, coded)| coded)
    }

    /// The same, with frequencies like their neighbours' where that saves more bits here than it costs there.
    pub(super) fn smoothed(counts: &[u64]) -> Option<Self> {
        let mut best = Self::of_counts(counts)?;
        let mut least = best.cost(counts)?;
        for _ in 0..2 {
            for symbol in 0..best.histogram.freqs().len() {
                for neighbour in [symbol.wrapping_sub(1), symbol + 1] {
                    let mut freqs = best.histogram.freqs().to_vec();
                    let Some(&like) = freqs.get(neighbour) else { continue };
                    freqs[symbol] = like;
                    let Some(histogram) = rounded(&freqs, best.precision) else { continue };
                    let n_bits = n_bits(&histogram, best.precision);
                    let tried = Self { histogram, n_bits, precision: best.precision };
                    if let Some(cost) = tried.cost(counts).filter(|&cost| cost < least) {
                        (best, least) = (tried, cost);
                    }
                }
            }
        }
        Some(best)
    }

    /// Symbols of these `counts`, and the histogram, in 2^-16 bits. `None` if one of them has no slot.
    pub(super) fn cost(&self, counts: &[u64]) -> Option<u64> {
        Some(self.histogram.cost(counts)? + (self.n_bits << 16))
    }

    pub(super) fn write(&self, to: &mut BitWriter) {
        let freqs = self.histogram.freqs();
        to.write(freqs.len() as u32 - 1, 8);
        to.write(self.precision, 4);
        let mut before = FIRST_LENGTH;
        for &freq in freqs {
            let length = length(freq);
            to.write_gamma(zigzag(before, length) + 1);
            before = length;
        }
        let rest = first_longest(freqs.iter().map(|&f| length(f)));
        for (_, &freq) in freqs.iter().enumerate().filter(|&(i, &f)| i != rest && f > 0) {
            let n = n_mantissa(length(freq), self.precision);
            to.write(u32::from(freq) >> (length(freq) - 1 - n) & ((1 << n) - 1), n);
        }
    }
}

/// Reads a histogram. `None` where the bytes end or are none.
pub(super) fn read_histogram(from: &mut BitReader<'_>) -> Option<Histogram> {
    let n_symbols = from.read(8)? + 1;
    let precision = from.read(4)?;
    let mut lengths = Vec::new();
    let mut before = FIRST_LENGTH;
    for _ in 0..n_symbols {
        before = unzigzag(before, from.read_gamma()? - 1).filter(|&length| length <= 13)?;
        lengths.push(before);
    }
    if lengths.last() == Some(&0) {
        return None;
    }
    let rest = first_longest(lengths.iter().copied());
    let mut freqs = Vec::new();
    let mut sum = 0u32;
    for (i, &length) in lengths.iter().enumerate() {
        let freq = match length {
            0 => 0,
            _ if i == rest => 0,
            _ => {
                let n = n_mantissa(length, precision);
                (1 << n | from.read(n)?) << (length - 1 - n)
            }
        };
        sum += freq;
        freqs.push(freq as u16);
    }
    let left = 4096u32.checked_sub(sum).filter(|&left| left > 0)?;
    *freqs.get_mut(rest)? = left as u16;
    Histogram::from_freqs(freqs)
}

fn length(freq: u16) -> u32 {
    u16::BITS - freq.leading_zeros()
}

fn n_mantissa(length: u32, precision: u32) -> u32 {
    (length - 1).min(precision)
}

fn first_longest(lengths: impl Iterator<Item = u32>) -> usize {
    let mut best = (0, 0);
    for (i, length) in lengths.enumerate() {
        if length > best.1 {
            best = (i, length);
        }
    }
    best.0
}

fn zigzag(before: u32, length: u32) -> u32 {
    if length >= before { 2 * (length - before) } else { 2 * (before - length) - 1 }
}

fn unzigzag(before: u32, code: u32) -> Option<u32> {
    if code.is_multiple_of(2) { before.checked_add(code / 2) } else { before.checked_sub(code / 2 + 1) }
}

/// The frequencies with `precision` bits after the first, but for the first of the longest, which takes the rest.
/// `None` where that is not among the longest any more.
fn rounded(freqs: &[u16], precision: u32) -> Option<Histogram> {
    let mut freqs = freqs.to_vec();
    for freq in freqs.iter_mut().filter(|freq| **freq > 0) {
        let dropped = (length(*freq) - 1).saturating_sub(precision);
        let half = (1 << dropped) >> 1;
        *freq = (*freq + half) >> dropped << dropped;
    }
    let rest = first_longest(freqs.iter().map(|&f| length(f)));
    let others: u32 = freqs.iter().map(|&f| u32::from(f)).sum::<u32>() - u32::from(freqs[rest]);
    freqs[rest] = 4096u32.checked_sub(others)? as u16;
    let still = first_longest(freqs.iter().map(|&f| length(f)));
    if still == rest { Histogram::from_freqs(freqs) } else { None }
}

fn n_bits(histogram: &Histogram, precision: u32) -> u64 {
    let freqs = histogram.freqs();
    let rest = first_longest(freqs.iter().map(|&f| length(f)));
    let mut before = FIRST_LENGTH;
    let mut n = 12;
    for (i, &freq) in freqs.iter().enumerate() {
        let length = length(freq);
        n += 2 * (zigzag(before, length) + 1).ilog2() + 1;
        before = length;
        if i != rest && freq > 0 {
            n += n_mantissa(length, precision);
        }
    }
    n.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_come_back() {
        arbtest::arbtest(|u| {
            let n = u.int_in_range(1..=256)?;
            let max = 1u64 << u.int_in_range(0..=20)?;
            let counts = (0..n).map(|_| u.int_in_range(0..=max)).collect::<Result<Vec<_>, _>>()?;
            let Some(coded) = Coded::of_counts(&counts) else { return Ok(()) };
            let mut writer = BitWriter::default();
            coded.write(&mut writer);
            assert_eq!(writer.n_bits as u64, coded.n_bits);
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            assert_eq!(read_histogram(&mut reader).as_ref(), Some(&coded.histogram));
            assert!(reader.is_at_end());
            let smoothed = Coded::smoothed(&counts).unwrap();
            assert!(smoothed.cost(&counts) <= coded.cost(&counts));
            Ok(())
        });
    }

    #[test]
    fn any_bytes_are_survived() {
        arbtest::arbtest(|u| {
            let bytes: Vec<u8> = u.arbitrary()?;
            let mut reader = BitReader::new(&bytes);
            while read_histogram(&mut reader).is_some() {}
            Ok(())
        });
    }
}
