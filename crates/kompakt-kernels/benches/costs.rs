//! What the forms of a matrix cost with one vector, on every instruction set of the machine: the numbers of
//! `kompakt-runtime`'s cost table, in picoseconds a unit, least of 200 runs.
//!
//! `cargo bench -p kompakt-kernels --bench costs`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use kompakt_kernels::{ColumnMatrix, ColumnScratch, Epilogue, Isa, SlicedMatrix, columns, dense};
use kompakt_testing::matrix::SparseMatrix;
use std::{hint::black_box, time::Instant};

const N_ROWS: usize = 1024;
const N_COLS: usize = 1024;
const DENSITY: f32 = 0.2;

/// Picoseconds for each of `n_units`.
fn cost(n_units: usize, mut run: impl FnMut()) -> f64 {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let least = (0..200).map(|_| once(&mut run)).fold(f64::INFINITY, f64::min);
    least * 1e12 / n_units as f64
}

fn main() {
    let x: Vec<f32> = (0..N_COLS).map(|i| (i % 13) as f32 - 5.5).collect();
    let mut y = vec![0.0; N_ROWS];
    for isa in Isa::available() {
        let sliced = [32, 64].map(|n_levels| {
            let layer = SparseMatrix::random(1, [N_ROWS, N_COLS], DENSITY, n_levels);
            let m = SlicedMatrix::build(&layer).unwrap();
            cost(layer.n_kept(), || m.apply(isa, black_box(&x), Epilogue::default(), &mut y))
        });
        let layer = SparseMatrix::random(1, [N_ROWS, N_COLS], DENSITY, 32);
        let (m, mut scratch) = (ColumnMatrix::build(&layer).unwrap(), ColumnScratch::default());
        let scattered =
            cost(layer.n_kept(), || m.apply(isa, black_box(&x), Epilogue::default(), &mut scratch, &mut y));
        let looked = cost(N_COLS, || {
            black_box(columns::count_nonzero(isa, black_box(&x)));
        });
        let codes = vec![1u8; N_COLS];
        let dense_codes = [16, 32, 64, 128, 256].map(|n_levels| {
            let book = SparseMatrix::random(1, [N_ROWS, N_COLS], DENSITY, n_levels).book().clone();
            cost(64 * N_COLS, || {
                (0..64).for_each(|r| y[r] = dense::dot_codes(isa, black_box(&codes), &book, black_box(&x)));
            })
        });
        let dense_values = cost(64 * N_COLS, || {
            (0..64).for_each(|r| y[r] = dense::dot(isa, black_box(&x), black_box(&x)));
        });
        println!("{}:", isa.name());
        println!("    sliced_codes: {:.0}.0, sliced_values: {:.0}.0,", sliced[0], sliced[1]);
        println!("    column_weight: {scattered:.0}.0, column_input: {looked:.0}.0,");
        println!("    dense_codes: {:?},", dense_codes.map(f64::round));
        println!("    dense_values: {dense_values:.0}.0,");
    }
}
