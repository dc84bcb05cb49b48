//! Streams of the `smallest` coder: what goes in comes out, and nothing that comes in breaks a reader.

use kompakt_entropy::{
    EntropyError, MaskedCodesBuf,
    smallest::{Hints, StreamDecoder, StreamEncoder},
};
use kompakt_testing::trellis::follow;

/// Which models a stream's weights have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Models {
    Rich,
    Quick,
}
use Models::{Quick, Rich};

fn encode(models: Models, weights: &[MaskedCodesBuf], hints: Hints<'_>) -> Vec<u8> {
    let mut encoder = if models == Rich { StreamEncoder::new() } else { StreamEncoder::quick() };
    for tensor in weights {
        encoder.weights(&tensor.view(), hints).expect("valid");
    }
    encoder.finish()
}

fn decode(
    models: Models,
    bytes: &[u8],
    like: &[MaskedCodesBuf],
    hints: Hints<'_>,
) -> Result<Vec<MaskedCodesBuf>, EntropyError> {
    let mut decoder = if models == Rich { StreamDecoder::new(bytes) } else { StreamDecoder::quick(bytes) };
    let mut tensors = Vec::new();
    for tensor in like {
        let shape = [tensor.rows, tensor.channels, tensor.taps];
        let read = MaskedCodesBuf::new(shape, tensor.mask.is_some(), tensor.n_levels, tensor.n_negative)?;
        let mut read = read.with_block(tensor.block).with_trellis(tensor.trellis);
        decoder.weights(&mut read, hints)?;
        tensors.push(read);
    }
    decoder.finish().map(|()| tensors)
}

/// Every mask and every assignment of levels of small tensors, in every shape of that size.
#[test]
fn small_space_round_trip() {
    for shape in [[1, 1, 1], [1, 4, 1], [2, 2, 1], [4, 1, 1], [2, 1, 2], [1, 1, 4], [1, 0, 3], [0, 2, 1]] {
        for (n_levels, n_negative) in [(1, 0), (1, 1), (2, 1), (3, 1), (3, 3)] {
            for has_mask in [false, true] {
                let len = shape.iter().product::<usize>();
                let states = n_levels + usize::from(has_mask);
                for word in 0..states.pow(len as u32) {
                    let mut tensor =
                        MaskedCodesBuf::new(shape, has_mask, n_levels, n_negative).expect("valid");
                    let mut rest = word;
                    for i in 0..len {
                        let (state, kept) = (rest % states, rest % states < n_levels);
                        rest /= states;
                        tensor.codes[i] = if kept { state as u8 } else { 0 };
                        if let Some(mask) = &mut tensor.mask {
                            mask[i] = kept;
                        }
                    }
                    let tensors = [tensor];
                    for models in [Rich, Quick] {
                        let bytes = encode(models, &tensors, Hints::default());
                        let read = decode(models, &bytes, &tensors, Hints::default());
                        assert_eq!(read.unwrap(), tensors, "{word}");
                    }
                }
            }
        }
    }
}

fn random_tensor(u: &mut arbtest::arbitrary::Unstructured<'_>) -> arbtest::arbitrary::Result<MaskedCodesBuf> {
    let shape = [u.int_in_range(0..=9)?, u.int_in_range(0..=4)? * 4, *u.choose(&[1, 4, 9])?];
    let n_levels = *u.choose(&[1, 2, 3, 5, 16, 255, 256])?;
    let n_negative = u.int_in_range(0..=n_levels)?;
    let mut tensor = MaskedCodesBuf::new(shape, u.arbitrary()?, n_levels, n_negative).expect("valid");
    let density: u8 = u.arbitrary()?;
    for i in 0..tensor.codes.len() {
        let kept = match &mut tensor.mask {
            None => true,
            Some(mask) => {
                mask[i] = u.arbitrary::<u8>()? <= density;
                mask[i]
            }
        };
        tensor.codes[i] = if kept { u.int_in_range(0..=n_levels - 1)? as u8 } else { 0 };
    }
    if let Some(mask) = &mut tensor.mask
        && u.arbitrary()?
    {
        let (block, taps, row_len) = (*u.choose(&[2, 4, 8])?, tensor.taps, tensor.channels * tensor.taps);
        tensor.block = block;
        for i in 0..mask.len() {
            let first = i - i % row_len / taps % block * taps;
            mask[i] = mask[first];
            tensor.codes[i] *= u8::from(mask[i]);
        }
    }
    if tensor.block == 1 && n_negative.min(n_levels - n_negative) >= 2 && u.arbitrary()? {
        follow_a_trellis(&mut tensor);
    }
    Ok(tensor)
}

fn follow_a_trellis(tensor: &mut MaskedCodesBuf) {
    let row_len = tensor.channels * tensor.taps;
    follow(&mut tensor.codes, tensor.mask.as_deref(), row_len, tensor.n_levels, tensor.n_negative);
    tensor.trellis = true;
}

