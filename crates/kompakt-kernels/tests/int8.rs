//! Products of bytes: every form on every instruction set gives the integers of plain loops.
#![allow(clippy::unwrap_used)]

use arbtest::arbitrary::{Result, Unstructured};
use kompakt_kernels::{
    BytePlanes, Codebook, ConvRows, ConvScratch, ConvShape, Convolution, Epilogue, Int8Rows, Isa,
    PanelScratch, Quantiser, RowSource, RowWeights, SlicedMatrix, TapLayout, Window, WindowForm,
    WindowMatrix, dense,
};
use kompakt_testing::numbers;
use std::sync::Arc;

/// Signed bytes as a matrix of floats, `[rows, channels, taps]`; each row has a 127, so that its scale is 1.
struct Bytes {
    rows: Vec<Vec<i8>>,
    values: Vec<Vec<f32>>,
    n_cols: usize,
    book: Codebook,
}

impl Bytes {
    fn random(u: &mut Unstructured<'_>, [n_rows, n_cols]: [usize; 2]) -> Result<Self> {
        let (seed, density): (u64, f32) = (u.arbitrary()?, *u.choose(&[0.05f32, 0.4, 1.0])?);
        // Extremes in a row make pairs of 16-bit sums overflow where they are saturated; small ones are added up in runs.
        let (is_extreme, size): (bool, f32) = (u.arbitrary()?, *u.choose(&[127.0, 30.0, 4.0])?);
        let row = |r: usize| {
            let (sizes, dice) = (numbers(seed ^ r as u64, n_cols), numbers(seed ^ 77 ^ r as u64, n_cols));
            let one = |(v, d): (&f32, &f32)| match (f32::midpoint(*d, 1.0) < density, is_extreme) {
                (false, _) => 0,
                (true, true) => {
                    if *v > -0.8 {
                        127
                    } else {
                        -127
                    }
                }
                (true, false) => (v * size) as i8,
            };
            let mut row: Vec<i8> = sizes.iter().zip(&dice).map(one).collect();
            row[seed as usize % n_cols] = 127;
            row
        };
        let rows: Vec<Vec<i8>> = (0..n_rows).map(row).collect();
        let values = rows.iter().map(|r| r.iter().map(|&w| f32::from(w)).collect()).collect();
        Ok(Self { rows, values, n_cols, book: Codebook::new(&[]) })
    }
}

impl RowSource for Bytes {
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
        false
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        let cols: Vec<u32> = (0..self.n_cols as u32).collect();
        self.values.iter().enumerate().for_each(|(row, v)| visit(row, &cols, RowWeights::Values(v)));
    }
}

/// Numbers from 0 to 255, as floats.
fn inputs(seed: u64, n: usize) -> Vec<f32> {
    numbers(seed, n).into_iter().map(|v| (v.abs() * 255.9).floor().min(255.0)).collect()
}

/// The sums with the zero point taken off: `z` is what a byte of 0 counts for.
fn epilogue(rows: &Int8Rows, zero_point: i32) -> Vec<f32> {
    assert!(rows.scales().iter().all(|s| *s == 1.0), "{:?}", rows.scales());
    rows.sums().iter().map(|sum| -(sum * zero_point) as f32).collect()
}

/// Those of the machine, and the same without instructions that add up products of bytes.
fn instruction_sets() -> impl Iterator<Item = Isa> {
    let both = |isa: Isa| [Some(isa), isa.has_dot().then(|| isa.without_dot())];
    Isa::available().flat_map(both).flatten()
}

