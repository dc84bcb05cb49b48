//! Element types of arrays.

use crate::error::PackError;
use kompakt_numbers::f16_to_f32;

/// An element type, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    kind: u8,
    size: usize,
}

impl Element {
    /// Parses NumPy's name of a type, without the byte order.
    ///
    /// Errors: an unknown type; `array` is for the message.
    pub(super) fn parse(array: &str, text: &str) -> Result<Self, PackError> {
        let known = match text.as_bytes() {
            [kind @ b'b', b'1'] => Some((*kind, 1)),
            [kind @ (b'i' | b'u'), size @ (b'1' | b'2' | b'4' | b'8')] => {
                Some((*kind, usize::from(size - b'0')))
            }
            [kind @ b'f', size @ (b'2' | b'4' | b'8')] => Some((*kind, usize::from(size - b'0'))),
            [kind @ b'c', b'8'] => Some((*kind, 8)),
            [kind @ b'c', b'1', b'6'] => Some((*kind, 16)),
            _ => None,
        };
        let (kind, size) = known.ok_or_else(|| {
            let problem = format!(
                "elements of type {text:?}; booleans, integers, floating-point and complex numbers are stored"
            );
            PackError::unsupported(array, problem)
        })?;
        Ok(Self { kind, size })
    }

    /// Bytes per element.
    pub(super) fn size(self) -> usize {
        self.size
    }

    /// Whether it is a floating-point type of that many bytes.
    pub(super) fn is_float_of(self, size: usize) -> bool {
        (self.kind, self.size) == (b'f', size)
    }

    /// An element as single precision, where that is exact, not zero, and converts back to the same bytes.
    pub(super) fn exact(self, bytes: &[u8]) -> Option<f32> {
        let value = match (self.kind, self.size) {
            (b'f', 4) => f32::from_le_bytes(bytes.try_into().ok()?),
            (b'f', 2) => f16_to_f32(u16::from_le_bytes(bytes.try_into().ok()?)),
            (b'f', 8) => f64::from_le_bytes(bytes.try_into().ok()?) as f32,
            (b'i', _) => {
                let fill = if bytes.last()? & 0x80 == 0 { 0 } else { 0xff };
                let mut wide = [fill; 8];
                wide[..bytes.len()].copy_from_slice(bytes);
                i64::from_le_bytes(wide) as f32
            }
            (b'u' | b'b', _) => {
                let mut wide = [0; 8];
                wide[..bytes.len()].copy_from_slice(bytes);
                u64::from_le_bytes(wide) as f32
            }
            _ => return None,
        };
        (value.is_finite() && value != 0.0 && self.bytes_of(value).as_deref() == Some(bytes)).then_some(value)
    }

    /// The bytes of an element of this value; `None` for types that are not stored by value.
    pub(super) fn bytes_of(self, value: f32) -> Option<Vec<u8>> {
        let size = self.size;
        Some(match (self.kind, size) {
            (b'f', 4) => value.to_le_bytes().to_vec(),
            (b'f', 2) => kompakt_numbers::f16_from_f32(value).to_le_bytes().to_vec(),
            (b'f', 8) => f64::from(value).to_le_bytes().to_vec(),
            (b'i', _) => (value as i64).to_le_bytes()[..size].to_vec(),
            (b'u' | b'b', _) => (value as u64).to_le_bytes()[..size].to_vec(),
            _ => return None,
        })
    }
}
