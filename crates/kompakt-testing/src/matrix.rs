//! Sparse matrices for tests and benchmarks, and their products in f64.

use crate::numbers;
use kompakt_kernels::{Codebook, RowSource, RowWeights};

/// A sparse matrix, row by row.
#[derive(Debug, Clone)]
pub struct SparseMatrix {
    n_cols: usize,
    book: Codebook,
    is_coded: bool,
    /// Rows, first to last.
    pub rows: Vec<SparseRow>,
}

/// The kept weights of a row.
#[derive(Debug, Clone, Default)]
pub struct SparseRow {
    /// Ascending.
    pub cols: Vec<u32>,
    /// One per column; empty if the matrix has no codebook.
    pub codes: Vec<u8>,
    /// One per column.
    pub values: Vec<f32>,
}

impl SparseMatrix {
    /// Random weights of that density (0..1), from a codebook of `n_levels` levels (1 to 256).
    pub fn random(seed: u64, [n_rows, n_cols]: [usize; 2], density: f32, n_levels: usize) -> Self {
        let book = Codebook::new(&numbers(seed, n_levels));
        let dice = numbers(seed ^ 1, n_rows * n_cols * 2);
        let row = |r: usize| {
            let die = |c: usize, i: usize| (dice[(r * n_cols + c) * 2 + i] + 1.0) / 2.0;
            let kept = (0..n_cols).filter(|&c| die(c, 0) < density);
            let (cols, codes): (Vec<u32>, Vec<u8>) =
                kept.map(|c| (c as u32, (die(c, 1) * (n_levels as f32 - 0.01)) as u8)).unzip();
            let values = codes.iter().map(|&code| book.value(code)).collect();
            SparseRow { cols, codes, values }
        };
        let rows = (0..n_rows).map(row).collect();
        Self { n_cols, book, is_coded: true, rows }
    }

    /// The nonzero weights of a dense matrix. Shapes: `dense` `[rows, n_cols]`.
    pub fn of_dense(dense: &[f32], n_cols: usize) -> Self {
        let row = |row: &[f32]| {
            let kept = row.iter().enumerate().filter(|(_, v)| **v != 0.0);
            let (cols, values) = kept.map(|(c, &v)| (c as u32, v)).unzip();
            SparseRow { cols, codes: Vec::new(), values }
        };
        let rows = dense.chunks_exact(n_cols).map(row).collect();
        Self { n_cols, book: Codebook::new(&[]), is_coded: false, rows }
    }

    /// The same matrix, with rows given as values.
    pub fn as_values(mut self) -> Self {
        self.is_coded = false;
        self
    }

    /// The same pattern, with each level the nearest multiple of `1 / n` but zero: integers times a step, as compressed
    /// networks have them.
    pub fn on_grid(mut self, n: i8) -> Self {
        let n = f32::from(n);
        let nearest = |level: &f32| (level * n).abs().round().max(1.0).copysign(*level) / n;
        let levels: Vec<f32> = self.book.table()[..self.book.n_levels()].iter().map(nearest).collect();
        self.book = Codebook::new(&levels);
        for row in &mut self.rows {
            row.values = row.codes.iter().map(|&code| self.book.value(code)).collect();
        }
        self
    }

    /// The codebook.
    pub fn book(&self) -> &Codebook {
        &self.book
    }

    /// Kept weights.
    pub fn n_kept(&self) -> usize {
        self.rows.iter().map(|row| row.cols.len()).sum()
    }
}

impl SparseRow {
    /// The sum of the row's products with `x` at its columns, and the sum of their absolute values.
    pub fn product(&self, x: impl Fn(usize) -> f32) -> (f64, f64) {
        let products =
            self.cols.iter().zip(&self.values).map(|(&c, &w)| f64::from(w) * f64::from(x(c as usize)));
        products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()))
    }
}

impl RowSource for SparseMatrix {
    fn n_rows(&self) -> usize {
        self.rows.len()
    }
    fn n_cols(&self) -> usize {
        self.n_cols
    }
    fn codebook(&self) -> &Codebook {
        &self.book
    }
    fn is_coded(&self) -> bool {
        self.is_coded
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        for (i, row) in self.rows.iter().enumerate() {
            let weights =
                if self.is_coded { RowWeights::Codes(&row.codes) } else { RowWeights::Values(&row.values) };
            visit(i, &row.cols, weights);
        }
    }
}
