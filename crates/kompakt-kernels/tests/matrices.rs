//! All forms of a matrix, on all instruction sets, against products in f64 of the dense matrix.
#![allow(clippy::unwrap_used)]

use arbtest::arbitrary::{Result, Unstructured};
use kompakt_kernels::{
    ColumnMatrix, ColumnScratch, Epilogue, Isa, LaneMatrix, PanelMatrix, PanelScratch, SlicedMatrix,
    TapLayout, TapMatrix, Window, dense,
};
use kompakt_testing::{
    matrix::{SparseMatrix, SparseRow},
    numbers,
};
use std::sync::Arc;

fn matrix(u: &mut Unstructured<'_>, n_rows: usize, n_cols: usize) -> Result<SparseMatrix> {
    let n_levels = *u.choose(&[1usize, 2, 15, 16, 17, 31, 32, 33, 64, 65, 255, 256])?;
    let density = *u.choose(&[0.0f32, 0.02, 0.1, 0.5, 0.98, 1.0])?;
    let m = SparseMatrix::random(u.arbitrary()?, [n_rows, n_cols], density, n_levels);
    Ok(if u.arbitrary()? { m } else { m.as_values() })
}

/// The largest result where there is a ReLU.
const CEILING: f32 = 0.75;

fn assert_close(
    what: &str,
    found: f32,
    (sum, size): (f64, f64),
    n: usize,
    scale: f32,
    bias: f32,
    relu: bool,
) {
    let mut expected = sum * f64::from(scale) + f64::from(bias);
    if relu {
        expected = expected.clamp(0.0, f64::from(CEILING));
    }
    let bound = (4 * (n + 2)) as f64
        * 2f64.powi(-24)
        * (size * f64::from(scale.abs()) + f64::from(bias.abs()) + f64::MIN_POSITIVE);
    assert!((f64::from(found) - expected).abs() <= bound, "{what}: {found} for {expected}, bound {bound}");
}

#[test]
fn one_vector() {
    arbtest::arbtest(|u| {
        let n_rows = u.int_in_range(1..=300)?;
        let n_cols = u.int_in_range(1..=200)?;
        let m = matrix(u, n_rows, n_cols)?;
        let seed: u64 = u.arbitrary()?;
        let zeros: f32 = *u.choose(&[-1.0, 0.0, 0.8, 2.0])?;
        let x: Vec<f32> = numbers(seed, n_cols)
            .into_iter()
            .zip(numbers(seed ^ 7, n_cols))
            .map(|(v, dice)| if dice < zeros { 0.0 } else { v })
            .collect();
        let (scale, bias) = (numbers(seed ^ 2, n_rows), numbers(seed ^ 3, n_rows));
        let relu: bool = u.arbitrary()?;
        let epilogue =
            Epilogue { scale: Some(&scale), bias: Some(&bias), relu, ceiling: relu.then_some(CEILING) };
        let sliced = SlicedMatrix::build(&m).unwrap();
        let columns = ColumnMatrix::build(&m).unwrap();
        let for_each: Vec<SlicedMatrix> =
            Isa::available().map(|isa| SlicedMatrix::build_for(isa, &m).unwrap()).collect();
        for isa in Isa::available() {
            let (mut y, mut z) = (vec![f32::NAN; n_rows], vec![f32::NAN; n_rows]);
            sliced.apply(isa, &x, epilogue, &mut y);
            for built in &for_each {
                built.apply(isa, &x, epilogue, &mut z);
                assert_eq!(y, z, "built for another instruction set, the same bits on {isa}");
            }
            columns.apply(isa, &x, epilogue, &mut ColumnScratch::default(), &mut z);
            assert_eq!(y, z, "columns and rows have the same bits on {isa}");
            for (r, row) in m.rows.iter().enumerate() {
                let expected = row.product(|c| x[c]);
                assert_close(
                    &format!("sliced {isa}"),
                    y[r],
                    expected,
                    row.cols.len(),
                    scale[r],
                    bias[r],
                    relu,
                );
                assert_close(
                    &format!("columns {isa}"),
                    z[r],
                    expected,
                    row.cols.len(),
                    scale[r],
                    bias[r],
                    relu,
                );
                let sparse = dense::dot_sparse(isa, &row.cols, &row.codes, m.book(), &x);
                assert_close(&format!("dot {isa}"), sparse, expected, row.cols.len(), 1.0, 0.0, false);
                assert_eq!(epilogue.apply(r, sparse), y[r], "rows on their own have the same bits on {isa}");
                if row.cols.len() == n_cols {
                    assert_eq!(
                        dense::dot_sparse_full(isa, &row.codes, m.book(), &x),
                        sparse,
                        "full rows on {isa}"
                    );
                }
                let sparse = dense::dot_sparse_values(isa, &row.cols, &row.values, &x);
                assert_close(&format!("dot values {isa}"), sparse, expected, row.cols.len(), 1.0, 0.0, false);
                let head = &x[..row.cols.len()];
                let cols = (0..head.len() as u32).collect();
                let packed = SparseRow { cols, codes: vec![], values: row.values.clone() };
                let expected = packed.product(|c| head[c]);
                let coded = dense::dot_codes(isa, &row.codes, m.book(), head);
                assert_close(&format!("dense {isa}"), coded, expected, head.len(), 1.0, 0.0, false);
                // One row, and the last of several.
                for n_rows in [1, 5, 6] {
                    let mut y = vec![0.0; n_rows];
                    dense::dot_rows(isa, &row.values.repeat(n_rows), head, &mut y);
                    assert!(y.iter().all(|sum| *sum == y[0]), "{y:?}");
                    assert_close(&format!("dense values {isa}"), y[0], expected, head.len(), 1.0, 0.0, false);
                }
            }
        }
        Ok(())
    })
    .budget_ms(3000);
}

