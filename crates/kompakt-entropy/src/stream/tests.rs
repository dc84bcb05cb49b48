//! Round trips of matrices of all kinds, on all instruction sets; invalid tiles and tables.

use super::*;
use crate::Isa;
use crate::direct::TileShape;
use crate::{EntropyError, MaskedCodes};
use alloc::{vec, vec::Vec};
use arbtest::arbitrary::{Result as Arbitrary, Unstructured};

#[derive(Debug, Clone)]
struct Matrix {
    rows: usize,
    cols: usize,
    taps: usize,
    /// Channels that the mask keeps together.
    block: usize,
    n_levels: usize,
    n_negative: usize,
    mask: Option<Vec<bool>>,
    codes: Vec<u8>,
    rows_per_tile: usize,
}

impl Matrix {
    fn view(&self) -> MaskedCodes<'_> {
        MaskedCodes {
            rows: self.rows,
            channels: self.cols / self.taps,
            taps: self.taps,
            mask: self.mask.as_deref(),
            block: self.block,
            trellis: false,
            codes: &self.codes,
            n_levels: self.n_levels,
            n_negative: self.n_negative,
        }
    }

    fn blocks(&self) -> Blocks {
        Blocks { channels: self.block, taps: self.taps }
    }

    /// Rows of different densities, neighbours of like sign.
    fn random(u: &mut Unstructured<'_>) -> Arbitrary<Self> {
        let rows = u.int_in_range(1..=12)?;
        let cols = *u.choose(&[1, 3, 16, 40, 300])?;
        let n_levels = *u.choose(&[1, 2, 3, 4, 15, 16, 17, 64, 255, 256])?;
        let n_negative = u.int_in_range(0..=n_levels)?;
        // Bytes are dear in a test of this kind; a small generator stretches them.
        let mut seed: u64 = u.arbitrary::<u64>()? | 1;
        let mut random = |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 20) % below
        };
        let densities: Vec<u64> =
            (0..rows).map(|_| Ok(*u.choose(&[0, 1, 8, 80, 500, 1000])?)).collect::<Arbitrary<_>>()?;
        let mask: Vec<bool> = (0..rows * cols).map(|i| random(1000) < densities[i / cols]).collect();
        let mask = if u.ratio(1, 6)? { None } else { Some(mask) };
        let taps = if cols % 3 == 0 { *u.choose(&[1, 3])? } else { 1 };
        let block = if mask.is_some() { *u.choose(&[1, 1, 2, 4, 8])? } else { 1 };
        let first = |i: usize| i - i % cols / taps % block * taps;
        let mask = mask.map(|mask| (0..mask.len()).map(|i| mask[first(i)]).collect::<Vec<bool>>());
        let mut before = 0;
        let codes = (0..rows * cols).map(|i| {
            if mask.as_ref().is_some_and(|mask| !mask[i]) {
                return 0;
            }
            if random(3) == 0 {
                before = random(n_levels as u64);
            }
            before as u8
        });
        let codes = codes.collect();
        let rows_per_tile = u.int_in_range(1..=rows)?;
        Ok(Self { rows, cols, taps, block, n_levels, n_negative, mask, codes, rows_per_tile })
    }
}

/// The mask and codes of a decoded tile.
fn expand(tile: Tile<'_>, shape: TileShape) -> (Vec<bool>, Vec<u8>) {
    let n = shape.rows * shape.cols;
    match tile {
        Tile::Dense { symbols, has_zero } => {
            let mask: Vec<bool> = symbols.iter().map(|&symbol| !has_zero || symbol > 0).collect();
            (mask, symbols.iter().map(|&symbol| symbol.saturating_sub(has_zero.into())).collect())
        }
        Tile::Sparse(tile) => {
            let (mut mask, mut all) = (vec![false; n], vec![0; n]);
            assert_eq!(tile.rows().count(), shape.rows);
            for (row, (cols, codes)) in tile.rows().enumerate() {
                assert!(cols.windows(2).all(|pair| pair[0] < pair[1]));
                for (&col, &code) in cols.iter().zip(codes) {
                    let at = row * shape.cols + col as usize;
                    assert!((col as usize) < shape.cols && usize::from(code) < shape.n_levels);
                    mask[at] = true;
                    all[at] = code;
                }
            }
            (mask, all)
        }
    }
}

fn encode(matrices: &[Matrix]) -> (Vec<u8>, Vec<Vec<Vec<u8>>>) {
    let mut collector = Collector::new();
    for (i, matrix) in matrices.iter().enumerate() {
        assert_eq!(collector.add(&matrix.view(), matrix.rows_per_tile), Ok(i));
    }
    let plan = collector.finish();
    let tiles = matrices.iter().enumerate().map(|(i, m)| plan.encode(i, &m.view()).unwrap()).collect();
    (plan.tables(), tiles)
}

fn shapes(matrix: &Matrix) -> impl Iterator<Item = (usize, TileShape)> {
    (0..matrix.rows).step_by(matrix.rows_per_tile).map(|first| {
        let rows = matrix.rows_per_tile.min(matrix.rows - first);
        (first, TileShape { rows, cols: matrix.cols, n_levels: matrix.n_levels })
    })
}

