//! The coders against `fixtures/coders`, byte by byte, both ways; and the command that makes those files:
//!
//! ```text
//! cargo test -p kompakt-entropy --test fixtures -- --ignored write
//! ```

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read is a failed test")]

use kompakt_entropy::direct::{Choice, Layout, TileRef, TileShape, encode_tile};
use kompakt_entropy::stream::{Collector, Tables, Tile, TileDecoder};
use kompakt_entropy::{EntropyError, MaskedCodes};
use kompakt_entropy::{
    Isa,
    rans::{Decoder, Encoder, Histogram, Slots, Table},
};
use serde_json::{Value, json};
use std::fs;

#[path = "fixtures/cases.rs"]
mod cases;
use cases::{fixtures, folder, hex, number, numbers, save, unhex};

fn rule<T: std::fmt::Debug>(result: Result<T, EntropyError>) -> String {
    match result {
        Err(EntropyError::Stream { rule, .. }) => rule.to_string(),
        other => format!("{other:?}"),
    }
}

/// A matrix as in the fixtures: -1 is pruned, everything else a code.
struct Matrix {
    rows: usize,
    cols: usize,
    levels: usize,
    negative: usize,
    weights: Vec<i64>,
    mask: Vec<bool>,
    codes: Vec<u8>,
}

impl Matrix {
    fn new(rows: usize, levels: usize, negative: usize, weights: Vec<i64>) -> Self {
        let mask = weights.iter().map(|&w| w >= 0).collect();
        let codes = weights.iter().map(|&w| w.max(0) as u8).collect();
        Self { rows, cols: weights.len() / rows, levels, negative, weights, mask, codes }
    }

    fn of(value: &Value) -> Self {
        let (levels, negative) = (number(value, "levels"), value["negative"].as_u64().unwrap_or(0) as usize);
        Self::new(number(value, "rows"), levels, negative, numbers(&value["weights"]))
    }

    /// Weights by a rule of thumb: row `r` keeps about `densities[r]` of 100; near neighbours have like signs.
    fn grown(cols: usize, densities: &[u64], levels: usize, negative: usize) -> Self {
        let mut seed = 1 + cols as u64 * 31 + levels as u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut before = 0;
        let mut weights = Vec::new();
        for &density in densities {
            for _ in 0..cols {
                let code = random(levels as u64) as i64;
                let sign_flips = (code < negative as i64) != (before < negative as i64);
                let code = if sign_flips && random(3) > 0 { before } else { code };
                let is_kept = random(100) < density;
                before = if is_kept { code } else { before };
                weights.push(if is_kept { code } else { -1 });
            }
        }
        Self::new(densities.len(), levels, negative, weights)
    }

    fn view(&self) -> MaskedCodes<'_> {
        MaskedCodes {
            rows: self.rows,
            channels: self.cols,
            taps: 1,
            mask: Some(&self.mask),
            block: 1,
            trellis: false,
            codes: &self.codes,
            n_levels: self.levels,
            n_negative: self.negative,
        }
    }

    fn shape(&self) -> TileShape {
        TileShape { rows: self.rows, cols: self.cols, n_levels: self.levels }
    }
}

fn read_direct(bytes: &[u8], shape: TileShape) -> Result<Vec<i64>, EntropyError> {
    let mut weights = vec![-1; shape.rows * shape.cols];
    for (r, row) in TileRef::parse(bytes, shape)?.rows().enumerate() {
        for (col, code) in row {
            weights[r * shape.cols + col as usize] = code.into();
        }
    }
    Ok(weights)
}

fn layout(name: &str) -> Layout {
    match name {
        "dense" => Layout::Dense,
        "bitmap" => Layout::Bitmap,
        _ => Layout::Gaps,
    }
}

#[test]
fn direct_tiles_are_written_and_read_so() {
    for (name, case) in fixtures("direct-") {
        let (matrix, bytes) = (Matrix::of(&case), unhex(&case["bytes"]));
        assert_eq!(read_direct(&bytes, matrix.shape()).unwrap(), matrix.weights, "{name}");
        if let Some(named) = case["layout"].as_str() {
            let written = encode_tile(&matrix.view(), Choice::Only(layout(named))).unwrap();
            assert_eq!(hex(&written), hex(&bytes), "{name}");
        }
    }
}

#[test]
fn wrong_direct_tiles_are_refused_by_rule() {
    for (name, case) in fixtures("bad-direct-") {
        let shape = TileShape {
            rows: number(&case, "rows"),
            cols: number(&case, "cols"),
            n_levels: number(&case, "levels"),
        };
        assert_eq!(rule(TileRef::parse(&unhex(&case["bytes"]), shape)), case["rule"], "{name}");
    }
}

type Runs = Vec<(Histogram, Vec<u8>)>;

fn runs(case: &Value) -> Runs {
    let run = |run: &Value| {
        let freqs = numbers(&run["freqs"]).into_iter().map(|f| f as u16).collect();
        let symbols = numbers(&run["symbols"]).into_iter().map(|s| s as u8).collect();
        (Histogram::from_freqs(freqs).unwrap(), symbols)
    };
    case["runs"].as_array().unwrap().iter().map(run).collect()
}

fn write_rans(runs: &Runs, log2_ways: u32) -> Vec<u8> {
    let mut encoder = Encoder::new(log2_ways);
    for (histogram, symbols) in runs.iter().rev() {
        encoder.push(&Slots::new(histogram), symbols);
    }
    encoder.finish()
}

