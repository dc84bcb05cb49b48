//! The costs of the forms of a matrix on each instruction set of the machine: the numbers of the tables in
//! `arch`, in picoseconds per unit, the minimum of many runs.
//!
//! `cargo bench -p kompakt-bench --bench costs [-- INSTRUCTION_SET...]`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use kompakt_kernels::{
    Aligned, Codebook, ColumnMatrix, ColumnScratch, ConvRows, ConvScratch, ConvShape, Convolution, Depthwise,
    Epilogue, Grid, Int8Rows, Isa, PanelMatrix, PanelScratch, Planes, PlanesAt, SlicedMatrix, TapLayout,
    TapMatrix, Window, WindowForm, WindowMatrix, columns, dense, grid,
};
use kompakt_testing::matrix::SparseMatrix;
use std::{hint::black_box, sync::Arc, time::Instant};

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

/// The line through the costs of a unit at two numbers of vectors: its intercept and slope.
fn line([few, many]: [usize; 2], [with_few, with_many]: [f64; 2]) -> [f64; 2] {
    let each = (with_many - with_few) / (many - few) as f64;
    [(with_few - each * few as f64).max(0.0), each]
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for isa in Isa::available().filter(|isa| wanted.is_empty() || wanted.iter().any(|w| w == isa.name())) {
        println!("{}:", isa.name());
        one_vector(isa);
        windows(isa, false);
        convolutions(isa);
        println!("{}, products of bytes:", isa.name());
        one_vector_of_bytes(isa);
        windows(isa, true);
        if isa.has_dot() {
            println!("{}, products of bytes without an instruction for them:", isa.name());
            one_vector_of_bytes(isa.without_dot());
            windows(isa.without_dot(), true);
        }
    }
}

/// Linear layers with one vector.
fn one_vector(isa: Isa) {
    let x: Vec<f32> = (0..N_COLS).map(|i| (i % 13) as f32 - 5.5).collect();
    let mut y = vec![0.0; N_ROWS];
    let sliced = [32, 64].map(|n_levels| {
        let layer = SparseMatrix::random(1, [N_ROWS, N_COLS], DENSITY, n_levels);
        let m = SlicedMatrix::build(&layer).unwrap();
        cost(layer.n_kept(), || m.apply(isa, black_box(&x), Epilogue::default(), &mut y))
    });
    let layer = SparseMatrix::random(1, [N_ROWS, N_COLS], DENSITY, 32);
    let in_pages = SlicedMatrix::build_for(isa, &layer).filter(|m| m.n_pages() > 0);
    let page =
        in_pages.map(|m| cost(m.n_pages(), || m.apply(isa, black_box(&x), Epilogue::default(), &mut y)));
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
    let in_steps =
        |n_levels: u8| Codebook::new(&(0..n_levels).map(|i| f32::from(i) - 99.0).collect::<Vec<_>>());
    let book = in_steps(200);
    let book = book.in_steps().map_or(book, |in_steps| in_steps.book);
    let dense_steps = cost(64 * N_COLS, || {
        (0..64).for_each(|r| y[r] = dense::dot_codes(isa, black_box(&codes), &book, black_box(&x)));
    });
    let values: Vec<f32> = (0..64 * N_COLS).map(|i| (i % 11) as f32).collect();
    let dense_values =
        cost(64 * N_COLS, || dense::dot_rows(isa, black_box(&values), black_box(&x), &mut y[..64]));
    println!("    sliced_codes: {:.0}.0,\n    sliced_values: {:.0}.0,", sliced[0], sliced[1]);
    println!("    page: {},", page.map_or("f64::INFINITY".to_string(), |page| format!("{page:.0}.0")));
    println!("    column_weight: {scattered:.0}.0,\n    column_input: {looked:.0}.0,");
    println!("    dense_codes: {:?},", dense_codes.map(f64::round));
    println!("    dense_steps: {dense_steps:.0}.0,");
    println!("    dense_values: {dense_values:.0}.0,");
}

/// The same over bytes.
fn one_vector_of_bytes(isa: Isa) {
    let layer = SparseMatrix::random(1, [N_ROWS, N_COLS], DENSITY, 32).on_grid(10);
    let rows = Int8Rows::new(&layer, 1);
    let (x, mut y) = (vec![1.0; N_COLS / 4], vec![0.0; N_ROWS]);
    let m = SlicedMatrix::build(&rows).unwrap();
    let sliced = cost(rows.n_kept(), || m.apply(isa, black_box(&x), Epilogue::default(), &mut y));
    let values = &rows.elements()[..64 * N_COLS / 4];
    let dense =
        cost(values.len(), || dense::dot_rows_of_bytes(isa, black_box(values), black_box(&x), &mut y[..64]));
    println!("    sliced_values: {sliced:.0}.0,\n    dense_values: {dense:.0}.0,");
}

