//! Weights per second through the tiers `direct` and `stream`: check, decode, encode, by density and levels.
//!
//! ```text
//! cargo bench -p kompakt-bench --bench direct
//! ```
//!
//! Throughput counts kept weights. One layer of 1024 x 1024.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kompakt_entropy::Isa;
use kompakt_entropy::direct::{Choice, Layout, TileRef, TileShape, encode_tile};
use kompakt_entropy::stream::{Collector, Tables, TileDecoder, suggested_rows};
use kompakt_entropy::{MaskedCodes, MaskedCodesBuf};
use std::hint::black_box;
use std::time::Duration;

const SIDE: usize = 1024;

/// Weights of which `density` of 100 are kept, with codes of a bell-shaped distribution; deterministic.
fn layer(density: u64, n_levels: usize) -> MaskedCodesBuf {
    let mut weights = MaskedCodesBuf::new([SIDE, SIDE, 1], true, n_levels, n_levels / 2).expect("a layer");
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % below
    };
    let mask: Vec<bool> = (0..SIDE * SIDE).map(|_| random(100) < density).collect();
    for (code, _) in weights.codes.iter_mut().zip(&mask).filter(|(_, kept)| **kept) {
        *code = ((random(n_levels as u64) + random(n_levels as u64)) / 2) as u8;
    }
    weights.mask = Some(mask);
    weights
}

fn bench(criterion: &mut Criterion) {
    for (density, n_levels) in [(9, 16), (9, 256), (30, 16), (100, 16)] {
        let layer = layer(density, n_levels);
        let weights = layer.view();
        let name = format!("{density} % of {SIDE} x {SIDE}, {n_levels} levels");
        direct(criterion, &name, &weights);
        stream(criterion, &name, &weights);
    }
}

fn direct(criterion: &mut Criterion, name: &str, weights: &MaskedCodes<'_>) {
    let mut group = criterion.benchmark_group(format!("direct/{name}"));
    group.throughput(Throughput::Elements(weights.n_kept() as u64)).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    group.bench_function("encode", |b| b.iter(|| encode_tile(weights, Choice::Smallest)));
    let shape = TileShape::of(weights);
    let (mut cols, mut codes) = (vec![0; SIDE], vec![0; SIDE]);
    for layout in [Layout::Dense, Layout::Bitmap, Layout::Gaps] {
        let Ok(bytes) = encode_tile(weights, Choice::Only(layout)) else { continue };
        group.bench_function(BenchmarkId::new("check", format!("{layout:?}")), |b| {
            b.iter(|| TileRef::parse(black_box(&bytes), shape).map(|tile| tile.n_kept()));
        });
        let tile = TileRef::parse(&bytes, shape).expect("a tile");
        group.bench_function(BenchmarkId::new("decode", format!("{layout:?}")), |b| {
            b.iter(|| tile.rows().map(|row| row.decode_into(&mut cols, &mut codes)).sum::<usize>());
        });
    }
    group.finish();
}

fn stream(criterion: &mut Criterion, name: &str, weights: &MaskedCodes<'_>) {
    let mut group = criterion.benchmark_group(format!("stream/{name}"));
    group.throughput(Throughput::Elements(weights.n_kept() as u64)).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    let n_rows = suggested_rows(weights);
    let plan = || {
        let mut collector = Collector::new();
        collector.add(weights, n_rows).expect("a layer");
        collector.finish()
    };
    group.bench_function("count", |b| b.iter(plan));
    let plan = plan();
    group.bench_function("encode", |b| b.iter(|| plan.encode(0, weights)));
    let tiles = plan.encode(0, weights).expect("the layer");
    for isa in Isa::available() {
        let tables = Tables::parse(&plan.tables(), isa).expect("tables");
        let mut decoder = TileDecoder::new(isa);
        group.bench_function(BenchmarkId::new("decode", isa.name()), |b| {
            b.iter(|| {
                for (i, tile) in tiles.iter().enumerate() {
                    let rows = n_rows.min(SIDE - i * n_rows);
                    let shape = TileShape { rows, ..TileShape::of(weights) };
                    black_box(decoder.decode(tile, shape, weights.n_negative, &tables)).expect("a tile");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