#[test]
fn the_largest_inputs_at_the_edge_of_sixteen_bits() {
    // Times 255: 128 fits 16 bits, 129 does not, whether in two bytes or in those of a run of elements.
    let edges: [&[i8]; 10] = [
        &[64, 64, -64, -64],
        &[64, 65, -65, -64],
        &[-64, -64, 64, 65],
        &[127, 127, -127, -127],
        &[127, -127, 127, -127],
        &[8, 0, 0, -8],
        &[1, 7, -8, 0, 9, -1, 0, 8],
        &[32, 32, -32, -32, 32, 32, -32, -32],
        &[32, 32, -32, -32, 32, 33, -32, -33],
        &[127, 1, 0, 0, 1, 0, 0, 0],
    ];
    let n_cols = 4 * 33;
    let row = |edge: &&[i8]| {
        let mut row: Vec<i8> = edge.iter().copied().cycle().take(n_cols).collect();
        row[n_cols - 1] = 127;
        row
    };
    let rows: Vec<Vec<i8>> = edges.iter().map(row).collect();
    let values = rows.iter().map(|r| r.iter().map(|&w| f32::from(w)).collect()).collect();
    let m = Bytes { rows, values, n_cols, book: Codebook::new(&[]) };
    let rows = Int8Rows::new(&m, 1);
    for (isa, n) in instruction_sets().flat_map(|isa| [1, 5, 8, 16, 37].map(|n| (isa, n))) {
        let q = Quantiser::new(0.0, 255.0);
        let bias = epilogue(&rows, q.zero_point(isa));
        let e = Epilogue { bias: Some(&bias), ..Epilogue::default() };
        let planes = BytePlanes::lines(n_cols, n);
        let mut bytes = vec![0.0; planes.len()];
        q.planes(isa, &planes, &vec![255.0; n_cols * n], &mut bytes);
        for form in [WindowForm::Taps, WindowForm::Panels] {
            let layout = Arc::new(TapLayout::linear(rows.n_cols(), 20));
            let weights = WindowMatrix::of_bytes(form, &layout, &rows, isa);
            let (mut y, scratch) = (vec![f32::NAN; edges.len() * n], &mut PanelScratch::default());
            weights.apply(isa, 0..edges.len(), &bytes, n, Window::line(n), e, &mut y, n, scratch);
            for (i, y) in y.iter().enumerate() {
                let exact: i32 = m.rows[i / n].iter().map(|&w| 255 * i32::from(w)).sum();
                assert_eq!(*y as i32, exact, "{form:?} on {isa}, {n} positions, row {}", i / n);
            }
        }
    }
}

#[test]
fn linear_layers() {
    arbtest::arbtest(|u| {
        let (n_rows, n_cols, n) =
            (u.int_in_range(1..=70)?, u.int_in_range(1..=300)?, u.int_in_range(1..=40)?);
        let m = Bytes::random(u, [n_rows, n_cols])?;
        let seed: u64 = u.arbitrary()?;
        let x = inputs(seed, n_cols * n);
        let rows = Int8Rows::new(&m, 1);
        assert_eq!(rows.error(), 0.0);
        let q = Quantiser::new(0.0, 255.0);
        let exact = |row: usize, i: usize| -> i32 {
            m.rows[row].iter().enumerate().map(|(c, w)| i32::from(*w) * x[c * n + i] as i32).sum()
        };
        for isa in instruction_sets() {
            let bias = epilogue(&rows, q.zero_point(isa));
            let e = Epilogue { bias: Some(&bias), ..Epilogue::default() };
            let planes = BytePlanes::lines(n_cols, n);
            let mut bytes = vec![0.0; planes.len()];
            q.planes(isa, &planes, &x, &mut bytes);
            for form in [WindowForm::Taps, WindowForm::Panels] {
                let block = *u.choose(&[3, 20, 1 << 16])?;
                let layout = Arc::new(TapLayout::linear(rows.n_cols(), block));
                let m = WindowMatrix::of_bytes(form, &layout, &rows, isa);
                let mut y = vec![f32::NAN; n_rows * n];
                let scratch = &mut PanelScratch::default();
                m.apply(isa, 0..n_rows, &bytes, n, Window::line(n), e, &mut y, n, scratch);
                for (i, y) in y.iter().enumerate() {
                    assert_eq!(*y as i32, exact(i / n, i % n), "{form:?} on {isa}");
                }
            }
            if n == 1 {
                let (mut y, mut z) = (vec![0.0; n_rows], vec![0.0; n_rows]);
                SlicedMatrix::build(&rows).unwrap().apply(isa, &bytes, e, &mut y);
                dense::dot_rows_of_bytes(isa, rows.elements(), &bytes, &mut z);
                for row in 0..n_rows {
                    let dense = e.apply(row, z[row]);
                    assert_eq!([y[row] as i32, dense as i32], [exact(row, 0); 2], "{isa}");
                }
            }
        }
        Ok(())
    })
    .budget_ms(3000);
}

