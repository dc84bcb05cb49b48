//! Floats to bytes.

use super::planes::BytePlanes;
use crate::{Isa, arch, isa::per_isa};

/// The bytes of a range of floats: `q = round(x / scale) + zero`, within 0 and 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiser {
    scale: f32,
    inverse: f32,
    /// A whole number from 0 to 255.
    zero: f32,
}

impl Quantiser {
    /// For values from `low` to `high`; the range is widened to include 0, which is exact.
    pub fn new(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = high / 255.0 - low / 255.0;
        if !(scale.is_normal() && (1.0 / scale).is_finite()) {
            return Self { scale: 1.0, inverse: 1.0, zero: 0.0 };
        }
        Self { scale, inverse: 1.0 / scale, zero: libm::rintf(-low / scale).clamp(0.0, 255.0) }
    }

    /// The value of a step.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The number that the bytes of 0 stand for in sums: signed bytes are 128 less.
    pub fn zero_point(&self, isa: Isa) -> i32 {
        self.zero as i32 - if arch::has_signed_inputs(isa) { 128 } else { 0 }
    }

    /// Lays out an image; padding is zero.
    ///
    /// Shapes: `x` [`input_len`](BytePlanes::input_len), `out` [`len`](BytePlanes::len), each element the bits of four bytes.
    /// Panics: if they are shorter.
    pub fn planes(&self, isa: Isa, planes: &BytePlanes, x: &[f32], out: &mut [f32]) {
        let flip = flip(isa);
        if planes.padded() == [1, 1] && planes.size == [1, 1] {
            return line(isa, *self, flip, &x[..planes.channels], &mut out[..planes.len()]);
        }
        lay_out(isa, *self, *planes, flip, x, out);
    }
}

/// The bits that make bytes signed, if the instruction set wants them so.
fn flip(isa: Isa) -> u32 {
    if arch::has_signed_inputs(isa) { 0x8080_8080 } else { 0 }
}

per_isa! {
    fn line(q: Quantiser, flip: u32, x: &[f32], out: &mut [f32]) = line_body;
}
per_isa! {
    fn lay_out(q: Quantiser, planes: BytePlanes, flip: u32, x: &[f32], out: &mut [f32]) = lay_out_body;
}

/// Four neighbours are one element.
#[inline(always)]
fn line_body(q: Quantiser, flip: u32, x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks(64).zip(out.chunks_mut(16)) {
        let mut bytes = [0u8; 64];
        match x.as_array::<64>() {
            Some(x) => bytes.iter_mut().zip(x).for_each(|(byte, &x)| *byte = q.byte(x) as u8),
            None => bytes.iter_mut().zip(x).for_each(|(byte, &x)| *byte = q.byte(x) as u8),
        }
        for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *out = f32::from_bits(u32::from_le_bytes(*bytes) ^ flip);
        }
    }
}

#[inline(always)]
fn lay_out_body(q: Quantiser, planes: BytePlanes, flip: u32, x: &[f32], out: &mut [f32]) {
    let BytePlanes { channels, size: [h, w], before: [top, left], .. } = planes;
    let [height, width] = planes.padded();
    let zero = f32::from_bits((q.zero as u32 * 0x0101_0101) ^ flip);
    for (four, out) in out[..planes.len()].chunks_exact_mut((height * width).max(1)).enumerate() {
        let of = |i: usize| &x[(4 * four + i).min(channels - 1) * h * w..][..h * w];
        let all = [of(0), of(1), of(2), of(3)];
        if [height, width] == [h, w] {
            pack(q, flip, all, out);
            continue;
        }
        for (y, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
            if y < top || y >= top + h {
                out.fill(zero);
                continue;
            }
            let (start, end) = ((y - top) * w, (y - top + 1) * w);
            out[..left].fill(zero);
            pack(q, flip, all.map(|x| &x[start..end]), &mut out[left..left + w]);
            out[left + w..].fill(zero);
        }
    }
}

#[inline(always)]
fn pack(q: Quantiser, flip: u32, x: [&[f32]; 4], out: &mut [f32]) {
    let n = out.len();
    let [a, b, c, d] = x.map(|x| &x[..n]);
    for i in 0..n {
        let bytes = q.byte(a[i]) | q.byte(b[i]) << 8 | q.byte(c[i]) << 16 | q.byte(d[i]) << 24;
        out[i] = f32::from_bits(bytes ^ flip);
    }
}

impl Quantiser {
    /// Rounded to even; NaN becomes 0.
    #[inline(always)]
    fn byte(self, x: f32) -> u32 {
        // 1.5 times 2^23: the last bits of the sum are the nearest whole number.
        const TO_BITS: f32 = 12_582_912.0;
        let v = x * self.inverse + self.zero;
        let v = if v > 0.0 { v } else { 0.0 };
        let v = if v < 255.0 { v } else { 255.0 };
        (v + TO_BITS).to_bits() & 0xff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn bytes_are_the_nearest() {
        for (low, high) in [(0.0, 6.0), (-2.5, 4.0), (-1.0, -0.5), (0.0, 0.0), (-1e-30, 1e-30), (-1e38, 1e38)]
        {
            let q = Quantiser::new(low, high);
            assert!((0.0..=255.0).contains(&q.zero) && q.byte(0.0) == q.zero as u32, "{q:?}");
            for i in 0..=1000 {
                let x = low + (high - low) / 1000.0 * i as f32;
                let back = (q.byte(x) as f32 - q.zero) * q.scale;
                // The zero point is rounded, so an end of the range may be half a step off.
                assert!((back - x).abs() <= 1.01 * q.scale, "{x} of {low} to {high} became {back}");
            }
            assert_eq!([f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|x| q.byte(x)), [0, 255, 0]);
        }
    }

    #[test]
    fn every_instruction_set_lays_out_the_same_bytes() {
        let planes = BytePlanes { channels: 6, size: [5, 19], before: [1, 2], after: [0, 3] };
        let x: alloc::vec::Vec<f32> =
            (0..planes.input_len()).map(|i| (i * 37 % 101) as f32 / 17.0 - 2.0).collect();
        let q = Quantiser::new(-1.5, 3.5);
        for isa in Isa::available() {
            let mut out = vec![0.0; planes.len()];
            q.planes(isa, &planes, &x, &mut out);
            let [h, w] = planes.padded();
            for (i, element) in out.iter().enumerate() {
                let (four, y, col) = (i / (h * w), i / w % h, i % w);
                for (k, byte) in (element.to_bits() ^ flip(isa)).to_le_bytes().into_iter().enumerate() {
                    let channel = (4 * four + k).min(5);
                    let expected = match (y.checked_sub(1), col.checked_sub(2)) {
                        (Some(y), Some(c)) if y < 5 && c < 19 => q.byte(x[(channel * 5 + y) * 19 + c]),
                        _ => q.zero as u32,
                    };
                    assert_eq!(u32::from(byte), expected, "{isa} element {i} byte {k}");
                }
            }
            for n in [1, 4, 63, 64, 67, 130] {
                let lines = BytePlanes::lines(n, 1);
                let mut line = vec![0.0; lines.len()];
                q.planes(isa, &lines, &x[..n], &mut line);
                let bytes = line.iter().flat_map(|e| (e.to_bits() ^ flip(isa)).to_le_bytes());
                assert!(bytes.zip(&x[..n]).all(|(byte, &x)| u32::from(byte) == q.byte(x)), "{isa}, {n}");
            }
        }
    }
}