fn read_rans(bytes: &[u8], log2_ways: u32, runs: &Runs, isa: Isa) -> Result<Vec<Vec<u8>>, EntropyError> {
    let mut decoder = Decoder::new(bytes, log2_ways, isa)?;
    let mut all = Vec::new();
    for (histogram, symbols) in runs {
        let mut out = vec![0; symbols.len()];
        decoder.decode(&Table::new(histogram, isa), &mut out)?;
        all.push(out);
    }
    decoder.finish()?;
    Ok(all)
}

#[test]
fn rans_streams_are_written_and_read_so() {
    for (name, case) in fixtures("rans-") {
        let (runs, log2_ways) = (runs(&case), number(&case, "log2_ways") as u32);
        assert_eq!(hex(&write_rans(&runs, log2_ways)), case["bytes"], "{name}");
        for isa in Isa::available() {
            let read = read_rans(&unhex(&case["bytes"]), log2_ways, &runs, isa).unwrap();
            assert!(read.iter().eq(runs.iter().map(|(_, symbols)| symbols)), "{name} {}", isa.name());
        }
    }
}

#[test]
fn wrong_rans_streams_are_refused_by_rule() {
    for (name, case) in fixtures("bad-rans-") {
        for isa in Isa::available() {
            let log2_ways = number(&case, "log2_ways") as u32;
            let read = read_rans(&unhex(&case["bytes"]), log2_ways, &runs(&case), isa);
            assert_eq!(rule(read), case["rule"], "{name} {}", isa.name());
        }
    }
}

fn read_stream(
    tile: &[u8],
    shape: TileShape,
    negative: usize,
    tables: &[u8],
    isa: Isa,
) -> Result<Vec<i64>, EntropyError> {
    let tables = Tables::parse(tables, isa)?;
    let mut decoder = TileDecoder::new(isa);
    Ok(match decoder.decode(tile, shape, negative, &tables)? {
        Tile::Dense { symbols, has_zero } => {
            symbols.iter().map(|&symbol| i64::from(symbol) - i64::from(has_zero)).collect()
        }
        Tile::Sparse(tile) => {
            let mut weights = vec![-1; shape.rows * shape.cols];
            for (row, (cols, codes)) in tile.rows().enumerate() {
                for (&col, &code) in cols.iter().zip(codes) {
                    weights[row * shape.cols + col as usize] = code.into();
                }
            }
            weights
        }
    })
}

/// Tables and tiles of these matrices, each with its rows a tile.
fn write_stream(matrices: &[(Matrix, usize)]) -> (Vec<u8>, Vec<Vec<Vec<u8>>>) {
    let mut collector = Collector::new();
    for (matrix, rows_per_tile) in matrices {
        collector.add(&matrix.view(), *rows_per_tile).unwrap();
    }
    let plan = collector.finish();
    let tiles = (0..).zip(matrices).map(|(i, (matrix, _))| plan.encode(i, &matrix.view()).unwrap());
    let tiles = tiles.collect();
    (plan.tables(), tiles)
}

/// Whether the stored tiles of every matrix decode to its weights.
fn check_stream(name: &str, case: &Value) {
    let tables = unhex(&case["tables"]);
    for stored in case["matrices"].as_array().unwrap() {
        let (matrix, n_rows) = (Matrix::of(stored), number(stored, "rows_per_tile"));
        let mut weights = Vec::new();
        for (i, tile) in stored["tiles"].as_array().unwrap().iter().enumerate() {
            let shape = TileShape { rows: n_rows.min(matrix.rows - i * n_rows), ..matrix.shape() };
            let read = |isa| read_stream(&unhex(tile), shape, matrix.negative, &tables, isa).unwrap();
            let first = read(Isa::SCALAR);
            assert!(Isa::available().all(|isa| read(isa) == first), "{name}");
            weights.extend(first);
        }
        assert_eq!(weights, matrix.weights, "{name}");
    }
}

#[test]
fn stream_tiles_are_written_and_read_so() {
    for (name, case) in fixtures("stream-") {
        check_stream(&name, &case);
        let list = case["matrices"].as_array().unwrap();
        let matrices: Vec<_> = list.iter().map(|m| (Matrix::of(m), number(m, "rows_per_tile"))).collect();
        let (tables, tiles) = write_stream(&matrices);
        assert_eq!(hex(&tables), case["tables"], "{name}");
        for (tiles, stored) in tiles.iter().zip(list) {
            let tiles: Vec<String> = tiles.iter().map(|tile| hex(tile)).collect();
            assert_eq!(json!(tiles), stored["tiles"], "{name}");
        }
    }
}

/// What no encoder here writes any more, but what is right all the same.
#[test]
fn the_example_of_the_specification_decodes() {
    fixtures("example-stream").iter().for_each(|(name, case)| check_stream(name, case));
}

#[test]
fn wrong_stream_tiles_are_refused_by_rule() {
    for (name, case) in fixtures("bad-stream-") {
        let shape = TileShape {
            rows: number(&case, "rows"),
            cols: number(&case, "cols"),
            n_levels: number(&case, "levels"),
        };
        for isa in Isa::available() {
            let (tile, tables) = (unhex(&case["tile"]), unhex(&case["tables"]));
            let read = read_stream(&tile, shape, number(&case, "negative"), &tables, isa);
            assert_eq!(rule(read), case["rule"], "{name} {}", isa.name());
        }
    }
}

#[path = "fixtures/make.rs"]
mod make;
