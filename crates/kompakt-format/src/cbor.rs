//! A reader of deterministic CBOR (RFC 8949, section 4.2): integers, byte and text strings, arrays, maps, false,
//! true and floats. Anything that has another, shorter or sorted form is refused, so that equal content has equal
//! bytes. Rule F-6.

use crate::{
    error::{FormatError, broken},
    limits::MAX_NESTING,
};
use kompakt_numbers::f16_to_f32;
use kompakt_words::words;

/// Major types, as in the top three bits of an item.
pub(crate) mod major {
    pub(crate) const UINT: u8 = 0;
    pub(crate) const NINT: u8 = 1;
    pub(crate) const BYTES: u8 = 2;
    pub(crate) const TEXT: u8 = 3;
    pub(crate) const ARRAY: u8 = 4;
    pub(crate) const MAP: u8 = 5;
    pub(crate) const SIMPLE: u8 = 7;
}

/// An integer or a float.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar {
    Int(i64),
    Float(f64),
}

/// A position in the bytes of a document.
#[derive(Debug, Clone)]
pub(crate) struct Cbor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begins in the file, for messages.
    base: usize,
}

impl<'a> Cbor<'a> {
    pub(crate) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    /// The offset in the file of what comes next.
    pub(crate) fn offset(&self) -> usize {
        self.base.saturating_add(self.at)
    }

    /// Fails unless all bytes are consumed.
    pub(crate) fn finish(&self) -> Result<(), FormatError> {
        if self.remaining() == 0 { Ok(()) } else { self.wrong("bytes after the last item") }
    }