#[test]
fn convolutions() {
    arbtest::arbtest(|u| {
        let groups = *u.choose(&[1, 1, 2])?;
        let channels = if groups == 1 { u.int_in_range(1..=11)? } else { 8 };
        let outputs = if groups == 1 { u.int_in_range(1..=9)? } else { 4 };
        let kernel = *u.choose(&[[1, 1], [3, 3], [2, 3], [5, 1]])?;
        let stride = *u.choose(&[[1, 1], [2, 2], [1, 2]])?;
        let size = [u.int_in_range(6..=20)?, u.int_in_range(6..=37)?];
        let (before, after) = if kernel == [1, 1] { ([0; 2], [0; 2]) } else { ([1, 1], [1, 0]) };
        let out = |i: usize| (size[i] + before[i] + after[i] - kernel[i]) / stride[i] + 1;
        let output = [out(0), out(1)];
        let shape = ConvShape { channels, outputs, size, output, kernel, before, stride, dilation: [1; 2] };
        let (taps, n_rows) = (kernel[0] * kernel[1], groups * outputs);
        let m = Bytes::random(u, [n_rows, channels * taps])?;
        let rows = Int8Rows::new(&m, taps);
        // Zero is not the byte 0, so that wrong padding is seen.
        let q = Quantiser::new(-100.0, 155.0);
        let x: Vec<f32> =
            inputs(u.arbitrary()?, groups * channels * size[0] * size[1]).iter().map(|x| x - 100.0).collect();
        let at = |c: usize, y: usize, x_: usize| -> i32 {
            match (y.checked_sub(before[0]), x_.checked_sub(before[1])) {
                (Some(r), Some(col)) if r < size[0] && col < size[1] => {
                    x[(c * size[0] + r) * size[1] + col] as i32
                }
                _ => 0,
            }
        };
        let conv = Convolution::new(shape, groups, after);
        for isa in instruction_sets() {
            for form in [WindowForm::Taps, WindowForm::Panels] {
                let Some(conv) = conv.of_bytes(form, isa) else { continue };
                let planes = Convolution::new(shape, groups, after).byte_planes();
                let bias = epilogue(&rows, q.zero_point(isa));
                let e = Epilogue { bias: Some(&bias), ..Epilogue::default() };
                let mut bytes = vec![0.0; planes.len()];
                q.planes(isa, &planes, &x, &mut bytes);
                let mut laid_out = bytes;
                if let Some(len) = conv.laid_out_len() {
                    let mut other = vec![0.0; len];
                    conv.lay_out(&laid_out, &mut other);
                    laid_out = other;
                }
                let density = rows.n_kept() as f32 / rows.elements().len() as f32;
                let weights = WindowMatrix::of_bytes(form, &Arc::new(conv.columns(density)), &rows, isa);
                let part =
                    ConvRows { isa, conv: &conv, weights: &weights, first: 0, rows: 0..n_rows, epilogue: e };
                let plane = output[0] * output[1];
                let mut y = vec![f32::NAN; n_rows * plane];
                part.run(&laid_out, 0, &mut ConvScratch::default(), &mut y);
                for (i, y) in y.iter().enumerate() {
                    let (row, oy, ox) = (i / plane, i % plane / output[1], i % output[1]);
                    let product = |(j, w): (usize, &i8)| {
                        let (c, ky, kx) = (j / taps, j % taps / kernel[1], j % kernel[1]);
                        let c = row / outputs * channels + c;
                        i32::from(*w) * at(c, oy * stride[0] + ky, ox * stride[1] + kx)
                    };
                    let exact: i32 = m.rows[row].iter().enumerate().map(product).sum();
                    assert_eq!(*y as i32, exact, "{form:?} on {isa}: {conv:?}, row {row} at {oy}, {ox}");
                }
            }
        }
        Ok(())
    })
    .budget_ms(4000);
}
