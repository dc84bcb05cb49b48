//! Arrays come back as they went in, whatever they hold.

use arbtest::arbtest;
use kompakt_format::Tier;
use kompakt_pack::arrays::{Array, decode, encode};

const TIERS: [Tier; 3] = [Tier::Smallest, Tier::Stream, Tier::Direct];

fn array(name: &str, element: &str, shape: &[usize], bytes: Vec<u8>) -> Array {
    Array { name: name.into(), element: element.into(), shape: shape.to_vec(), bytes }
}

#[test]
fn every_form_comes_back() {
    let f32s = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let many: Vec<f32> = (0..600).map(|i| (i as f32).sin()).collect();
    let odd: Vec<f32> = many.iter().copied().chain([f32::NAN, f32::INFINITY, -0.0]).collect();
    let all = vec![
        array("few", "f4", &[2, 3], f32s(&[0.0, 0.5, -0.25, 0.5, 0.0, 0.0])),
        array("minus zero", "f4", &[2], f32s(&[0.0, -0.0])),
        array("many", "f4", &[600], f32s(&many)),
        array("odd", "f4", &[603], f32s(&odd)),
        array("large", "i8", &[3], [i64::MAX, 0, i64::MIN].iter().flat_map(|v| v.to_le_bytes()).collect()),
        array("all bytes", "u1", &[2, 8, 4, 4], (0..=255).collect()),
        array("no zero", "i1", &[1, 1, 1, 1, 1], vec![200]),
        array("truth", "b1", &[4], vec![0, 1, 1, 0]),
        array("zeros", "c16", &[2, 2], vec![0; 64]),
        array("none", "u2", &[0, 3], Vec::new()),
        array("one", "f8", &[], 0.1_f64.to_le_bytes().to_vec()),
    ];
    for tier in TIERS {
        assert_eq!(decode(&encode(&all, tier).unwrap()).unwrap(), all, "{tier:?}");
        assert_eq!(decode(&encode(&[], tier).unwrap()).unwrap(), []);
    }
}

#[test]
fn random_arrays_come_back() {
    arbtest(|u| {
        let element = *u
            .choose(&["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"])?;
        let size: usize = element[1..].parse().unwrap();
        let shape: Vec<usize> =
            (0..u.int_in_range(0..=5)?).map(|_| u.int_in_range(0..=5)).collect::<Result<_, _>>()?;
        let n: usize = shape.iter().product();
        let few = u.ratio(1, 2)?;
        let byte = |u: &mut arbtest::arbitrary::Unstructured<'_>| match few {
            true => u.choose(&[0, 1, 0x80]).copied(),
            false => u.arbitrary(),
        };
        let bytes = (0..n * size).map(|_| byte(u)).collect::<Result<Vec<u8>, _>>()?;
        let arrays = [array("a", element, &shape, bytes)];
        let tier = *u.choose(&TIERS)?;
        assert_eq!(decode(&encode(&arrays, tier).unwrap()).unwrap(), arrays);
        Ok(())
    });
}

#[test]
fn what_is_no_array_is_refused() {
    let network = std::fs::read("../../fixtures/good/perceptron-smallest.kompakt").unwrap();
    assert!(decode(&network).unwrap_err().to_string().contains("holds a network"));
    assert!(decode(b"KOMP").is_err());
    for (element, bytes) in [("U4", vec![0; 4]), ("f3", vec![0; 3]), ("f4", vec![0; 3])] {
        assert!(encode(&[array("a", element, &[1], bytes)], Tier::Direct).is_err());
    }
    let good = encode(&[array("a", "i4", &[64], (0..=255).collect())], Tier::Smallest).unwrap();
    for i in 0..good.len() {
        let mut bad = good.clone();
        bad[i] ^= 1;
        let _ = decode(&bad);
        assert!(decode(&good[..i]).is_err());
    }
}
