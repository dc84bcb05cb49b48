//! All kernels with unchecked loads or stores, on all instruction sets, with their operands flush against
//! guard pages, including the arrays of the matrix forms. An access past an end kills the test.
#![allow(clippy::unwrap_used)]

use kompakt_kernels::{
    Codebook, ColumnMatrix, ColumnScratch, ConvRows, ConvScratch, ConvShape, Convolution, Depthwise,
    Epilogue, Grid, Isa, PanelMatrix, PanelScratch, PlanesAt, RowSource, RowWeights, SlicedMatrix, TapLayout,
    TapMatrix, Window, WindowForm, WindowMatrix, columns, dense, grid,
};
use kompakt_testing::{
    guard::{Allocator, Page, guarded},
    matrix::SparseMatrix,
    numbers,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::new();

/// Pages for an input and an output.
fn pages() -> [Page; 2] {
    [0; 2].map(|_| Page::new(1 << 20))
}

/// Matrices whose rows end at all positions within vectors of sixteen, as codes and as values.
fn matrices() -> impl Iterator<Item = SparseMatrix> {
    let sizes = [[1, 1], [3, 5], [16, 16], [17, 33], [33, 63], [300, 70]];
    let densities = [0.0, 0.1, 0.6, 1.0];
    sizes.into_iter().flat_map(move |size| {
        densities.into_iter().flat_map(move |density| {
            [7, 32, 40, 256].into_iter().flat_map(move |n_levels| {
                let m = SparseMatrix::random(5, size, density, n_levels);
                [m.clone(), m.as_values()]
            })
        })
    })
}

#[test]
fn one_vector() {
    let [mut from, mut to] = pages();
    for m in matrices() {
        let (n_rows, n_cols) = (m.rows.len(), m.n_cols());
        let x = from.copy(&numbers(1, n_cols));
        let (sliced, by_column) =
            guarded(|| (SlicedMatrix::build(&m).unwrap(), ColumnMatrix::build(&m).unwrap()));
        let for_isa = |isa| guarded(|| SlicedMatrix::build_for(isa, &m).unwrap());
        let for_each: Vec<SlicedMatrix> = Isa::available().map(for_isa).collect();
        for isa in Isa::available() {
            sliced.apply(isa, x, Epilogue::default(), to.floats(n_rows));
            for built in &for_each {
                built.apply(isa, x, Epilogue::default(), to.floats(n_rows));
            }
            let mut scratch = guarded(ColumnScratch::default);
            guarded(|| by_column.apply(isa, x, Epilogue::default(), &mut scratch, to.floats(n_rows)));
            columns::count_nonzero(isa, x);
            for row in m.clone().rows {
                let row = guarded(|| row.clone());
                dense::dot_sparse(isa, &row.cols, &row.codes, m.book(), x);
                dense::dot_sparse_full(isa, &row.codes, m.book(), x);
                dense::dot_sparse_values(isa, &row.cols, &row.values, x);
                dense::dot_codes(isa, &row.codes, m.book(), &x[n_cols - row.codes.len()..]);
                dense::dot_rows(isa, &row.values, &x[n_cols - row.codes.len()..], &mut [0.0]);
            }
        }
    }
}

#[test]
fn batches() {
    let [mut from, mut to] = pages();
    for m in matrices() {
        let (n_rows, n_cols) = (m.rows.len(), m.n_cols());
        for block in [7, 1 << 16] {
            let layout = Arc::new(TapLayout::linear(n_cols, block));
            let taps = guarded(|| TapMatrix::build(layout.clone(), &m));
            let n_levels = m.is_coded().then(|| m.book().n_levels());
            let can_hold = PanelMatrix::can_hold(n_levels, m.n_kept() == n_rows * n_cols);
            let panels = can_hold.then(|| guarded(|| PanelMatrix::build(&layout, &m)));
            for batch in [1, 2, 8, 9, 16, 17, 31, 32, 48, 66, 112, 144] {
                let x = from.copy(&numbers(1, n_cols * batch));
                for isa in Isa::available() {
                    let y = to.floats(n_rows * batch);
                    let (window, epilogue) = (Window::line(batch), Epilogue::default());
                    taps.apply(isa, 0..n_rows, x, batch, window, epilogue, y, batch);
                    let Some(panels) = &panels else { continue };
                    let mut scratch = PanelScratch::default();
                    guarded(|| {
                        panels.apply(isa, 0..n_rows, x, batch, window, epilogue, y, batch, &mut scratch)
                    });
                }
            }
        }
    }
}

/// Convolutions of one group, with and without padding.
fn shapes() -> impl Iterator<Item = ConvShape> {
    let kernels = [([1, 1], [1, 1], 1), ([3, 3], [1, 1], 1), ([3, 3], [2, 2], 1), ([5, 5], [1, 1], 1)];
    let kernels = kernels.into_iter().chain([([5, 5], [2, 2], 1), ([2, 3], [1, 3], 2)]);
    kernels.flat_map(|(kernel, stride, dilation)| {
        [0, 1, 2].into_iter().flat_map(move |before: usize| {
            let sizes = [[5, 5], [7, 16], [9, 17], [8, 31], [33, 40], [20, 70]];
            sizes.into_iter().map(move |size| {
                let reach = |i: usize| (kernel[i] - 1) * dilation + 1;
                let output = [0, 1].map(|i| (size[i] + 2 * before - reach(i)) / stride[i] + 1);
                let (before, dilation) = ([before; 2], [dilation; 2]);
                ConvShape { channels: 3, outputs: 5, size, output, kernel, before, stride, dilation }
            })
        })
    })
}

#[test]
fn convolutions() {
    let [mut from, mut to] = pages();
    let (mut padded, mut plane) = (Page::new(1 << 22), Page::new(1 << 16));
    for shape in shapes() {
        let grid = Grid::new(shape);
        let n_cols = shape.channels * shape.kernel[0] * shape.kernel[1];
        let m = SparseMatrix::random(3, [shape.outputs, n_cols], 0.5, 16);
        let ([h, w], [oh, ow]) = (shape.size, shape.output);
        let x = from.copy(&numbers(1, shape.channels * h * w));
        let layout = Arc::new(TapLayout::planar(grid.offsets(), 300));
        let taps = guarded(|| TapMatrix::build(layout.clone(), &m));
        let panels = guarded(|| PanelMatrix::build(&layout, &m));
        let [down, across] = grid.block();
        let cols = across * grid::LANES;
        let window = Window { rows: down, cols, x_stride: grid.row_vectors() * grid::LANES, y_stride: cols };
        for isa in Isa::available() {
            for tile in 0..grid.n_tiles() {
                let mut pad = guarded(Vec::new);
                let input = padded.floats(grid.room());
                guarded(|| grid.fill(isa, x, tile, &mut pad, input));
                let sums = to.floats(shape.outputs * grid.tile_len() + 4 * grid::LANES);
                let (rows, len) = (0..shape.outputs, grid.tile_len());
                let epilogue = Epilogue::default();
                taps.apply(isa, rows.clone(), input, grid::LANES, window, epilogue, sums, len);
                let mut scratch = PanelScratch::default();
                guarded(|| {
                    panels.apply(isa, rows, input, grid::LANES, window, epilogue, sums, len, &mut scratch)
                });
                let y = plane.floats(oh * ow);
                for row in 0..shape.outputs {
                    grid.store(isa, &sums[row * len..], tile, y);
                }
            }
        }
        if let Some(conv) = Convolution::new(shape, 1, shape.before).by_winograd() {
            let layout = Arc::new(conv.columns(1.0));
            let weights = guarded(|| WindowMatrix::build(WindowForm::Panels, &layout, &m));
            for isa in Isa::available() {
                let (epilogue, rows, first) = (Epilogue::default(), 0..shape.outputs, 0);
                let part = ConvRows { isa, conv: &conv, weights: &weights, first, rows, epilogue };
                let y = to.floats(shape.outputs * oh * ow);
                guarded(|| part.run(x, 0, &mut ConvScratch::default(), y));
            }
        }
        // The same input with one channel per group, where there is such a kernel.
        let shape = ConvShape { channels: 1, outputs: 1, ..shape };
        let Some(depthwise) = Depthwise::new(&shape) else { continue };
        let n_places = depthwise.n_places();
        let m = SparseMatrix::random(3, [3, n_places], 0.5, 16);
        let taps = guarded(|| TapMatrix::build(Arc::new(TapLayout::linear(n_places, n_places)), &m));
        for isa in Isa::available() {
            let at = PlanesAt { first: 0, x_plane: h * w, y_plane: oh * ow };
            depthwise.apply(isa, &taps, 0..3, 0, x, at, Epilogue::default(), to.floats(3 * oh * ow));
        }
    }
}

/// A source that violates its contract.
struct Liar {
    n_cols: usize,
    /// The row that each visit reports.
    visits: [&'static [u32]; 2],
    visit: std::cell::Cell<usize>,
    book: Codebook,
}

impl Liar {
    fn new(n_cols: usize, visits: [&'static [u32]; 2]) -> Self {
        Self { n_cols, visits, visit: 0.into(), book: Codebook::new(&[1.0]) }
    }
}

impl RowSource for Liar {
    fn n_rows(&self) -> usize {
        1
    }
    fn n_cols(&self) -> usize {
        self.n_cols
    }
    fn codebook(&self) -> &Codebook {
        &self.book
    }
    fn is_coded(&self) -> bool {
        false
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        let now = self.visit.replace(self.visit.get() + 1);
        let cols = self.visits[now.min(1)];
        if !cols.is_empty() {
            visit(0, cols, RowWeights::Values(&vec![1.0; cols.len()]));
        }
    }
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Columns that would make an unchecked load read outside `x` are refused when the form is built.
#[test]
fn no_form_holds_columns_out_of_range() {
    let linear = |n_cols, block| Arc::new(TapLayout::linear(n_cols, block));
    let planar = Arc::new(TapLayout::planar(vec![0, 1, 2, 100, 101, 102], 10));
    // Not ascending within a block, across blocks, twice the same, and past the end.
    let wrong: [&[u32]; 5] = [&[2, 1], &[4, 0], &[1, 1], &[6], &[u32::MAX]];
    for cols in wrong {
        for layout in [linear(6, 1 << 16), linear(6, 2), linear(6, 3), planar.clone()] {
            let source = Liar::new(6, [cols, cols]);
            assert!(panics(|| TapMatrix::build(layout.clone(), &source)), "{cols:?}");
            let mut m = TapMatrix::new(layout, None);
            assert!(panics(|| m.push_row(cols, RowWeights::Values(&vec![1.0; cols.len()]))), "{cols:?}");
        }
    }
    let past: [&[u32]; 2] = [&[6], &[u32::MAX]];
    for cols in past {
        assert!(panics(|| SlicedMatrix::build(&Liar::new(6, [cols, cols]))));
        assert!(panics(|| ColumnMatrix::build(&Liar::new(6, [cols, cols]))));
    }
    // Counted first, then different.
    assert!(panics(|| SlicedMatrix::build(&Liar::new(0, [&[0], &[]]))));
    assert!(panics(|| SlicedMatrix::build(&Liar::new(6, [&[0], &[0, 1]]))));
    assert!(panics(|| ColumnMatrix::build(&Liar::new(6, [&[0], &[0, 1, 2, 3, 4, 5, 0]]))));
    assert!(panics(|| TapMatrix::build(linear(6, 2), &Liar::new(6, [&[0], &[0, 1]]))));
}

/// Sizes whose products do not fit are refused before anything is read.
#[test]
fn sizes_that_wrap_around_are_refused() {
    let m = SparseMatrix::random(1, [2, 6], 1.0, 4);
    let taps = TapMatrix::build(Arc::new(TapLayout::linear(6, 6)), &m);
    let huge = usize::MAX / 2 + 1;
    for isa in Isa::available() {
        let (x, mut y) = ([0.0; 64], [0.0; 64]);
        let mut apply = |scale, window, y_plane| {
            panics(|| taps.apply(isa, 0..2, &x, scale, window, Epilogue::default(), &mut y, y_plane))
        };
        assert!(apply(huge, Window::line(4), 4));
        assert!(apply(4, Window::line(4), huge));
        assert!(apply(4, Window { rows: 3, cols: 4, x_stride: huge, y_stride: 4 }, 12));
        assert!(apply(4, Window { rows: 3, cols: 4, x_stride: 4, y_stride: huge }, 12));
        let size = [huge, 2];
        let shape = ConvShape {
            channels: 1,
            outputs: 1,
            size,
            output: size,
            kernel: [3; 2],
            before: [1; 2],
            stride: [1; 2],
            dilation: [1; 2],
        };
        let (depthwise, at) =
            (Depthwise::new(&shape).unwrap(), PlanesAt { first: 0, x_plane: 4, y_plane: 4 });
        let places = SparseMatrix::random(1, [2, 9], 1.0, 4);
        let taps = TapMatrix::build(Arc::new(TapLayout::linear(9, 9)), &places);
        assert!(panics(|| depthwise.apply(isa, &taps, 0..1, 0, &x, at, Epilogue::default(), &mut y)));
    }
}