    /// The major type of the next item.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).map(|b| b >> 5)
    }

    /// A number of at least 0.
    pub(crate) fn uint(&mut self) -> Result<u64, FormatError> {
        self.expect(major::UINT, "a whole number of at least 0 is expected")
    }

    /// A count that fits in this machine's `usize`.
    pub(crate) fn size(&mut self) -> Result<usize, FormatError> {
        let offset = self.offset();
        match usize::try_from(self.uint()?) {
            Ok(n) => Ok(n),
            Err(_) => broken("F-6", offset, "a number that this machine cannot count to"),
        }
    }

    /// An integer.
    pub(crate) fn int(&mut self) -> Result<i64, FormatError> {
        let offset = self.offset();
        match self.scalar()? {
            Scalar::Int(n) => Ok(n),
            Scalar::Float(_) => broken("F-7", offset, "a whole number is expected"),
        }
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn byte_array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let offset = self.offset();
        let n = self.expect(major::BYTES, "a byte string is expected")?;
        match self.take(n)?.first_chunk::<N>() {
            Some(chunk) if u64::try_from(N) == Ok(n) => Ok(*chunk),
            _ => broken("F-7", offset, "a byte string of another length"),
        }
    }

    /// A text string.
    pub(crate) fn text(&mut self) -> Result<&'a str, FormatError> {
        let offset = self.offset();
        let n = self.expect(major::TEXT, "a text is expected")?;
        let bytes = self.take(n)?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => broken("F-6", offset, "a text that is not UTF-8"),
        }
    }

    /// The length of the array that begins here: at most `most`, and no more than there are bytes.
    pub(crate) fn array(&mut self, most: usize) -> Result<usize, FormatError> {
        let offset = self.offset();
        let n = self.expect(major::ARRAY, "an array is expected")?;
        self.at_most(n, most, offset)
    }

    /// The number of pairs of the map that begins here, likewise.
    pub(crate) fn map(&mut self, most: usize) -> Result<usize, FormatError> {
        let offset = self.offset();
        let n = self.expect(major::MAP, "a map is expected")?;
        self.at_most(n, most, offset)
    }

    fn at_most(&self, n: u64, most: usize, offset: usize) -> Result<usize, FormatError> {
        match self.count(n, offset)? {
            n if n <= most => Ok(n),
            n => broken("F-15", offset, words!("{n} items; at most {most} are allowed here")),
        }
    }

    /// A boolean.
    pub(crate) fn bool(&mut self) -> Result<bool, FormatError> {
        let byte = self.bytes.get(self.at).copied();
        match byte {
            Some(0xf4 | 0xf5) => {
                self.at = self.at.saturating_add(1);
                Ok(byte == Some(0xf5))
            }
            None => self.wrong("the document ends too early"),
            _ => broken("F-7", self.offset(), "false or true is expected"),
        }
    }

    /// An integer or a float.
    pub(crate) fn scalar(&mut self) -> Result<Scalar, FormatError> {
        let offset = self.offset();
        let too_large = || FormatError::new("F-6", offset, "a number beyond 64 bits");
        match self.peek() {
            Some(major::UINT) => {
                let n = self.head()?.1;
                Ok(Scalar::Int(i64::try_from(n).map_err(|_| too_large())?))
            }
            Some(major::NINT) => {
                let n = i64::try_from(self.head()?.1).map_err(|_| too_large())?;
                Ok(Scalar::Int((-1i64).saturating_sub(n)))
            }
            Some(major::SIMPLE) => Ok(Scalar::Float(self.float()?)),
            None => self.wrong("the document ends too early"),
            _ => broken("F-7", offset, "a number is expected"),
        }
    }

    /// A number as f32; integers up to 2^24 are exact.
    pub(crate) fn f32(&mut self) -> Result<f32, FormatError> {
        let offset = self.offset();
        let is_float = |found: Option<u8>| found.is_none_or(|major| major == major::SIMPLE);
        // An integer is not a float, whatever its size.
        let wide = match is_float(self.peek()).then(|| self.scalar()).transpose()? {
            Some(Scalar::Float(wide)) => wide,
            _ => return broken("F-7", offset, "a float is expected"),
        };
        #[expect(clippy::cast_possible_truncation, reason = "compared below")]
        let narrow = wide as f32;
        if f64::from(narrow).to_bits() == wide.to_bits() {
            Ok(narrow)
        } else {
            broken("F-7", offset, "a float that single precision does not hold")
        }
    }

    /// A finite float in the shortest of three widths.
    fn float(&mut self) -> Result<f64, FormatError> {
        let offset = self.offset();
        let info = self.bytes.get(self.at).map(|b| b & 0x1f);
        self.at = self.at.saturating_add(1);
        let value = match info {
            Some(25) => f64::from(f16_to_f32(u16::from_be_bytes(self.chunk()?))),
            Some(26) => f64::from(f32::from_bits(u32::from_be_bytes(self.chunk()?))),
            Some(27) => f64::from_bits(u64::from_be_bytes(self.chunk()?)),
            Some(20 | 21) => return broken("F-7", offset, "a number is expected"),
            _ => return broken("F-6", offset, "a simple value other than false and true"),
        };
        if !value.is_finite() {
            return broken("F-6", offset, "a float that is not finite");
        }
        let shorter = match info {
            Some(27) => fits_f32(value),
            Some(26) => fits_half(value),
            _ => false,
        };
        if shorter { broken("F-6", offset, "a float that is not in its shortest form") } else { Ok(value) }
    }

    /// Skips one item of any kind.
    pub(crate) fn skip(&mut self) -> Result<(), FormatError> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<(), FormatError> {
        if depth > MAX_NESTING {
            return self.wrong("arrays and maps nest deeper than 8");
        }
        let offset = self.offset();
        match self.peek() {
            Some(major::SIMPLE) => match self.bytes.get(self.at) {
                Some(0xf4 | 0xf5) => self.bool().map(|_| ()),
                _ => self.float().map(|_| ()),
            },
            Some(kind @ (major::ARRAY | major::MAP)) => {
                let n = self.head()?.1;
                let n = self.count(n, offset)?;
                let deeper = depth.saturating_add(1);
                if kind == major::ARRAY {
                    return (0..n).try_for_each(|_| self.skip_at(deeper));
                }
                let mut last: &[u8] = &[];
                for _ in 0..n {
                    let start = self.at;
                    self.skip_at(deeper)?;
                    let key = self.bytes.get(start..self.at).unwrap_or_default();
                    if key <= last {
                        return self.wrong("the keys of a map are not sorted, or one comes twice");
                    }
                    last = key;
                    self.skip_at(deeper)?;
                }
                Ok(())
            }
            Some(major::TEXT) => self.text().map(|_| ()),
            Some(major::BYTES) => {
                let n = self.head()?.1;
                self.take(n).map(|_| ())
            }
            Some(major::UINT | major::NINT) => self.head().map(|_| ()),
            Some(_) => self.wrong("a tag; the directory has none"),
            None => self.wrong("the document ends too early"),
        }
    }

    fn expect(&mut self, kind: u8, problem: &'static str) -> Result<u64, FormatError> {
        match self.peek() {
            Some(found) if found == kind => Ok(self.head()?.1),
            Some(_) => broken("F-7", self.offset(), problem),
            None => self.wrong("the document ends too early"),
        }
    }

    /// Major type and argument; the argument in its shortest form.
    fn head(&mut self) -> Result<(u8, u64), FormatError> {
        let offset = self.offset();
        let [first] = self.chunk::<1>()?;
        let info = first & 0x1f;
        let (argument, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(u8::from_be_bytes(self.chunk()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.chunk()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.chunk()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.chunk()?), 1 << 32),
            _ => return broken("F-6", offset, "an item of indefinite length, or of no kind there is"),
        };
        if argument < least {
            return broken("F-6", offset, "a number that is not in its shortest form");
        }
        Ok((first >> 5, argument))
    }

    fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// A count of items that the rest of the document can hold.
    fn count(&self, n: u64, offset: usize) -> Result<usize, FormatError> {
        match usize::try_from(n) {
            Ok(n) if n <= self.remaining() => Ok(n),
            _ => broken("F-6", offset, "more items than there are bytes"),
        }
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], FormatError> {
        let end = usize::try_from(n).ok().and_then(|n| self.at.checked_add(n));
        match end.and_then(|end| Some((end, self.bytes.get(self.at..end)?))) {
            Some((end, bytes)) => {
                self.at = end;
                Ok(bytes)
            }
            None => self.wrong("the document ends too early"),
        }
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        match self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(chunk) => {
                self.at = self.at.saturating_add(N);
                Ok(*chunk)
            }
            None => self.wrong("the document ends too early"),
        }
    }

    fn wrong<T>(&self, problem: &'static str) -> Result<T, FormatError> {
        broken("F-6", self.offset(), problem)
    }
}

