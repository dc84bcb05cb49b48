//! Handwritten tiles, random tiles, and bytes that are not tiles.

use super::*;
use crate::{EntropyError, Isa, MaskedCodes};
use alloc::{vec, vec::Vec};
use arbtest::arbitrary::{Result as Arbitrary, Unstructured};

const LAYOUTS: [Layout; 3] = [Layout::Dense, Layout::Bitmap, Layout::Gaps];

struct Sample {
    rows: usize,
    cols: usize,
    n_levels: usize,
    mask: Option<Vec<bool>>,
    codes: Vec<u8>,
}

impl Sample {
    fn view(&self) -> MaskedCodes<'_> {
        MaskedCodes {
            rows: self.rows,
            channels: self.cols,
            taps: 1,
            mask: self.mask.as_deref(),
            block: 1,
            trellis: false,
            codes: &self.codes,
            n_levels: self.n_levels,
            n_negative: 0,
        }
    }

    fn random(u: &mut Unstructured<'_>) -> Arbitrary<Self> {
        let rows = u.int_in_range(1..=6)?;
        let cols = *u.choose(&[1, 2, 7, 8, 9, 25, 63, 64, 65, 300, 1000])?;
        let n_levels = *u.choose(&[1, 2, 3, 4, 5, 15, 16, 17, 64, 255, 256])?;
        let kept_of_256 = *u.choose(&[0, 1, 3, 20, 128, 255])?;
        let mask = if u.ratio(1, 5)? {
            None
        } else {
            Some(
                (0..rows * cols)
                    .map(|_| Ok(u.int_in_range(0..=255)? < kept_of_256))
                    .collect::<Arbitrary<_>>()?,
            )
        };
        let codes = (0..rows * cols)
            .map(|i| {
                let code = u.int_in_range(0..=n_levels - 1)?;
                Ok(if mask.as_ref().is_none_or(|m: &Vec<bool>| m[i]) { code as u8 } else { 0 })
            })
            .collect::<Arbitrary<_>>()?;
        Ok(Self { rows, cols, n_levels, mask, codes })
    }

    fn row(&self, row: usize) -> Vec<(u32, u8)> {
        (0..self.cols)
            .map(|col| (col, row * self.cols + col))
            .filter(|&(_, i)| self.view().is_kept(i))
            .map(|(col, i)| (col as u32, self.codes[i]))
            .collect()
    }
}

fn read(bytes: &[u8], shape: TileShape) -> Result<Vec<Vec<(u32, u8)>>, EntropyError> {
    let tile = TileRef::parse(bytes, shape)?;
    let mut rows = Vec::new();
    for row in tile.rows() {
        let listed: Vec<_> = row.into_iter().collect();
        // With the least room, and with more than vectors need.
        for (isa, more) in Isa::available().flat_map(|isa| [0, 16].map(|more| (isa, more))) {
            let n_room = tile.max_row_kept() + more;
            let (mut cols, mut codes) = (vec![0; n_room], vec![0; n_room]);
            let n = row.decode_on(isa, &mut cols, &mut codes);
            let decoded: Vec<_> = cols[..n].iter().copied().zip(codes[..n].iter().copied()).collect();
            assert_eq!(decoded, listed, "{:?}, {}", tile.layout(), isa.name());
        }
        assert!(
            listed
                .iter()
                .all(|&(col, code)| (col as usize) < shape.cols && usize::from(code) < shape.n_levels)
        );
        rows.push(listed);
    }
    assert_eq!(tile.n_kept(), rows.iter().map(Vec::len).sum::<usize>());
    assert_eq!(tile.max_row_kept(), rows.iter().map(Vec::len).max().unwrap_or(0));
    for start in 0..=rows.len() {
        let from: Vec<Vec<_>> = tile.rows_from(start).map(|row| row.into_iter().collect()).collect();
        assert_eq!(from, rows[start..]);
    }
    Ok(rows)
}

