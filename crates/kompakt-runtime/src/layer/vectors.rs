//! Linear layers over vectors that lie one after another.

use super::{
    PreparedLayer, Scratch,
    form::Form,
    from_file::{self, FromFile},
};
use crate::{
    RUNS_FROM_FILE,
    exec::{RowLayout, Threads},
    schedule::forms::n_columns,
};
use alloc::vec::Vec;
use core::ops::Range;
use kompakt_kernels::{Isa, LaneMatrix, transpose::exchange};

impl PreparedLayer<'_> {
    /// `y = W x` for `n` vectors: `x` `[n, in]`, `y` `[n, out]`.
    pub(crate) fn vectors(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        self.vectors_for(0..self.n_rows, isa, threads, scratch, x, y, n);
    }

    /// The same for these rows at least; `y` `[n, out]` has room for all.
    #[expect(clippy::too_many_arguments, reason = "a layer's operands")]
    pub(crate) fn vectors_for(
        &self,
        rows: Range<usize>,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        match (&*self.form, &self.weights) {
            (Form::Lanes(m), _) => self.by_lanes(m, rows, isa, threads, scratch, x, y, n),
            (Form::FromFile(FromFile::Lanes), Some(weights)) if RUNS_FROM_FILE => {
                let (epilogue, n_rows) = (self.epilogue(), self.n_rows);
                let layout = RowLayout {
                    n_images: n,
                    image_len: n_rows,
                    n_rows,
                    row_len: 1,
                    chunk_rows: weights.rows_at_once(),
                };
                threads.for_rows(y, &layout, scratch, |rows, mut y, scratch| {
                    let Scratch { row, lanes, turned, conv, .. } = scratch;
                    let m = from_file::unpacked_lanes(weights, rows.clone(), row, lanes);
                    let (epilogue, n_rows) = (epilogue.from_row(rows.start), rows.len());
                    let sums = room(turned, n * n_rows);
                    m.apply(isa, 0..n_rows, x, n, epilogue, sums, n_rows, conv.panels());
                    sums.chunks_exact(n_rows)
                        .enumerate()
                        .for_each(|(v, sums)| y.image(v).copy_from_slice(sums));
                });
            }
            _ if n == 1 => self.linear(isa, threads, scratch, x, y, 1),
            _ => self.transposed(isa, threads, scratch, x, y, n),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a layer's operands")]
    fn by_lanes(
        &self,
        m: &LaneMatrix,
        rows: Range<usize>,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let (epilogue, n_rows, n_cols) = (self.epilogue(), self.n_rows, x.len() / n);
        let first = rows.start / LaneMatrix::ROWS * LaneMatrix::ROWS;
        // One vector is divided by rows, several by vectors.
        let (n_parts, row_len, chunk_rows) = match n {
            1 => {
                let chunk = self.chunk(threads, 16, 1).next_multiple_of(4 * LaneMatrix::ROWS);
                (rows.end - first, 1, chunk)
            }
            _ => (n, n_rows, n.div_ceil(threads.len())),
        };
        let image_len = if n == 1 { n_parts } else { n * n_rows };
        let layout = RowLayout { n_images: 1, image_len, n_rows: n_parts, row_len, chunk_rows };
        let y = if n == 1 { &mut y[first..rows.end] } else { y };
        threads.for_rows(y, &layout, scratch, |part, mut y, scratch| {
            let panels = scratch.conv.panels();
            let y = y.image(0);
            if n == 1 {
                m.apply(isa, first + part.start..first + part.end, x, 1, epilogue, y, n_rows, panels);
            } else {
                let x = &x[part.start * n_cols..part.end * n_cols];
                m.apply(isa, first..rows.end, x, part.len(), epilogue, &mut y[first..], n_rows, panels);
            }
        });
    }

    /// By a form for columns: `x` and `y` are transposed.
    fn transposed(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let (n_rows, n_cols, columns) = (self.n_rows, x.len() / n, n_columns(n));
        let mut turned = core::mem::take(&mut scratch[0].turned);
        let (tx, ty) = room(&mut turned, columns * (n_cols + n_rows)).split_at_mut(columns * n_cols);
        exchange(isa, x, n_cols, tx, columns, [n, n_cols]);
        self.linear(isa, threads, scratch, tx, ty, columns);
        exchange(isa, ty, columns, y, n_rows, [n_rows, n]);
        scratch[0].turned = turned;
    }
}

/// The first `n` floats of a memory, which grows as needed.
fn room(memory: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if memory.len() < n {
        memory.resize(n, 0.0);
    }
    &mut memory[..n]
}
