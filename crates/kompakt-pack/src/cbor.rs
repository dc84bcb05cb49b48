//! Writes deterministic CBOR (RFC 8949, section 4.2): every number in its shortest form.

use kompakt_graph::{Padding, Pair};

/// A document being written.
#[derive(Debug, Default)]
pub(crate) struct Cbor(pub(crate) Vec<u8>);

impl Cbor {
    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        match argument {
            0..=23 => self.0.push(major | bytes[7]),
            24..=0xff => self.0.extend([major | 24, bytes[7]]),
            0x100..=0xffff => {
                self.0.push(major | 25);
                self.0.extend(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 26);
                self.0.extend(&bytes[4..]);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend(&bytes);
            }
        }
        self
    }

    pub(crate) fn uint(&mut self, n: u64) -> &mut Self {
        self.head(0, n)
    }

    pub(crate) fn size(&mut self, n: usize) -> &mut Self {
        self.uint(n as u64)
    }

    pub(crate) fn int(&mut self, n: i64) -> &mut Self {
        if n < 0 { self.head(1, n.unsigned_abs() - 1) } else { self.head(0, n.unsigned_abs()) }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(2, bytes.len() as u64).0.extend(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.head(3, text.len() as u64).0.extend(text.as_bytes());
        self
    }

    pub(crate) fn array(&mut self, n: usize) -> &mut Self {
        self.head(4, n as u64)
    }

    pub(crate) fn map(&mut self, n: usize) -> &mut Self {
        self.head(5, n as u64)
    }

    pub(crate) fn bool(&mut self, b: bool) -> &mut Self {
        self.0.push(if b { 0xf5 } else { 0xf4 });
        self
    }

    /// The shortest of three widths that holds the value, which must be finite.
    pub(crate) fn float(&mut self, value: f64) -> &mut Self {
        let single = value as f32;
        if f64::from(single).to_bits() != value.to_bits() {
            self.0.push(0xfb);
            self.0.extend(value.to_be_bytes());
        } else if let Some(half) = to_half(single) {
            self.0.push(0xf9);
            self.0.extend(half.to_be_bytes());
        } else {
            self.0.push(0xfa);
            self.0.extend(single.to_be_bytes());
        }
        self
    }

    pub(crate) fn sizes(&mut self, sizes: &[usize]) -> &mut Self {
        self.array(sizes.len());
        for &n in sizes {
            self.size(n);
        }
        self
    }

    pub(crate) fn pair(&mut self, pair: Pair) -> &mut Self {
        if pair.h == pair.w { self.size(pair.h) } else { self.sizes(&[pair.h, pair.w]) }
    }

    pub(crate) fn padding(&mut self, p: Padding) -> &mut Self {
        if p == Padding::all(p.top) {
            self.size(p.top)
        } else {
            self.sizes(&[p.top, p.left, p.bottom, p.right])
        }
    }
}

/// The half that has exactly this value, if there is one.
fn to_half(value: f32) -> Option<u16> {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let exponent = (bits >> 23 & 0xff) as i32 - 127;
    let fraction = bits & 0x7f_ffff;
    if bits << 1 == 0 {
        return Some(sign);
    }
    match exponent {
        -14..=15 if fraction & 0x1fff == 0 => {
            Some(sign | ((exponent + 15) as u16) << 10 | (fraction >> 13) as u16)
        }
        -24..=-15 => {
            let whole = fraction | 0x80_0000;
            let shift = (-exponent - 14 + 13) as u32;
            (whole & ((1 << shift) - 1) == 0).then(|| sign | (whole >> shift) as u16)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_standard() {
        let write = |f: &dyn Fn(&mut Cbor) -> &mut Cbor| {
            let mut cbor = Cbor::default();
            f(&mut cbor);
            cbor.0
        };
        assert_eq!(write(&|c| c.int(-1000).int(23).uint(24)), [0x39, 0x03, 0xe7, 0x17, 0x18, 0x18]);
        assert_eq!(write(&|c| c.uint(1_000_000)), [0x1a, 0x00, 0x0f, 0x42, 0x40]);
        assert_eq!(write(&|c| c.float(1.5)), [0xf9, 0x3e, 0x00]);
        assert_eq!(write(&|c| c.float(5.960_464_477_539_063e-8)), [0xf9, 0x00, 0x01]);
        assert_eq!(write(&|c| c.float(0.000_061_035_156_25)), [0xf9, 0x04, 0x00]);
        assert_eq!(write(&|c| c.float(-4.0)), [0xf9, 0xc4, 0x00]);
        assert_eq!(write(&|c| c.float(100_000.0)), [0xfa, 0x47, 0xc3, 0x50, 0x00]);
        assert_eq!(write(&|c| c.float(1.1)), [0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]);
        assert_eq!(write(&|c| c.text("IETF")), [0x64, 0x49, 0x45, 0x54, 0x46]);
    }
}