/// The row of the module page, its bytes worked out by hand.
#[test]
fn the_picture_of_the_module_page() {
    let mask = [0, 1, 0, 0, 1, 0, 0, 1].map(|kept| kept == 1);
    let sample = Sample {
        rows: 1,
        cols: 8,
        n_levels: 4,
        mask: Some(mask.to_vec()),
        codes: vec![0, 3, 0, 0, 1, 0, 0, 2],
    };
    let shape = TileShape::of(&sample.view());
    // Dense: tag 0 with "has zero", then 0 4 0 0 2 0 0 3 in 3 bits each.
    // Bitmap: tag 1, count 3, map, codes 3 1 2 in 2 bits each. Gaps: tag 2, width 2, count 3, gaps 1 2 2, codes.
    let by_hand: [&[u8]; 3] = [&[4, 0x20, 0x20, 0x60], &[1, 3, 0x92, 0x27], &[2, 2, 3, 0x29, 0x27]];
    for (layout, expected) in LAYOUTS.into_iter().zip(by_hand) {
        let bytes = encode_tile(&sample.view(), Choice::Only(layout)).unwrap();
        assert_eq!(bytes, expected, "{layout:?}");
        assert_eq!(read(&bytes, shape).unwrap(), [sample.row(0)]);
    }
    assert_eq!(sizes(&sample.view()), Sizes { dense: Some(4), bitmap: 4, gaps: 5, gap_bits: 2 });
}

