//! Half precision against the library `half`, SplitMix64 against its published numbers.

use half::f16;
use kompakt_numbers::{Numbers, SplitMix64, f16_from_f32, f16_to_f32};

#[test]
fn every_half_becomes_its_value_and_comes_back() {
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (f16_to_f32(bits), f16::from_bits(bits).to_f32());
        assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:#x}");
        if !ours.is_nan() {
            assert_eq!(f16_from_f32(ours), bits);
        }
    }
}

#[test]
fn singles_are_rounded_to_the_nearest_half() {
    // All exponents, and fractions at, below and above every rounding boundary.
    for high in 0..=0xffff_u32 {
        for low in [0u32, 1, 0x0fff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x7fff, 0x8000, 0x8001, 0xffff] {
            let value = f32::from_bits(high << 16 | low);
            let (ours, theirs) = (f16_from_f32(value), f16::from_f32(value).to_bits());
            assert!(ours == theirs || value.is_nan(), "{value}: {ours:#x}, {theirs:#x}");
            assert!(!value.is_nan() || f16_to_f32(ours).is_nan());
        }
    }
}

#[test]
fn the_sequence_is_the_published_one() {
    // Output of the authors' generator, seed 1234567.
    let mut random = SplitMix64::new(1_234_567);
    let first: [u64; 3] = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
    assert_eq!([random.bits(), random.bits(), random.bits()], first);
}

#[test]
fn formats_keep_what_they_can() {
    let numbers = Numbers::F32(vec![0.5, -1.0, 0.1]);
    assert_eq!(numbers.to_f16().to_f32()[..2], [0.5, -1.0]);
    let Numbers::Scaled { scale, integers } = numbers.to_scaled(8) else { panic!("not scaled") };
    assert_eq!((integers, scale), (vec![64, -127, 13], 1.0 / 127.0));
    let mut kept = numbers.clone();
    kept.retain(&[true, false, true]);
    assert_eq!(kept, Numbers::F32(vec![0.5, 0.1]));
    assert!(numbers.is_finite() && !Numbers::F16(vec![0x7c00]).is_finite());
}