#[test]
fn codes_off_the_trellis_are_not_written() {
    let mut tensor = MaskedCodesBuf::new([3, 2, 1], false, 4, 2).unwrap().with_trellis(true);
    for (codes, fits) in [([0, 0, 0, 0, 0, 0], true), ([0, 1, 0, 0, 0, 0], false)] {
        tensor.codes = codes.to_vec();
        let fits = fits && tensor.view().follows_trellis();
        for mut encoder in [StreamEncoder::new(), StreamEncoder::quick()] {
            assert_eq!(encoder.weights(&tensor.view(), Hints::default()).is_ok(), fits);
        }
    }
    follow_a_trellis(&mut tensor);
    assert!(tensor.view().follows_trellis());
    for wrong in [MaskedCodesBuf { n_negative: 1, ..tensor.clone() }, tensor.with_block(2)] {
        assert!(StreamEncoder::new().weights(&wrong.view(), Hints::default()).is_err());
    }
}

fn random_hints<'a>(
    u: &mut arbtest::arbitrary::Unstructured<'_>,
    producer: &'a mut Vec<u32>,
    tensor: &MaskedCodesBuf,
) -> arbtest::arbitrary::Result<Hints<'a>> {
    for _ in 0..tensor.channels {
        producer.push(u.arbitrary()?);
    }
    let grid = match tensor.taps {
        1 => *u.choose(&[None, Some((2, 2)), Some((1, 1))])?,
        4 => *u.choose(&[None, Some((2, 2)), Some((4, 1))])?,
        _ => *u.choose(&[None, Some((3, 3))])?,
    };
    Ok(Hints { producer: u.arbitrary::<bool>()?.then_some(&producer[..]), grid })
}

#[test]
fn random_tensors_round_trip_and_every_truncation_is_an_error_or_canonical() {
    arbtest::arbtest(|u| {
        let tensors = [random_tensor(u)?];
        let mut producer = Vec::new();
        let hints = random_hints(u, &mut producer, &tensors[0])?;
        for models in [Rich, Quick] {
            let bytes = encode(models, &tensors, hints);
            assert_eq!(decode(models, &bytes, &tensors, hints).unwrap(), tensors);
            for end in 0..bytes.len() {
                if let Ok(read) = decode(models, &bytes[..end], &tensors, hints) {
                    assert_eq!(encode(models, &read, hints), &bytes[..end]);
                }
            }
        }
        Ok(())
    });
}

#[test]
fn random_bytes_are_an_error_or_canonical() {
    arbtest::arbtest(|u| {
        let tensors = [random_tensor(u)?];
        let bytes: Vec<u8> = u.arbitrary()?;
        for models in [Rich, Quick] {
            if let Ok(read) = decode(models, &bytes, &tensors, Hints::default()) {
                assert_eq!(encode(models, &read, Hints::default()), bytes);
            }
        }
        Ok(())
    });
}

/// One of each vector of numbers.
#[derive(Debug, Clone, PartialEq)]
struct Numbers {
    singles: Vec<u32>,
    halves: Vec<u16>,
    integers: Vec<i32>,
    codebook: Vec<u32>,
    half_codebook: Vec<u16>,
    ascending: Vec<i32>,
}

impl Numbers {
    fn encode(&self) -> Vec<u8> {
        let singles: Vec<f32> = self.singles.iter().copied().map(f32::from_bits).collect();
        let mut encoder = StreamEncoder::new();
        encoder.numbers_f32(&singles);
        encoder.numbers_f16(&self.halves);
        let singles: Vec<f32> = self.codebook.iter().copied().map(f32::from_bits).collect();
        encoder.codebook_f32(&singles).expect("ascends");
        encoder.codebook_f16(&self.half_codebook).expect("ascends");
        encoder.numbers_int(&self.integers);
        encoder.codebook_int(&self.ascending).expect("ascends");
        encoder.finish()
    }

    fn decode(bytes: &[u8], like: &Self) -> Result<Self, EntropyError> {
        let mut read = like.clone();
        let mut decoder = StreamDecoder::new(bytes);
        let mut singles = vec![0.0; like.singles.len()];
        decoder.numbers_f32(&mut singles)?;
        read.singles = singles.into_iter().map(f32::to_bits).collect();
        decoder.numbers_f16(&mut read.halves)?;
        let mut singles = vec![0.0; like.codebook.len()];
        decoder.codebook_f32(&mut singles)?;
        read.codebook = singles.into_iter().map(f32::to_bits).collect();
        decoder.codebook_f16(&mut read.half_codebook)?;
        decoder.numbers_int(&mut read.integers)?;
        decoder.codebook_int(&mut read.ascending)?;
        decoder.finish().map(|()| read)
    }
}