fn fits_f32(value: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "compared with what went in")]
    let narrow = value as f32;
    f64::from(narrow).to_bits() == value.to_bits()
}

/// Whether an f32 value is exact in half precision: eleven significant bits, none below 2^-24.
fn fits_half(value: f64) -> bool {
    let magnitude = value.abs();
    if magnitude >= 1.0 / 16_384.0 {
        magnitude <= 65504.0 && magnitude.to_bits() & ((1 << 42) - 1) == 0
    } else {
        is_whole(magnitude * 16_777_216.0)
    }
}

fn is_whole(value: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^10 and positive")]
    let whole = value as u32;
    f64::from(whole) == value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(bytes: &[u8]) -> Result<Scalar, FormatError> {
        let mut cbor = Cbor::new(bytes, 0);
        let scalar = cbor.scalar()?;
        cbor.finish()?;
        Ok(scalar)
    }

    /// RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_standard() {
        for (bytes, expected) in [
            (&[0x00][..], Scalar::Int(0)),
            (&[0x17], Scalar::Int(23)),
            (&[0x18, 0x18], Scalar::Int(24)),
            (&[0x19, 0x03, 0xe8], Scalar::Int(1000)),
            (&[0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0], Scalar::Int(1_000_000_000_000)),
            (&[0x20], Scalar::Int(-1)),
            (&[0x39, 0x03, 0xe7], Scalar::Int(-1000)),
            (&[0xf9, 0x3c, 0x00], Scalar::Float(1.0)),
            (&[0xf9, 0x7b, 0xff], Scalar::Float(65504.0)),
            (&[0xf9, 0x00, 0x01], Scalar::Float(5.960_464_477_539_063e-8)),
            (&[0xf9, 0x04, 0x00], Scalar::Float(0.000_061_035_156_25)),
            (&[0xf9, 0xc4, 0x00], Scalar::Float(-4.0)),
            (&[0xfa, 0x47, 0xc3, 0x50, 0x00], Scalar::Float(100_000.0)),
            (&[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], Scalar::Float(1.1)),
        ] {
            assert_eq!(scalar(bytes), Ok(expected));
        }
    }

    #[test]
    fn only_the_shortest_form() {
        for bytes in [
            &[0x18, 0x17][..],
            &[0x19, 0x00, 0xff],
            &[0x1a, 0, 0, 0xff, 0xff],
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &[0xfa, 0x3f, 0x80, 0, 0],
            &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
            &[0xf9, 0x7c, 0x00],
            &[0x1c],
            &[0x9f],
            &[0x18],
            &[],
        ] {
            let error = Cbor::new(bytes, 0).skip().unwrap_err();
            assert_eq!(error.rule, "F-6", "{bytes:?}");
        }
    }

    /// Every half is its own shortest form, and no single between two of them is a half.
    #[test]
    fn every_half() {
        for bits in 0..=u16::MAX {
            let value = f64::from(f16_to_f32(bits));
            if !value.is_finite() {
                continue;
            }
            assert!(fits_half(value), "{bits:#x}");
            let single = value as f32;
            let next = f32::from_bits(single.to_bits() + 1);
            assert!(!fits_half(f64::from(next)), "{bits:#x}");
        }
    }

    #[test]
    fn depth_and_counts_are_bounded() {
        assert_eq!(Cbor::new(&[0x81; 64], 0).skip().unwrap_err().rule, "F-6");
        assert!(Cbor::new(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0).array(9).is_err());
        assert!(Cbor::new(&[0x7a, 0xff, 0xff, 0xff, 0xff, b'a'], 0).text().is_err());
    }
}
