//! The coders' streams, each behind a few bytes that say what its reader knows beforehand.

use crate::{Fixtures, corpus::unhex};
use kompakt_entropy::{
    EntropyError, Isa, MaskedCodesBuf,
    direct::{TileRef, TileShape},
    rans::{Decoder, Histogram, Table},
    smallest::{Hints, StreamDecoder, StreamEncoder},
    stream::{Blocks, Tables, Tile, TileDecoder, TileSize},
};
use serde_json::Value;

/// Takes bytes from the front of an input; zeros beyond its end.
struct Front<'a>(&'a [u8]);

impl<'a> Front<'a> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn pair(&mut self) -> usize {
        self.byte() | self.byte() << 8
    }

    fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        first
    }
}

/// All engines of this machine must agree.
fn same_everywhere<T: PartialEq + std::fmt::Debug>(read: impl Fn(Isa) -> Result<T, EntropyError>) {
    let first = read(Isa::SCALAR).ok();
    for engine in Isa::available() {
        assert!(read(engine).ok() == first, "{} and scalar disagree", engine.name());
    }
}

/// Input: rows, channels, taps (a byte each), levels - 1, negative levels, flags (masked, codebook before, with a
/// producer, with a grid, quick models; two bits, how many channels a block has), then a stream of weights and 8 numbers of each kind.
pub(crate) fn smallest(bytes: &[u8]) {
    let mut front = Front(bytes);
    let shape = [front.byte(), front.byte(), front.byte() % 26];
    let (n_levels, n_negative, flags) = (front.byte() + 1, front.byte(), front.byte());
    let Ok(weights) = MaskedCodesBuf::new(shape, flags & 1 > 0, n_levels, n_negative) else { return };
    let mut weights = weights.with_block(1 << (flags >> 5 & 3));
    let mut decoder =
        if flags & 16 > 0 { StreamDecoder::quick(front.0) } else { StreamDecoder::new(front.0) };
    let _ = read_smallest(&mut decoder, &mut weights, flags);
    let _ = decoder.finish();
}

fn read_smallest(
    decoder: &mut StreamDecoder<'_>,
    weights: &mut MaskedCodesBuf,
    flags: usize,
) -> Result<(), EntropyError> {
    let producer: Vec<u32> = (0..weights.channels as u32).map(|i| i % 7).collect();
    let hints = Hints {
        producer: (flags & 4 > 0).then_some(&producer),
        grid: (flags & 8 > 0).then_some((weights.taps, 1)),
    };
    if flags & 2 > 0 {
        let mut codebook = vec![0.0; weights.n_levels];
        decoder.codebook_f32(&mut codebook)?;
    }
    decoder.weights(weights, hints)?;
    assert!(
        weights.codes.iter().all(|&code| usize::from(code) < weights.n_levels),
        "a code past the codebook"
    );
    decoder.numbers_f32(&mut [0.0; 8])?;
    decoder.numbers_f16(&mut [0; 8])?;
    decoder.numbers_int(&mut [0; 8])?;
    decoder.codebook_f16(&mut [0; 3])?;
    decoder.codebook_int(&mut [0; 3])
}

/// Encoded small tensors, in every combination of flags.
pub(crate) fn smallest_corpus(_: &Fixtures) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    let shapes = [([5, 12, 1], 4), ([3, 2, 9], 8), ([20, 30, 1], 32)];
    for (([rows, channels, taps], n_levels), flags) in
        shapes.iter().flat_map(|s| (0..32u8).chain([65, 85]).map(move |f| (*s, f)))
    {
        if let Some(stream) = write_smallest([rows, channels, taps], n_levels, flags) {
            let head =
                [rows as u8, channels as u8, taps as u8, (n_levels - 1) as u8, (n_levels / 2) as u8, flags];
            inputs.push([&head[..], &stream].concat());
        }
    }
    inputs
}