#[test]
fn numbers_round_trip_and_other_bytes_are_an_error_or_canonical() {
    arbtest::arbtest(|u| {
        let mut numbers = Numbers {
            singles: u.arbitrary()?,
            halves: u.arbitrary()?,
            integers: u.arbitrary()?,
            codebook: u.arbitrary()?,
            half_codebook: u.arbitrary()?,
            ascending: u.arbitrary()?,
        };
        let n: usize = u.int_in_range(0..=60)?;
        numbers.codebook.extend((0..n as u32).map(|i| 0x3D00_0000 + 0x0001_2340 * i));
        numbers.half_codebook.extend((0..n as u16).map(|i| 0xB000 + 0x12 * i));
        if u.arbitrary()? {
            numbers.singles.iter_mut().for_each(|bits| *bits &= 0xFFFF_0000);
            numbers.codebook.iter_mut().for_each(|bits| *bits &= 0xFFFF_FF00);
        } else {
            numbers.singles.extend([0, 0x8000_0000, 0x7FC0_0001, 0xFF80_0000, 1, 0x7F7F_FFFF, 0x3F80_0000]);
            numbers.halves.extend([0, 0x8000, 0x7E01, 0xFC00, 1]);
            numbers.integers.extend([0, 1, -1, i32::MAX, i32::MIN, 5, -300]);
            numbers.ascending.extend([i32::MIN, i32::MAX, 3]);
        }
        // As a codebook ascends: by sign and magnitude, without minus zero.
        numbers.codebook.retain(|&bits| bits != 1 << 31);
        numbers.codebook.sort_unstable_by_key(|&bits| {
            if bits >> 31 == 1 { -i64::from(bits & !(1 << 31)) } else { i64::from(bits) }
        });
        numbers.codebook.dedup();
        numbers.half_codebook.retain(|&bits| bits != 1 << 15);
        numbers.half_codebook.sort_unstable_by_key(|&bits| {
            if bits >> 15 == 1 { -i32::from(bits & !(1 << 15)) } else { i32::from(bits) }
        });
        numbers.half_codebook.dedup();
        numbers.ascending.sort_unstable();
        numbers.ascending.dedup();
        let mut bytes = numbers.encode();
        assert_eq!(Numbers::decode(&bytes, &numbers).unwrap(), numbers);
        if bytes.is_empty() {
            return Ok(());
        }
        let at = u.choose_index(bytes.len())?;
        bytes[at] ^= u.int_in_range(1..=255)?;
        if let Ok(read) = Numbers::decode(&bytes, &numbers) {
            assert_eq!(read.encode(), bytes);
        }
        Ok(())
    });
}

#[test]
fn a_codebook_that_does_not_ascend_is_refused() {
    let mut encoder = StreamEncoder::new();
    assert!(encoder.codebook_int(&[1, 2, 2]).is_err());
    assert!(encoder.codebook_f32(&[0.5, 0.25]).is_err());
    assert!(encoder.codebook_f32(&[-0.0]).is_err());
    assert!(encoder.codebook_f16(&[0xB800, 0xBC00]).is_err());
    assert!(encoder.finish().is_empty());
}

#[test]
fn hints_that_do_not_fit_are_refused() {
    let tensor = MaskedCodesBuf::new([2, 6, 1], true, 4, 2).unwrap();
    for hints in [
        Hints { producer: Some(&[1; 5]), grid: None },
        Hints { producer: None, grid: Some((4, 1)) },
        Hints { producer: None, grid: Some((0, 3)) },
        Hints { producer: None, grid: Some((usize::MAX, 2)) },
    ] {
        assert!(StreamEncoder::new().weights(&tensor.view(), hints).is_err());
    }
}

/// A layer in which some rows (the last, where the packer puts them) and columns keep nothing, and its length.
fn with_dead(rows: usize, cols: usize, [live_rows, live_cols]: [usize; 2], density: u64) -> usize {
    let mut weights = MaskedCodesBuf::new([rows, cols, 1], true, 4, 2).expect("a layer");
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for row in 0..live_rows {
        for col in 0..live_cols {
            if random(100) < density {
                // Live columns lie evenly among the dead.
                let at = row * cols + col * cols / live_cols;
                weights.codes[at] = random(4) as u8;
                weights.mask.as_mut().expect("a mask")[at] = true;
            }
        }
    }
    let mut encoder = StreamEncoder::new();
    encoder.weights(&weights.view(), Hints::default()).expect("valid");
    encoder.finish().len()
}

#[test]
fn dead_rows_and_columns_cost_no_more_than_about_a_flag_each() {
    for density in [2, 8, 20] {
        let alive = with_dead(150, 400, [150, 400], density);
        let dead_rows = with_dead(300, 400, [150, 400], density);
        assert!(dead_rows <= alive + 150 / 16, "{density} %: {alive} {dead_rows}");
        // Scattered, and nothing tells of them: a flag a column would be 75 bytes.
        let dead_cols = with_dead(150, 600, [150, 400], density);
        assert!(dead_cols <= alive + 75 * 11 / 10, "{density} %: {alive} {dead_cols}");
    }
}