/// Rows and columns of a convolution 3 x 3 of 32 channels, and its density for sparse forms.
const WINDOWED: [usize; 2] = [64, 288];
const WINDOWED_DENSITY: f32 = 0.3;

/// Matrices with windows of positions; `of_bytes` with columns of four bytes each, of which most have a weight.
fn windows(isa: Isa, of_bytes: bool) {
    // Windows of vectors of sixteen floats: full ones as in grids and lines, and rows of planes.
    let whole = |down: usize| Window { rows: down, cols: 32, x_stride: 48, y_stride: 32 };
    let planes = |rows: usize| Window { rows, cols: 32, x_stride: 34, y_stride: 32 };
    let measure = |window: Window, m: &dyn Fn(Window, &mut [f32]), n: usize| {
        let mut y = Aligned::default();
        cost(n, || m(window, y.room(WINDOWED[0] * window.rows * window.y_stride)))
    };
    let layout = |x_stride: usize, rows: usize| {
        let tap = |c: usize| c / 9 * (rows + 2) * x_stride + c % 9 / 3 * x_stride + c % 3;
        TapLayout::planar((0..WINDOWED[1]).map(|c| tap(c) as u32).collect(), 1 << 16)
    };
    let mut memory = Aligned::default();
    let x = &*memory.room(32 * 20 * 48);
    let scratch = std::cell::RefCell::new(PanelScratch::default());
    let run =
        |form: WindowForm, density: f32, n_levels: usize, in_steps: bool, scale: usize, window: Window| {
            let layout = Arc::new(layout(window.x_stride / scale, window.rows));
            let [n_rows, n_cols] = WINDOWED;
            let (m, n_kept) = if of_bytes {
                let rows = Int8Rows::new(
                    &SparseMatrix::random(1, [n_rows, 4 * n_cols], density, n_levels).on_grid(10),
                    1,
                );
                (WindowMatrix::of_bytes(form, &layout, &rows, isa), rows.n_kept())
            } else {
                let layer = SparseMatrix::random(1, WINDOWED, density, n_levels);
                let layer = if in_steps { layer.on_grid(64) } else { layer };
                (WindowMatrix::build(form, &layout, &layer), layer.n_kept())
            };
            measure(
                window,
                &|window, y| {
                    let (rows, plane) = (0..n_rows, window.rows * window.y_stride);
                    let scratch = &mut scratch.borrow_mut();
                    m.apply(isa, rows, x, scale, window, Epilogue::default(), y, plane, scratch);
                },
                if form == WindowForm::Taps { n_kept } else { n_rows * n_cols },
            )
        };
    let taps = |is_whole: bool, window: Window| {
        let density = if of_bytes { WINDOWED_DENSITY / 4.0 } else { WINDOWED_DENSITY };
        run(WindowForm::Taps, density, 32, false, if is_whole { grid::LANES } else { 1 }, window)
    };
    let n = [2, 6];
    let [tap, tap_vector] = line(n.map(|n| 2 * n), n.map(|n| taps(true, whole(n))));
    println!("    tap: {tap:.0}.0,\n    tap_vector: {tap_vector:.0}.0,");
    let n = [4, 16];
    let [_, plane_vector] = line(n.map(|n| 2 * n), n.map(|n| taps(false, planes(n))));
    println!("    plane_vector: {plane_vector:.0}.0,");
    let panels = |n_levels: usize, in_steps: bool, window: Window| {
        run(WindowForm::Panels, 0.8, n_levels, in_steps, 1, window)
    };
    let panels =
        |(n_levels, in_steps)| line(n.map(|n| 2 * n), n.map(|n| panels(n_levels, in_steps, planes(n))));
    if of_bytes {
        return println!("    panel_vector: {:.0}.0,", panels((31, false))[1]);
    }
    let [few, many, steps] = [(31, false), (64, false), (64, true)].map(panels);
    println!("    panel_codes: [{:.0}.0, {:.0}.0],\n    panel_steps: {:.0}.0,", few[0], many[0], steps[0]);
    println!("    panel_vector: {:.0}.0,", few[1]);
}

