//! Layers of the loader's benchmark networks, on each instruction set of the machine.
//!
//! `cargo bench -p kompakt-bench --bench kernels` (throughput counts products of kept weights).
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kompakt_kernels::{
    ColumnMatrix, ColumnScratch, Epilogue, Isa, Planes, SlicedMatrix, TapLayout, TapMatrix, Window,
};
use kompakt_testing::{matrix::SparseMatrix, numbers};
use std::sync::Arc;

fn vector(n: usize, zeros: f32) -> Vec<f32> {
    let dice = numbers(3, n);
    numbers(2, n)
        .into_iter()
        .zip(dice)
        .map(|(v, die)| if (die + 1.0) / 2.0 < zeros { 0.0 } else { v })
        .collect()
}

/// The paper's densities and bits.
const LINEAR: [(&str, usize, usize, f32, usize); 5] = [
    ("lenet-300-100 fc1", 300, 784, 0.08, 64),
    ("lenet-300-100 fc2", 100, 300, 0.09, 64),
    ("lenet5 fc1", 500, 800, 0.08, 32),
    ("lenet5 fc2", 10, 500, 0.19, 32),
    ("4096x4096 at 9 %", 4096, 4096, 0.09, 16),
];

fn linear(c: &mut Criterion) {
    for (name, n_rows, n_cols, density, n_levels) in LINEAR {
        let layer = SparseMatrix::random(1, [n_rows, n_cols], density, n_levels);
        let (sliced, columns) = (SlicedMatrix::build(&layer).unwrap(), ColumnMatrix::build(&layer).unwrap());
        let taps = TapMatrix::build(Arc::new(TapLayout::linear(n_cols, 256)), &layer);
        let mut group = c.benchmark_group(name);
        for isa in Isa::available() {
            group.throughput(Throughput::Elements(layer.n_kept() as u64));
            let (x, mostly_zero) = (vector(n_cols, 0.0), vector(n_cols, 0.81));
            let mut y = vec![0.0; n_rows];
            group.bench_function(BenchmarkId::new("sliced", isa), |b| {
                b.iter(|| sliced.apply(isa, &x, Epilogue::default(), &mut y));
            });
            let mut scratch = ColumnScratch::default();
            group.bench_function(BenchmarkId::new("columns, 19 % of x", isa), |b| {
                b.iter(|| columns.apply(isa, &mostly_zero, Epilogue::default(), &mut scratch, &mut y));
            });
            let batch = 64;
            group.throughput(Throughput::Elements((layer.n_kept() * batch) as u64));
            let x = vector(n_cols * batch, 0.0);
            let mut y = vec![0.0; n_rows * batch];
            group.bench_function(BenchmarkId::new("taps, batch 64", isa), |b| {
                let window = Window::line(batch);
                b.iter(|| taps.apply(isa, 0..n_rows, &x, batch, window, Epilogue::default(), &mut y, batch));
            });
        }
    }
}

/// Output channels, input channels, kernel, size of the padded input, density.
const CONVOLUTIONS: [(&str, usize, usize, usize, usize, f32); 4] = [
    ("lenet5 conv1", 20, 1, 5, 28, 0.66),
    ("lenet5 conv2", 50, 20, 5, 12, 0.12),
    ("alexnet conv2, one group", 128, 48, 5, 31, 0.38),
    ("resnet 3x3", 64, 64, 3, 58, 0.15),
];

fn convolution(c: &mut Criterion) {
    for (name, out, channels, kernel, size, density) in CONVOLUTIONS {
        let layer = SparseMatrix::random(1, [out, channels * kernel * kernel], density, 256);
        let planes =
            Planes { channels, size: [size; 2], before: [0; 2], after: [0; 2], stride: [1; 2], row_align: 1 }
                .aligned_for([kernel; 2]);
        let layout = TapLayout::planar(planes.offsets(channels, [kernel; 2], [1; 2]), 1 << 14);
        let taps = TapMatrix::build(Arc::new(layout), &layer);
        let side = size - kernel + 1;
        let x = vector(planes.len(), 0.0);
        let mut y = vec![0.0; out * side * side];
        let window = Window { rows: side, cols: side, x_stride: planes.row_stride(), y_stride: side };
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements((layer.n_kept() * side * side) as u64));
        for isa in Isa::available() {
            group.bench_function(BenchmarkId::new("taps", isa), |b| {
                b.iter(|| taps.apply(isa, 0..out, &x, 1, window, Epilogue::default(), &mut y, side * side));
            });
        }
    }
}

criterion_group!(benches, linear, convolution);
criterion_main!(benches);