#[test]
fn what_is_written_is_read() {
    arbtest::arbtest(|u| {
        let matrices: Vec<Matrix> =
            (0..u.int_in_range(1..=4)?).map(|_| Matrix::random(u)).collect::<Arbitrary<_>>()?;
        let (tables, tiles) = encode(&matrices);
        for isa in Isa::available() {
            let tables = Tables::parse(&tables, isa).unwrap();
            let mut decoder = TileDecoder::new(isa);
            for (matrix, tiles) in matrices.iter().zip(&tiles) {
                for (tile, (first, shape)) in tiles.iter().zip(shapes(matrix)) {
                    let size = TileSize::read(tile, shape, matrix.blocks(), &tables).unwrap();
                    let tile = decoder
                        .decode_blocks(tile, shape, matrix.blocks(), matrix.n_negative, &tables)
                        .unwrap();
                    let (mask, codes) = expand(tile, shape);
                    assert!(size.max_kept >= mask.iter().filter(|kept| **kept).count());
                    let range = first * matrix.cols..(first + shape.rows) * matrix.cols;
                    assert_eq!(codes, matrix.codes[range.clone()]);
                    let expected = matrix.mask.as_ref().map_or(vec![true; mask.len()], |m| m[range].to_vec());
                    assert_eq!(mask, expected);
                }
            }
        }
        Ok(())
    });
}

/// A tile with a flipped bit, and one cut short: an error or other weights within bounds, the same on every
/// instruction set; never a panic.
#[test]
fn wrong_tiles_and_tables_are_survived() {
    arbtest::arbtest(|u| {
        let matrix = Matrix::random(u)?;
        let (mut tables, mut tiles) = encode(core::slice::from_ref(&matrix));
        let Some((_, shape)) = shapes(&matrix).next() else { return Ok(()) };
        let tile = &mut tiles[0][0];
        if u.ratio(1, 3)? {
            let at = u.choose_index(tables.len())?;
            tables[at] ^= 1 << u.int_in_range(0..=7)?;
        } else {
            let at = u.choose_index(tile.len())?;
            tile[at] ^= 1 << u.int_in_range(0..=7)?;
            if u.ratio(1, 3)? {
                tile.truncate(at);
            }
        }
        let mut found: Option<Result<_, EntropyError>> = None;
        for isa in Isa::available() {
            let Ok(tables) = Tables::parse(&tables, isa) else { continue };
            let mut decoder = TileDecoder::new(isa);
            let result = decoder
                .decode_blocks(tile, shape, matrix.blocks(), matrix.n_negative, &tables)
                .map(|tile| expand(tile, shape));
            assert_eq!(*found.get_or_insert(result.clone()), result, "{}", isa.name());
        }
        Ok(())
    });
}

#[test]
fn any_bytes_are_survived() {
    arbtest::arbtest(|u| {
        let matrix = Matrix::random(u)?;
        let (right, _) = encode(core::slice::from_ref(&matrix));
        let bytes: Vec<u8> = u.arbitrary()?;
        let shape = TileShape { rows: u.int_in_range(0..=9)?, cols: u.int_in_range(0..=99)?, n_levels: 16 };
        for tables in [&bytes, &right] {
            let Ok(tables) = Tables::parse(tables, Isa::best()) else { continue };
            let mut decoder = TileDecoder::new(Isa::best());
            if let Ok(tile) = decoder.decode_blocks(&bytes, shape, matrix.blocks(), 8, &tables) {
                expand(tile, shape);
            }
        }
        Ok(())
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    let matrix = Matrix {
        rows: 2,
        cols: 2,
        taps: 1,
        block: 1,
        n_levels: 2,
        n_negative: 1,
        mask: Some(vec![true, false, false, false]),
        codes: vec![1, 0, 0, 0],
        rows_per_tile: 2,
    };
    let mut collector = Collector::new();
    assert!(collector.add(&matrix.view(), 0).is_err());
    assert!(collector.add(&MaskedCodes { rows: 0, codes: &[], mask: None, ..matrix.view() }, 1).is_err());
    collector.add(&matrix.view(), 2).unwrap();
    let plan = collector.finish();
    assert!(plan.encode(1, &matrix.view()).is_err());
    let other = Matrix { n_levels: 9, codes: vec![8, 0, 0, 0], ..matrix.clone() };
    assert!(plan.encode(0, &other.view()).is_err());
    let tables = Tables::parse(&plan.tables(), Isa::SCALAR).unwrap();
    let tile = plan.encode(0, &matrix.view()).unwrap().remove(0);
    let shape = TileShape { rows: 2, cols: 2, n_levels: 2 };
    let mut decoder = TileDecoder::new(Isa::SCALAR);
    assert!(decoder.decode(&tile, shape, 1, &tables).is_ok());
    let rule = |result: Result<Tile<'_>, EntropyError>| match result {
        Err(EntropyError::Stream { rule, .. }) => rule,
        _ => "none",
    };
    assert_eq!(rule(decoder.decode(&tile, TileShape { rows: 1 << 24, ..shape }, 1, &tables)), "S-1");
    assert_eq!(rule(decoder.decode(&[], shape, 1, &tables)), "S-6");
    assert_eq!(rule(decoder.decode(&[0x80; 5], shape, 1, &tables)), "S-6");
    assert_eq!(rule(decoder.decode(&[8], shape, 1, &tables)), "S-7");
    assert_eq!(rule(decoder.decode(&tile, TileShape { n_levels: 1, ..shape }, 1, &tables)), "S-8");
}
