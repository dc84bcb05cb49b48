//! Linear layers.

use super::{
    PreparedLayer, Scratch,
    form::Form,
    from_file::{self, FromFile},
};
use crate::{
    RUNS_FROM_FILE,
    exec::{RowLayout, Threads},
};
use kompakt_kernels::{Isa, Window, columns, dense, sliced};

impl PreparedLayer<'_> {
    /// `y = W x` for `n` images, feature by feature: `x` `[in, n]`, `y` `[out, n]`.
    pub(crate) fn linear(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let epilogue = self.epilogue();
        let rows = |chunk_rows| RowLayout {
            n_images: 1,
            image_len: self.n_rows * n,
            n_rows: self.n_rows,
            row_len: n,
            chunk_rows: self.chunk(threads, chunk_rows, n),
        };
        match &*self.form {
            Form::SlicedAndColumns(_, columns, below)
                if (columns::count_nonzero(isa, x) as f32) < below * x.len() as f32 =>
            {
                columns.apply(isa, x, epilogue, &mut scratch[0].columns, y);
            }
            Form::Sliced(m) | Form::SlicedAndColumns(m, ..) => {
                let band = sliced::BAND_ROWS;
                let layout =
                    RowLayout { chunk_rows: self.chunk(threads, band, n).next_multiple_of(band), ..rows(1) };
                threads.for_rows(y, &layout, scratch, |rows, mut y, _| {
                    let y = y.image(0);
                    for (i, y) in y.chunks_mut(band).enumerate() {
                        m.apply_band(isa, rows.start / band + i, x, epilogue, y);
                    }
                });
            }
            Form::DenseCodes(codes) => {
                threads.for_rows(y, &rows(16), scratch, |rows, mut y, _| {
                    for (row, y) in rows.zip(y.image(0)) {
                        *y = epilogue.apply(row, codes.dot(isa, row, x));
                    }
                });
            }
            Form::DenseValues(values, n_cols) => {
                threads.for_rows(y, &rows(16), scratch, |rows, mut y, _| {
                    let (y, values) = (y.image(0), &values[rows.start * n_cols..rows.end * n_cols]);
                    dense::dot_rows(isa, values, &x[..*n_cols], y);
                    rows.zip(y).for_each(|(row, y)| *y = epilogue.apply(row, *y));
                });
            }
            Form::Int8Rows(elements, n_cols) => {
                threads.for_rows(y, &rows(16), scratch, |rows, mut y, _| {
                    let (y, elements) = (y.image(0), &elements[rows.start * n_cols..rows.end * n_cols]);
                    dense::dot_rows_of_bytes(isa, elements, &x[..*n_cols], y);
                    rows.zip(y).for_each(|(row, y)| *y = epilogue.apply(row, *y));
                });
            }
            Form::Windows(m) => {
                threads.for_rows(y, &rows(16), scratch, |rows, mut y, scratch| {
                    let panels = scratch.conv.panels();
                    m.apply(isa, rows, x, n, Window::line(n), epilogue, y.image(0), n, panels);
                });
            }
            // Only vectors one after another are multiplied in lanes.
            Form::Lanes(_) => unreachable!("a layer over features, for vectors"),
            Form::FromFile(_) if !RUNS_FROM_FILE => unreachable!("a layer that is run from the file"),
            Form::FromFile(how) => {
                let Some(weights) = &self.weights else { return };
                threads.for_rows(y, &rows(1), scratch, |rows, mut y, scratch| {
                    let epilogue = epilogue.from_row(rows.start);
                    let y = y.image(0);
                    match how {
                        FromFile::Rows => {
                            from_file::sparse_rows(isa, weights, rows, &mut scratch.row, x, epilogue, y)
                        }
                        FromFile::Dense(book) => {
                            from_file::dense_rows(isa, weights, book, rows, scratch, x, epilogue, y)
                        }
                        // Only vectors one after another are multiplied in lanes.
                        FromFile::Lanes => unreachable!("a layer over features, for vectors"),
                        FromFile::Windows(form, layout) => {
                            let Scratch { row, unpacked, conv, .. } = scratch;
                            let of = (*form, layout);
                            let m = from_file::unpacked(of, weights, rows.clone(), row, unpacked);
                            let (rows, window) = (0..rows.len(), Window::line(n));
                            m.apply(isa, rows, x, n, window, epilogue, y, n, conv.panels());
                        }
                    }
                });
            }
        }
    }
}