/// The work around convolutions, and depthwise ones.
fn convolutions(isa: Isa) {
    let shape = ConvShape {
        channels: 16,
        outputs: 16,
        size: [32, 32],
        output: [32, 32],
        kernel: [3, 3],
        before: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
    };
    let x: Vec<f32> = (0..16 * 1024).map(|i| (i % 13) as f32 - 5.5).collect();
    let planes =
        Planes { channels: 16, size: [32; 2], before: [1; 2], after: [1; 2], stride: [1; 2], row_align: 1 };
    let mut out = vec![0.0; planes.len()];
    let copied = cost(x.len(), || planes.fill(black_box(&x), &mut out));
    let grid = Grid::new(shape);
    let (mut input, mut pad) = (Aligned::default(), Vec::new());
    let input = input.room(grid.room());
    let filled = cost(grid.len(), || grid.fill(isa, black_box(&x), 0, &mut pad, input));
    let mut y = vec![0.0; 1024];
    let stored = cost(grid.tile_len(), || grid.store(isa, black_box(input), 0, &mut y));
    let one = ConvShape { channels: 1, outputs: 1, ..shape };
    let taps =
        TapMatrix::build(Arc::new(TapLayout::linear(9, 9)), &SparseMatrix::random(1, [16, 9], 1.0, 32));
    let mut y = vec![0.0; 16 * 1024];
    let at = PlanesAt { first: 0, x_plane: 1024, y_plane: 1024 };
    let depthwise = Depthwise::new(&one).unwrap();
    let place = cost(16 * 9 * 64, || {
        depthwise.apply(isa, &taps, 0..16, 0, black_box(&x), at, Epilogue::default(), &mut y);
    });
    winograd(isa);
    println!(
        "    plane_input: {copied:.0}.0,\n    grid_input: {filled:.0}.0,\n    grid_output: {stored:.0}.0,"
    );
    println!("    depthwise_vector: {place:.0}.0,");
}

/// Winograd's method, without its products.
fn winograd(isa: Isa) {
    // Input channels, output channels, height and width.
    let run = |[channels, outputs, side]: [usize; 3]| {
        let (size, kernel, ones) = ([side; 2], [3, 3], [1, 1]);
        let shape = ConvShape {
            channels,
            outputs,
            size,
            output: size,
            kernel,
            before: ones,
            stride: ones,
            dilation: ones,
        };
        let conv = Convolution::new(shape, 1, ones).by_winograd().unwrap();
        let layer = SparseMatrix::random(1, [outputs, 9 * channels], 0.8, 31).as_values();
        let weights = WindowMatrix::build(WindowForm::Panels, &Arc::new(conv.columns(1.0)), &layer);
        let (mut x, mut y) = (Aligned::default(), Aligned::default());
        let (x, y) = (x.room(conv.input_len()), y.room(outputs * side * side));
        let part = ConvRows {
            isa,
            conv: &conv,
            weights: &weights,
            first: 0,
            rows: 0..outputs,
            epilogue: Epilogue::default(),
        };
        let mut scratch = ConvScratch::default();
        cost(1, || {
            scratch.forget();
            part.run(black_box(x), 0, &mut scratch, y);
        })
    };
    let n_tiles = |side: usize| (side * side / 4) as f64;
    // Many tiles with few channels on the other side, and many kernels with few tiles: products are a small
    // part.
    let products = |[channels, outputs, side]: [usize; 3]| {
        let panels = SparseMatrix::random(1, [outputs, channels], 1.0, 31).as_values();
        let m = PanelMatrix::build(&TapLayout::linear(channels, 1 << 16), &panels);
        let n = side * side / 4;
        let (x, mut y) = (vec![1.0; channels * n], vec![0.0; outputs * n]);
        let mut scratch = PanelScratch::default();
        let window = Window::line(n);
        cost(1, || {
            for _ in 0..16 {
                m.apply(
                    isa,
                    0..outputs,
                    black_box(&x),
                    n,
                    window,
                    Epilogue::default(),
                    &mut y,
                    n,
                    &mut scratch,
                );
            }
        })
    };
    let [input, output, kernel] =
        [[64, 4, 32], [4, 64, 32], [64, 64, 8]].map(|size| run(size) - products(size));
    // Each has a small part of the others.
    let (a, b) = (input / (64.0 * n_tiles(32)), output / (64.0 * n_tiles(32)));
    let (a, b) = ((a - b / 16.0) / (1.0 - 1.0 / 256.0), (b - a / 16.0) / (1.0 - 1.0 / 256.0));
    let kernel = (kernel - (a + b) * 64.0 * n_tiles(8)) / 4096.0;
    println!(
        "    winograd_input: {a:.0}.0,\n    winograd_output: {b:.0}.0,\n    winograd_kernel: {kernel:.0}.0,"
    );
}