fn write_smallest(shape: [usize; 3], n_levels: usize, flags: u8) -> Option<Vec<u8>> {
    let block = 1 << (flags >> 5 & 3);
    let mut weights =
        MaskedCodesBuf::new(shape, flags & 1 > 0, n_levels, n_levels / 2).ok()?.with_block(block);
    let (taps, row_len) = (weights.taps, weights.channels * weights.taps);
    let mut random = crate::Mutation::new(n_levels as u64);
    for i in 0..weights.codes.len() {
        let is_kept = weights.mask.as_mut().is_none_or(|mask| {
            let first = i - i % row_len / taps % block * taps;
            mask[i] = if first < i { mask[first] } else { random.below(5) == 0 };
            mask[i]
        });
        weights.codes[i] = if is_kept { random.below(n_levels) as u8 } else { 0 };
    }
    let producer: Vec<u32> = (0..weights.channels as u32).map(|i| i % 7).collect();
    let hints = Hints {
        producer: (flags & 4 > 0).then_some(&producer),
        grid: (flags & 8 > 0).then_some((weights.taps, 1)),
    };
    let mut encoder = if flags & 16 > 0 { StreamEncoder::quick() } else { StreamEncoder::new() };
    if flags & 2 > 0 {
        let codebook: Vec<f32> = (0..n_levels).map(|i| i as f32 - n_levels as f32 / 2.0).collect();
        encoder.codebook_f32(&codebook).ok()?;
    }
    encoder.weights(&weights.view(), hints).ok()?;
    encoder.numbers_f32(&[0.5, -0.25, 3.0, 1e-3, 0.0, 7.5, -8.0, 2.0]);
    encoder.numbers_f16(&[0x3c00, 0xbc00, 0, 1, 2, 3, 0x4000, 0x3800]);
    encoder.numbers_int(&[1, -2, 3, 0, 100, -100, 5, 6]);
    encoder.codebook_f16(&[0xbc00, 0x3800, 0x3c00]).ok()?;
    encoder.codebook_int(&[-3, 2, 9]).ok()?;
    Some(encoder.finish())
}

/// Input: rows, columns (two bytes each; above 13 bits of rows: whether there are 3 taps, how many channels a block has), levels - 1, negative levels, length of the tables (two bytes), the tables,
/// a tile.
pub(crate) fn stream(bytes: &[u8]) {
    let mut front = Front(bytes);
    let (rows, cols) = (front.pair(), front.pair());
    let blocks = Blocks { channels: 1 << (rows >> 14), taps: 1 + (rows >> 12 & 2) };
    let rows = rows & 0x1fff;
    let (n_levels, n_negative) = (front.byte() + 1, front.byte());
    let n_tables = front.pair();
    let tables = front.bytes(n_tables);
    let shape = TileShape { rows, cols, n_levels };
    same_everywhere(|engine| {
        let tables = Tables::parse(tables, engine)?;
        let mut decoder = TileDecoder::new(engine);
        let size = TileSize::read(front.0, shape, blocks, &tables);
        let tile = decoder.decode_blocks(front.0, shape, blocks, n_negative, &tables)?;
        check_tile(&tile, shape);
        let n_kept = match &tile {
            Tile::Sparse(tile) => tile.n_kept(),
            Tile::Dense { symbols, has_zero } => symbols.iter().filter(|&&s| !has_zero || s > 0).count(),
        };
        assert!(size?.max_kept >= n_kept, "a tile keeps more than its front says");
        Ok(match tile {
            Tile::Dense { symbols, has_zero } => (symbols.to_vec(), vec![u32::from(has_zero)], vec![]),
            Tile::Sparse(tile) => {
                let codes = tile.rows().flat_map(|(_, codes)| codes).copied().collect();
                let ends = tile.rows().map(|(cols, _)| cols.len() as u32).collect();
                (codes, ends, tile.rows().flat_map(|(cols, _)| cols).copied().collect())
            }
        })
    });
}

fn check_tile(tile: &Tile<'_>, shape: TileShape) {
    match *tile {
        Tile::Dense { symbols, has_zero } => {
            let n_symbols = shape.n_levels + usize::from(has_zero);
            assert!(symbols.iter().all(|&s| usize::from(s) < n_symbols), "a code past the codebook");
        }
        Tile::Sparse(tile) => {
            for (cols, codes) in tile.rows() {
                assert!(
                    codes.iter().all(|&code| usize::from(code) < shape.n_levels),
                    "a code past the codebook"
                );
                assert!(cols.windows(2).all(|w| w[0] < w[1]), "columns that do not ascend");
                assert!(cols.last().is_none_or(|&col| (col as usize) < shape.cols), "a column past the last");
            }
        }
    }
}