/// A gap of 7 in 2 bits: two fillers of 3 and a rest of 1.
#[test]
fn fillers_stand_for_long_gaps() {
    let shape = TileShape { rows: 1, cols: 9, n_levels: 2 };
    let with_fillers = [0b1_0010, 2, 1, 2, 0b01_11_11, 1];
    assert_eq!(read(&with_fillers, shape).unwrap(), [[(7, 1)]]);
    let refused: [(&str, &[u8]); 12] = [
        ("D-2", &[3, 2, 1, 1, 1]),
        ("D-2", &[0b10_0010, 2, 1, 2, 0b01_11_11, 1]),
        ("D-2", &[0b1_1110, 2, 1, 2, 0b01_11_11, 1]),
        ("D-2", &[0b1_0010, 0, 1, 2, 0b01_11_11, 1]),
        ("D-2", &[0b1_0010, 17, 1, 2, 0b01_11_11, 1]),
        ("D-3", &[0b1_0010, 2, 1, 2, 0b01_11_11]),
        ("D-3", &[0b1_0010, 2, 1, 2, 0b01_11_11, 1, 0]),
        ("D-5", &[0b1_0010, 2, 1, 2, 0b11_01_11_11, 1]),
        ("D-5", &[0b1_0010, 2, 1, 2, 0b01_11_11, 3]),
        ("D-7", &[0b1_0010, 2, 1, 3, 0b01_11_11_11, 1]),
        ("D-8", &[0b1_0010, 2, 1, 1, 0b01_01, 1]),
        ("D-8", &[0b1_0010, 2, 1, 1, 0b11_01, 1]),
    ];
    for (expected, bytes) in refused {
        match read(bytes, shape) {
            Err(EntropyError::Stream { rule, .. }) => assert_eq!(rule, expected, "{bytes:?}"),
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
}

#[test]
fn dense_and_bitmap_refuse_what_breaks_their_rules() {
    let shape = TileShape { rows: 1, cols: 3, n_levels: 3 };
    assert_eq!(read(&[0, 0b10_01_00], shape).unwrap(), [[(0, 0), (1, 1), (2, 2)]]);
    assert_eq!(read(&[4, 0b11_01_00], shape).unwrap(), [[(1, 0), (2, 2)]]);
    assert_eq!(read(&[1, 2, 0b110, 0b10_01], shape).unwrap(), [[(1, 1), (2, 2)]]);
    let refused: [(&str, &[u8]); 10] = [
        ("D-2", &[8, 0b10_01_00]),
        ("D-4", &[0, 0b11_01_00]),
        ("D-5", &[0, 0b1_10_01_00 << 1]),
        ("D-3", &[]),
        ("D-3", &[0]),
        ("D-2", &[0b1_0001, 2, 0b110, 0b10_01]),
        ("D-2", &[0b1101, 2, 0b110, 0b10_01]),
        ("D-5", &[1, 2, 0b1110, 0b10_01]),
        ("D-6", &[1, 2, 0b111, 0b10_01]),
        ("D-4", &[1, 2, 0b110, 0b11_01]),
    ];
    for (expected, bytes) in refused {
        match read(bytes, shape) {
            Err(EntropyError::Stream { rule, .. }) => assert_eq!(rule, expected, "{bytes:?}"),
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
    for wrong in [
        TileShape { rows: 0, ..shape },
        TileShape { cols: 0, ..shape },
        TileShape { cols: (1 << 28) + 1, ..shape },
        TileShape { n_levels: 0, ..shape },
        TileShape { n_levels: 257, ..shape },
    ] {
        assert!(matches!(TileRef::parse(&[0, 0], wrong), Err(EntropyError::Stream { rule: "D-1", .. })));
    }
}

#[test]
fn what_is_written_is_read_and_is_as_long_as_foretold() {
    arbtest::arbtest(|u| {
        let sample = Sample::random(u)?;
        let (view, shape) = (sample.view(), TileShape::of(&sample.view()));
        let expected: Vec<_> = (0..sample.rows).map(|row| sample.row(row)).collect();
        let sizes = sizes(&view);
        let foretold = [sizes.dense, Some(sizes.bitmap), Some(sizes.gaps)];
        for (layout, foretold) in LAYOUTS.into_iter().zip(foretold) {
            match (encode_tile(&view, Choice::Only(layout)), foretold) {
                (Ok(bytes), Some(n_bytes)) => {
                    assert_eq!(bytes.len(), n_bytes, "{layout:?}");
                    assert_eq!(read(&bytes, shape).unwrap(), expected, "{layout:?}");
                }
                (Err(_), None) => assert_eq!((layout, sample.n_levels), (Layout::Dense, 256)),
                (result, _) => panic!("{layout:?}: {result:?}, foretold {foretold:?}"),
            }
        }
        let smallest = encode_tile(&view, Choice::Smallest).unwrap();
        assert_eq!(Some(smallest.len()), foretold.into_iter().flatten().min());
        for choice in [Choice::Smallest, Choice::Fastest] {
            assert_eq!(read(&encode_tile(&view, choice).unwrap(), shape).unwrap(), expected);
        }
        Ok(())
    });
}

/// Any bytes: an error or a tile that can be read, never a panic. Half of them start from a valid tile.
#[test]
fn any_bytes_are_survived() {
    arbtest::arbtest(|u| {
        let shape = TileShape {
            rows: u.int_in_range(1..=5)?,
            cols: u.int_in_range(1..=70)?,
            n_levels: u.int_in_range(1..=256)?,
        };
        let bytes: Vec<u8> = u.arbitrary()?;
        let _ = read(&bytes, shape);
        let sample = Sample::random(u)?;
        let mut bytes = encode_tile(&sample.view(), Choice::Smallest).unwrap();
        let at = u.choose_index(bytes.len())?;
        bytes[at] ^= 1 << u.int_in_range(0..=7)?;
        let _ = read(&bytes, TileShape::of(&sample.view()));
        assert!(read(&bytes[..at], TileShape::of(&sample.view())).is_err());
        Ok(())
    });
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let view = Sample { rows: 1, cols: 2, n_levels: 2, mask: None, codes: vec![0, 2] };
    assert!(encode_tile(&view.view(), Choice::Smallest).is_err());
    let none = Sample { rows: 0, cols: 2, n_levels: 2, mask: None, codes: vec![] };
    assert!(encode_tile(&none.view(), Choice::Smallest).is_err());
}
