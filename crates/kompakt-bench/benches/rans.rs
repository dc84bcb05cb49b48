//! Throughput of the rANS decoders, by instruction set, alphabet, entropy and ways; of the encoder, by
//! alphabet.
//!
//! ```text
//! cargo bench -p kompakt-bench --bench rans
//! ```
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kompakt_entropy::{
    Isa,
    rans::{Decoder, Encoder, Histogram, Slots, Table},
};
use std::hint::black_box;
use std::time::Duration;

/// As many as the weights of a layer of 1024 x 768.
const N_SYMBOLS: usize = 786_432;

/// Symbols below `alphabet`, each `skew` times as likely as the next; xorshift, so always the same.
fn symbols(alphabet: usize, skew: f64) -> Vec<u8> {
    let weights: Vec<f64> = (0..alphabet).map(|s| skew.powi(-(s as i32))).collect();
    let total: f64 = weights.iter().sum();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut at = (state >> 11) as f64 / (1u64 << 53) as f64 * total;
        let found = weights.iter().position(|w| {
            at -= w;
            at < 0.0
        });
        found.unwrap_or(0) as u8
    };
    (0..N_SYMBOLS).map(|_| draw()).collect()
}

fn counts(symbols: &[u8]) -> [u64; 256] {
    let mut counts = [0; 256];
    symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
    counts
}

fn entropy_bits(counts: &[u64]) -> f64 {
    let n = counts.iter().sum::<u64>() as f64;
    counts.iter().filter(|&&c| c > 0).map(|&c| -(c as f64) / n * (c as f64 / n).log2()).sum()
}

fn bench(criterion: &mut Criterion) {
    let cases = [(2, 4.0), (4, 2.0), (16, 1.0), (16, 1.35), (16, 3.0), (32, 1.1), (256, 1.0), (256, 1.02)];
    for (alphabet, skew) in cases {
        let symbols = symbols(alphabet, skew);
        let counts = counts(&symbols);
        let bits = entropy_bits(&counts);
        let Some(histogram) = Histogram::of_counts(&counts) else { continue };
        let slots = Slots::new(&histogram);
        let mut group = criterion.benchmark_group(format!("rans/{alphabet} symbols, {bits:.2} bits"));
        group.throughput(Throughput::Elements(N_SYMBOLS as u64)).sample_size(20);
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
        let encode = |log2_ways| {
            let mut encoder = Encoder::new(log2_ways);
            encoder.push(&slots, &symbols);
            encoder.finish()
        };
        group.bench_function("encode", |b| b.iter(|| encode(6)));
        for (isa, log2_ways) in Isa::available().flat_map(|isa| [3, 4, 5, 6].map(|w| (isa, w))) {
            let stream = encode(log2_ways);
            let (table, mut out) = (Table::new(&histogram, isa), vec![0; N_SYMBOLS]);
            let id = BenchmarkId::new(isa.name(), format!("{} ways", 1 << log2_ways));
            group.bench_function(id, |b| {
                b.iter(|| {
                    let mut decoder = Decoder::new(black_box(&stream), log2_ways, isa).expect("a stream");
                    decoder.decode(&table, &mut out).expect("a run");
                    decoder.finish().expect("the end");
                });
                assert_eq!(out, symbols);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