pub(crate) fn stream_corpus(fixtures: &Fixtures) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for case in fixtures.coder_cases("stream-") {
        let Some(tables) = unhex(&case["tables"]) else { continue };
        let mut put = |rows: usize, cols: usize, levels: usize, negative: usize, tile: &Value| {
            if let Some(tile) = unhex(tile) {
                let head =
                    [&pair(rows)[..], &pair(cols), &[levels.wrapping_sub(1) as u8, negative as u8]].concat();
                for blocks in [0, 0x80, 0xa0] {
                    let mut head = head.clone();
                    head[1] |= blocks;
                    inputs.push([&head[..], &pair(tables.len()), &tables, &tile].concat());
                }
            }
        };
        if let Some(tile) = case.get("tile") {
            put(
                number(&case["rows"]),
                number(&case["cols"]),
                number(&case["levels"]),
                number(&case["negative"]),
                tile,
            );
        }
        for matrix in case["matrices"].as_array().into_iter().flatten() {
            let (rows, per_tile) = (number(&matrix["rows"]), number(&matrix["rows_per_tile"]));
            let n_weights = matrix["weights"].as_array().map_or(0, Vec::len);
            let (levels, negative) = (number(&matrix["levels"]), number(&matrix["negative"]));
            for (i, tile) in matrix["tiles"].as_array().into_iter().flatten().enumerate() {
                put(per_tile.min(rows - i * per_tile), n_weights / rows.max(1), levels, negative, tile);
            }
        }
    }
    inputs
}

fn pair(n: usize) -> [u8; 2] {
    (n as u16).to_le_bytes()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap_or(0) as usize
}

/// Input: log2 of the ways, symbols of the alphabet - 1, how many to read (two bytes), a weight for each symbol, a
/// stream.
pub(crate) fn rans(bytes: &[u8]) {
    let mut front = Front(bytes);
    let (log2_ways, n_symbols, n) = (front.byte() as u32, front.byte() + 1, front.pair());
    let counts: Vec<u64> = (0..n_symbols).map(|_| front.byte() as u64).collect();
    let Some(histogram) = Histogram::of_counts(&counts) else { return };
    same_everywhere(|engine| {
        let mut decoder = Decoder::new(front.0, log2_ways, engine)?;
        let mut symbols = vec![0; n];
        decoder.decode(&Table::new(&histogram, engine), &mut symbols)?;
        decoder.finish()?;
        assert!(symbols.iter().all(|&s| counts[usize::from(s)] > 0), "a symbol that has no slot");
        Ok(symbols)
    });
}

pub(crate) fn rans_corpus(_: &Fixtures) -> Vec<Vec<u8>> {
    use kompakt_entropy::rans::{Encoder, Slots};
    let mut inputs = Vec::new();
    let mut random = crate::Mutation::new(1);
    for (log2_ways, n_symbols) in [(0, 2), (2, 5), (5, 16), (6, 16), (6, 256), (5, 1)] {
        let counts: Vec<u64> = (0..n_symbols).map(|i| 1 + 200 / (i + 1)).collect();
        let Some(histogram) = Histogram::of_counts(&counts) else { continue };
        let symbols: Vec<u8> = (0..500).map(|_| random.below(n_symbols as usize) as u8).collect();
        let mut encoder = Encoder::new(log2_ways);
        encoder.push(&Slots::new(&histogram), &symbols);
        let counts: Vec<u8> = counts.iter().map(|&count| count as u8).collect();
        let head = [&[log2_ways as u8, (n_symbols - 1) as u8][..], &pair(symbols.len()), &counts].concat();
        inputs.push([head, encoder.finish()].concat());
    }
    inputs
}

/// Input: rows, columns (two bytes each), levels - 1, a tile.
pub(crate) fn direct(bytes: &[u8]) {
    let mut front = Front(bytes);
    let shape = TileShape { rows: front.pair(), cols: front.pair(), n_levels: front.byte() + 1 };
    let Ok(tile) = TileRef::parse(front.0, shape) else { return };
    let (mut n_kept, mut longest) = (0, 0);
    for row in tile.rows() {
        let mut last = None;
        let mut n_row = 0;
        for (col, code) in row {
            assert!(
                last.is_none_or(|last| last < col) && (col as usize) < shape.cols,
                "a column out of order"
            );
            assert!(usize::from(code) < shape.n_levels, "a code past the codebook");
            (last, n_row) = (Some(col), n_row + 1);
        }
        n_kept += n_row;
        longest = longest.max(n_row);
    }
    assert_eq!(
        (n_kept, longest),
        (tile.n_kept(), tile.max_row_kept()),
        "the tile counts otherwise than its rows"
    );
}

pub(crate) fn direct_corpus(fixtures: &Fixtures) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for case in fixtures.coder_cases("direct-") {
        let Some(tile) = unhex(&case["bytes"]) else { continue };
        let rows = number(&case["rows"]);
        let cols = case["weights"].as_array().map_or(number(&case["cols"]), |w| w.len() / rows.max(1));
        let head = [&pair(rows)[..], &pair(cols), &[number(&case["levels"]).wrapping_sub(1) as u8]].concat();
        inputs.push([head, tile].concat());
    }
    inputs
}
