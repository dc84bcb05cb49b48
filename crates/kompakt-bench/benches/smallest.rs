//! Weights per second through the tier `smallest`, encoded and decoded, by density, levels and entropy.
//!
//! ```text
//! cargo bench -p kompakt-bench --bench smallest
//! ```
//!
//! Throughput counts all weights, pruned ones too. One layer of 512 x 512, as a line, an image and kernels.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kompakt_entropy::MaskedCodesBuf;
use kompakt_entropy::smallest::{Hints, StreamDecoder, StreamEncoder};
use std::hint::black_box;
use std::time::Duration;

const SIDE: usize = 512;

/// Weights of which about `density` of 1000 are kept, each level `skew` times as likely as the next outward.
fn layer(density: u64, n_levels: usize, skew: f64, taps: usize) -> MaskedCodesBuf {
    let shape = [SIDE, SIDE / taps, taps];
    let mut weights = MaskedCodesBuf::new(shape, true, n_levels, n_levels / 2).expect("a layer");
    let shares: Vec<f64> =
        (0..n_levels).map(|code| skew.powi(-(code.abs_diff(n_levels / 2) as i32))).collect();
    let total: f64 = shares.iter().sum();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 11
    };
    let len = weights.codes.len();
    let mask: Vec<bool> = (0..len).map(|_| random() % 1000 < density).collect();
    for (code, _) in weights.codes.iter_mut().zip(&mask).filter(|(_, kept)| **kept) {
        let mut at = random() as f64 / (1u64 << 53) as f64 * total;
        let found = shares.iter().position(|share| {
            at -= share;
            at < 0.0
        });
        *code = found.unwrap_or(n_levels / 2) as u8;
    }
    weights.mask = Some(mask);
    weights
}

fn encode(weights: &MaskedCodesBuf, hints: Hints<'_>, is_quick: bool) -> Vec<u8> {
    let mut encoder = if is_quick { StreamEncoder::quick() } else { StreamEncoder::new() };
    encoder.weights(&weights.view(), hints).expect("a layer");
    encoder.finish()
}

fn bench(criterion: &mut Criterion) {
    let cases = [
        ("line", 80, 16, 1.0, 1, None),
        ("line", 80, 16, 2.0, 1, None),
        ("line", 80, 4, 1.0, 1, None),
        ("line", 80, 256, 1.0, 1, None),
        ("line", 10, 4, 1.0, 1, None),
        ("line", 300, 16, 1.3, 1, None),
        ("line", 1000, 16, 1.3, 1, None),
        ("image of 16 x 32", 80, 16, 1.3, 1, Some((16, 32))),
        ("kernels of 4 x 4", 300, 16, 1.3, 16, Some((4, 4))),
    ];
    let both = cases.into_iter().flat_map(|case| [(false, case), (true, case)]);
    for (is_quick, (kind, density, n_levels, skew, taps, grid)) in both {
        let models = if is_quick { "quick" } else { "rich" };
        let weights = layer(density, n_levels, skew, taps);
        let hints = Hints { producer: None, grid };
        let bytes = encode(&weights, hints, is_quick);
        let kept = weights.view().n_kept();
        let bits = bytes.len() as f64 * 8.0 / kept as f64;
        let name = format!(
            "smallest/{models}, {kind}, {:.1} % kept, {n_levels} levels, {bits:.2} bits",
            density as f64 / 10.0
        );
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(weights.codes.len() as u64)).sample_size(10);
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
        group.bench_function("encode", |b| b.iter(|| encode(black_box(&weights), hints, is_quick)));
        let mut read = weights.clone();
        group.bench_function("decode", |b| {
            b.iter(|| {
                let bytes = black_box(&bytes);
                let mut decoder =
                    if is_quick { StreamDecoder::quick(bytes) } else { StreamDecoder::new(bytes) };
                decoder.weights(&mut read, hints).expect("the layer");
                decoder.finish().expect("the end");
            });
        });
        assert_eq!(read, weights);
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
