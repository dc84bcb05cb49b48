//! IEEE half precision, as bits: 1 sign, 5 exponent, 10 fraction.

/// The value of half-precision bits; exact. Any NaN becomes the quiet one of its sign.
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(bits >> 10) & 31, u32::from(bits) & 0x3ff);
    let magnitude = match (exponent, fraction) {
        (0, fraction) => (fraction as f32 / 16_777_216.0).to_bits(),
        (31, 0) => f32::INFINITY.to_bits(),
        (31, _) => f32::NAN.to_bits(),
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// The nearest half-precision number, ties to even; magnitudes above 65,519 become infinite.
pub fn f16_from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let (exponent, fraction) = ((bits >> 23 & 255) as i32, bits & 0x7f_ffff);
    if exponent == 255 {
        let quiet = if fraction == 0 { 0 } else { 0x200 | (fraction >> 13) as u16 };
        return sign | 0x7c00 | quiet;
    }
    let half_exponent = exponent - 112;
    if half_exponent >= 31 {
        return sign | 0x7c00;
    }
    // Subnormal: the leading one becomes explicit and more bits are shifted out.
    let (kept, shift) = if half_exponent > 0 {
        ((half_exponent as u32) << 23 | fraction, 13)
    } else if half_exponent < -10 {
        return sign;
    } else {
        (0x80_0000 | fraction, (14 - half_exponent) as u32)
    };
    let (floor, rest, tie) = (kept >> shift, kept & ((1 << shift) - 1), 1u32 << (shift - 1));
    let is_up = rest > tie || (rest == tie && floor & 1 == 1);
    // A carry propagates into the exponent, as intended.
    sign | (floor + u32::from(is_up)) as u16
}