#[test]
fn a_batch() {
    arbtest::arbtest(|u| {
        let n_rows = u.int_in_range(1..=80)?;
        let n_cols = u.int_in_range(1..=150)?;
        let batch = u.int_in_range(1..=140)?;
        let m = matrix(u, n_rows, n_cols)?;
        let seed: u64 = u.arbitrary()?;
        let x = numbers(seed, n_cols * batch);
        let (scale, bias) = (numbers(seed ^ 2, n_rows), numbers(seed ^ 3, n_rows));
        let relu: bool = u.arbitrary()?;
        let epilogue =
            Epilogue { scale: Some(&scale), bias: Some(&bias), relu, ceiling: relu.then_some(CEILING) };
        let block = *u.choose(&[1, 3, 64, 1000])?;
        let layout = Arc::new(TapLayout::linear(n_cols, block));
        let taps = TapMatrix::build(layout.clone(), &m);
        let is_full = m.n_kept() == n_rows * n_cols;
        let n_levels = kompakt_kernels::RowSource::is_coded(&m).then(|| m.book().n_levels());
        let panels = PanelMatrix::can_hold(n_levels, is_full).then(|| PanelMatrix::build(&layout, &m));
        let split = u.int_in_range(0..=n_rows)?;
        for isa in Isa::available() {
            let mut y = vec![f32::NAN; n_rows * batch];
            let window = Window::line(batch);
            taps.apply(isa, 0..split, &x, batch, window, epilogue, &mut y, batch);
            taps.apply(isa, split..n_rows, &x, batch, window, epilogue, &mut y[split * batch..], batch);
            for (r, row) in m.rows.iter().enumerate() {
                for b in 0..batch {
                    let expected = row.product(|c| x[c * batch + b]);
                    let what = format!("taps {isa} row {r} of batch {batch}");
                    assert_close(&what, y[r * batch + b], expected, row.cols.len(), scale[r], bias[r], relu);
                }
            }
            let Some(panels) = &panels else { continue };
            lanes(&m, isa, &x, batch, epilogue);
            let (mut z, mut scratch) = (vec![f32::NAN; n_rows * batch], PanelScratch::default());
            panels.apply(isa, 0..n_rows, &x, batch, window, epilogue, &mut z, batch, &mut scratch);
            let mut some = vec![f32::NAN; (n_rows - split) * batch];
            panels.apply(isa, split..n_rows, &x, batch, window, epilogue, &mut some, batch, &mut scratch);
            assert_eq!(some, z[split * batch..], "some rows have the same bits on {isa}");
            for (r, row) in m.rows.iter().enumerate() {
                for b in 0..batch {
                    let expected = row.product(|c| x[c * batch + b]);
                    let what = format!("panels {isa} row {r} of batch {batch}");
                    assert_close(&what, z[r * batch + b], expected, n_cols, scale[r], bias[r], relu);
                }
            }
        }
        Ok(())
    })
    .budget_ms(3000);
}

/// Vectors one after another, of `x` feature by feature, all together and in parts.
fn lanes(m: &SparseMatrix, isa: Isa, x: &[f32], n: usize, epilogue: Epilogue<'_>) {
    let (n_rows, n_cols) = (m.rows.len(), x.len() / n);
    let x: Vec<f32> = (0..x.len()).map(|i| x[i % n_cols * n + i / n_cols]).collect();
    let (lanes, mut scratch) = (LaneMatrix::build(m), PanelScratch::default());
    let y_step = n_rows + 3;
    let mut y = vec![f32::NAN; n * y_step];
    lanes.apply(isa, 0..n_rows, &x, n, epilogue, &mut y, y_step, &mut scratch);
    for (v, y) in y.chunks_exact(y_step).enumerate() {
        assert!(y[n_rows..].iter().all(|y| y.is_nan()), "what is past the rows is left alone");
        let mut alone = vec![f32::NAN; n_rows];
        let x = &x[v * n_cols..][..n_cols];
        let cut = n_rows.min(LaneMatrix::ROWS);
        lanes.apply(isa, 0..cut, x, 1, epilogue, &mut alone, n_rows, &mut scratch);
        if cut < n_rows {
            lanes.apply(isa, cut..n_rows, x, 1, epilogue, &mut alone[cut..], n_rows, &mut scratch);
        }
        assert_eq!(alone, y[..n_rows], "one vector, in parts, has the same bits on {isa}");
        for (r, row) in m.rows.iter().enumerate() {
            let expected = row.product(|c| x[c]);
            let (scale, bias) = (epilogue.scale.unwrap()[r], epilogue.bias.unwrap()[r]);
            let what = format!("lanes {isa} row {r} of vector {v} of {n}");
            assert_close(&what, y[r], expected, n_cols, scale, bias, epilogue.relu);
        }
    }
}

#[test]
fn the_arithmetic_of_the_notes() {
    // An n x n matrix of f32 as codes of one byte plus its codebook is a quarter of its size; at four bits an eighth.
    let n = 1024;
    let (f32_bytes, codebook_bytes) = (n * n * 4, |k: usize| k * 4);
    let bytes = |bits: usize| n * n * bits / 8 + codebook_bytes(1 << bits);
    assert!((bytes(8) as f64 / f32_bytes as f64 - 0.25).abs() < 0.001);
    assert!((bytes(4) as f64 / f32_bytes as f64 - 0.125).abs() < 0.001);
}
