//! Element types of 8 bits and less without a type of their own in Rust: floats of 8 and 4 bits, integers of 4 and 2.
//!
//! Elements of less than 8 bits are packed, the first in the lowest bits of a byte.

use crate::onnx::{proto::data_type as t, tensor::Data};

/// A float of a sign, an exponent and a mantissa.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Float {
    pub(crate) mantissa_bits: u32,
    /// The exponent of the least normal number.
    pub(crate) least_exponent: i32,
    /// The largest finite number.
    pub(crate) largest: f32,
    /// Whether values beyond it become infinity where they are not saturated; NaN otherwise.
    pub(crate) has_infinity: bool,
    /// Whether the format has NaN; where it has none, 0 takes its place.
    pub(crate) has_nan: bool,
    bits: u32,
    /// Whether the code of minus zero is NaN.
    is_unsigned_zero: bool,
}

/// A type of few bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Format {
    Float(Float),
    /// An integer of so many bits.
    Integer {
        bits: u32,
        is_signed: bool,
    },
}

impl Format {
    /// The format of an element type; `None` for types that are not narrow.
    pub(crate) fn of(kind: i32) -> Option<Self> {
        let float = |bits, mantissa_bits, least_exponent, largest| Float {
            mantissa_bits,
            least_exponent,
            largest,
            has_infinity: false,
            has_nan: true,
            bits,
            is_unsigned_zero: false,
        };
        let unsigned_zero = |float| Self::Float(Float { is_unsigned_zero: true, ..float });
        Some(match kind {
            t::FLOAT8E4M3FN => Self::Float(float(8, 3, -6, 448.0)),
            t::FLOAT8E4M3FNUZ => unsigned_zero(float(8, 3, -7, 240.0)),
            t::FLOAT8E5M2 => Self::Float(Float { has_infinity: true, ..float(8, 2, -14, 57344.0) }),
            t::FLOAT8E5M2FNUZ => unsigned_zero(float(8, 2, -15, 57344.0)),
            t::FLOAT4E2M1 => Self::Float(Float { has_nan: false, ..float(4, 1, 0, 6.0) }),
            t::UINT4 | t::INT4 => Self::Integer { bits: 4, is_signed: kind == t::INT4 },
            t::UINT2 | t::INT2 => Self::Integer { bits: 2, is_signed: kind == t::INT2 },
            _ => return None,
        })
    }

    fn bits(self) -> u32 {
        match self {
            Self::Float(float) => float.bits,
            Self::Integer { bits, .. } => bits,
        }
    }

    /// The `n` elements of packed bytes; `None` if that is not how many there are.
    pub(crate) fn decode(self, bytes: &[u8], n: usize) -> Option<Data> {
        let bits = self.bits();
        let in_a_byte = (8 / bits) as usize;
        if bytes.len() != n.div_ceil(in_a_byte) {
            return None;
        }
        let mask = (1u32 << bits) - 1;
        let codes = (0..n).map(|i| u32::from(bytes[i / in_a_byte]) >> (bits * (i % in_a_byte) as u32) & mask);
        Some(match self {
            Self::Float(float) => Data::Floats(codes.map(|code| float.value(code)).collect()),
            Self::Integer { is_signed, .. } => {
                let sign = if is_signed { 1i64 << (bits - 1) } else { 0 };
                Data::Ints(codes.map(|code| (i64::from(code) ^ sign) - sign).collect())
            }
        })
    }
}

impl Float {
    fn value(self, code: u32) -> f32 {
        let sign = 1u32 << (self.bits - 1);
        if self.is_unsigned_zero && code == sign {
            return f32::NAN;
        }
        let (magnitude, one) = (code & (sign - 1), 1u32 << self.mantissa_bits);
        let (exponent, mantissa) = (magnitude / one, magnitude % one);
        let unit = ((self.least_exponent - self.mantissa_bits as i32) as f32).exp2();
        let value = match exponent {
            0 => mantissa as f32 * unit,
            _ => (one + mantissa) as f32 * unit * ((exponent - 1) as f32).exp2(),
        };
        let value = match value {
            v if v <= self.largest || !self.has_nan => v,
            _ if self.has_infinity && mantissa == 0 => f32::INFINITY,
            _ => f32::NAN,
        };
        if code & sign != 0 { -value } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_eight_bit_floats() {
        let Some(Format::Float(float)) = Format::of(t::FLOAT8E4M3FN) else { unreachable!() };
        assert_eq!(
            [0x00, 0x01, 0x38, 0x7e, 0xb8].map(|c| float.value(c)),
            [0.0, 2f32.powi(-9), 1.0, 448.0, -1.0]
        );
        assert!(float.value(0x7f).is_nan() && float.value(0xff).is_nan());
        let Some(Format::Float(float)) = Format::of(t::FLOAT8E5M2) else { unreachable!() };
        assert_eq!(
            [0x3c, 0x7b, 0x7c, 0xfc].map(|c| float.value(c)),
            [1.0, 57344.0, f32::INFINITY, f32::NEG_INFINITY]
        );
        let Some(Format::Float(float)) = Format::of(t::FLOAT8E5M2FNUZ) else { unreachable!() };
        assert_eq!([0x40, 0x7f].map(|c| float.value(c)), [1.0, 57344.0]);
        assert!(float.value(0x80).is_nan());
    }

    #[test]
    fn packed_integers() {
        let format = Format::of(t::INT4).unwrap();
        assert_eq!(format.decode(&[0x8f, 0x07], 3), Some(Data::Ints(vec![-1, -8, 7])));
        assert_eq!(format.decode(&[0x8f, 0x07], 5), None);
        let format = Format::of(t::UINT2).unwrap();
        assert_eq!(format.decode(&[0b11_10_01_00], 4), Some(Data::Ints(vec![0, 1, 2, 3])));
    }
}
