//! Convolutions and pooling on all instruction sets, against direct sums in f64.
#![allow(clippy::unwrap_used)]

use arbtest::arbitrary::{Result, Unstructured};
use kompakt_kernels::{
    Aligned, ConvRows, ConvScratch, ConvShape, Convolution, Depthwise, Epilogue, Grid, Isa, PanelMatrix,
    PanelScratch, PlaneParts, Planes, PlanesAt, PoolWindow, TapLayout, TapMatrix, Window, WindowForm,
    WindowMatrix, elementwise, grid, pool,
};
use kompakt_testing::{matrix::SparseMatrix, numbers};
use std::{ops::RangeInclusive, sync::Arc};

/// The largest result.
const CEILING: f32 = 0.5;

struct Conv {
    groups: usize,
    channels: usize,
    out: usize,
    planes: Planes,
    kernel: [usize; 2],
    dilation: [usize; 2],
    output: [usize; 2],
}

fn conv(u: &mut Unstructured<'_>) -> Result<Conv> {
    let groups = u.int_in_range(1..=3)?;
    let channels = u.int_in_range(1..=4)?;
    let out = u.int_in_range(1..=3)?;
    let mut axis = || -> Result<[usize; 7]> {
        let kernel: usize = u.int_in_range(1..=5)?;
        let dilation = u.int_in_range(1..=3)?;
        let (before, after) = (u.int_in_range(0..=3)?, u.int_in_range(0..=3)?);
        let reach = (kernel - 1) * dilation + 1;
        let size = u.int_in_range(1..=40)?.max(reach.saturating_sub(before + after)).max(1);
        let stride = u.int_in_range(1..=4)?;
        Ok([size, kernel, dilation, before, after, stride, (size + before + after - reach) / stride + 1])
    };
    let (v, h) = (axis()?, axis()?);
    Ok(Conv {
        groups,
        channels,
        out,
        planes: Planes {
            channels: groups * channels,
            size: [v[0], h[0]],
            before: [v[3], h[3]],
            after: [v[4], h[4]],
            stride: [v[5], h[5]],
            row_align: *u.choose(&[1, 1, 7, 16])?,
        },
        kernel: [v[1], h[1]],
        dilation: [v[2], h[2]],
        output: [v[6], h[6]],
    })
}

/// One output in f64 and the sum of its absolute products.
fn expected(c: &Conv, weights: &[f32], x: &[f32], row: usize, oy: usize, ox: usize) -> (f64, f64) {
    let (mut sum, mut size) = (0.0, 0.0);
    let group = row / c.out;
    let [h, w] = c.planes.size;
    for channel in 0..c.channels {
        for ky in 0..c.kernel[0] {
            for kx in 0..c.kernel[1] {
                let y = (oy * c.planes.stride[0] + ky * c.dilation[0]).wrapping_sub(c.planes.before[0]);
                let xx = (ox * c.planes.stride[1] + kx * c.dilation[1]).wrapping_sub(c.planes.before[1]);
                if y >= h || xx >= w {
                    continue;
                }
                let weight = weights[((row * c.channels + channel) * c.kernel[0] + ky) * c.kernel[1] + kx];
                let p = f64::from(weight) * f64::from(x[((group * c.channels + channel) * h + y) * w + xx]);
                sum += p;
                size += p.abs();
            }
        }
    }
    (sum, size)
}

struct DenseMatrix {
    n_rows: usize,
    n_cols: usize,
    /// Row-major; zeros are pruned.
    values: Vec<f32>,
}

impl DenseMatrix {
    fn taps(&self, layout: TapLayout) -> TapMatrix {
        TapMatrix::build(Arc::new(layout), &SparseMatrix::of_dense(&self.values, self.n_cols))
    }

    fn panels(&self, layout: &TapLayout) -> PanelMatrix {
        PanelMatrix::build(layout, &SparseMatrix::of_dense(&self.values, self.n_cols))
    }
}

/// Weights of some density, an input and biases for a convolution.
fn sparse(u: &mut Unstructured<'_>, c: &Conv) -> Result<(DenseMatrix, Vec<f32>, Vec<f32>)> {
    let n_cols = c.channels * c.kernel[0] * c.kernel[1];
    let n_rows = c.groups * c.out;
    let seed: u64 = u.arbitrary()?;
    let density: f32 = *u.choose(&[-1.0, -0.8, 0.0, 1.0])?;
    let values: Vec<f32> = numbers(seed, n_rows * n_cols)
        .into_iter()
        .zip(numbers(seed ^ 5, n_rows * n_cols))
        .map(|(v, dice)| if dice < density { v } else { 0.0 })
        .collect();
    let [h, w] = c.planes.size;
    let x = numbers(seed ^ 9, c.planes.channels * h * w);
    Ok((DenseMatrix { n_rows, n_cols, values }, x, numbers(seed ^ 4, n_rows)))
}

#[test]
fn convolutions() {
    arbtest::arbtest(|u| {
        let c = conv(u)?;
        let (m, x, bias) = sparse(u, &c)?;
        let (n_rows, n_cols) = (m.n_rows, m.n_cols);
        let mut padded = vec![f32::NAN; c.planes.len()];
        c.planes.fill(&x, &mut padded);
        if c.planes.is_identity() {
            assert_eq!(padded, x);
        }
        let footprint = *u.choose(&[1, 300, 4096, 1 << 20])?;
        let layout = TapLayout::planar(c.planes.offsets(c.channels, c.kernel, c.dilation), footprint);
        let panels = m.panels(&layout);
        let taps = m.taps(layout);
        let [oh, ow] = c.output;
        let window = Window { rows: oh, cols: ow, x_stride: c.planes.row_stride(), y_stride: ow };
        for isa in Isa::available() {
            let mut y = vec![f32::NAN; n_rows * oh * ow];
            let (mut z, mut scratch) = (y.clone(), PanelScratch::default());
            for group in 0..c.groups {
                let x = &padded[group * c.channels * c.planes.channel_len()..];
                let rows = group * c.out..(group + 1) * c.out;
                let planes = rows.start * oh * ow..rows.end * oh * ow;
                let (y, z) = (&mut y[planes.clone()], &mut z[planes]);
                let epilogue =
                    Epilogue { scale: None, bias: Some(&bias), relu: false, ceiling: Some(CEILING) };
                taps.apply(isa, rows.clone(), x, 1, window, epilogue, y, oh * ow);
                panels.apply(isa, rows, x, 1, window, epilogue, z, oh * ow, &mut scratch);
            }
            for (i, &found) in y.iter().enumerate().chain(z.iter().enumerate()) {
                let (row, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
                let (sum, size) = expected(&c, &m.values, &x, row, oy, ox);
                let bound = (4 * (n_cols + 2)) as f64 * 2f64.powi(-24) * (size + f64::from(bias[row].abs()));
                let error = (f64::from(found) - (sum + f64::from(bias[row])).min(f64::from(CEILING))).abs();
                assert!(error <= bound, "{isa} {:?} row {row} at {oy},{ox}: off by {error}", c.planes);
            }
        }
        Ok(())
    })
    .budget_ms(4000);
}

/// Rows in place, whose padding is cleared, against rows that are padded first; what is not finite stays in its channel.
#[test]
fn grids_are_the_same_in_place() {
    arbtest::arbtest(|u| {
        let mut c = conv(u)?;
        c.channels = u.int_in_range(4..=7)?;
        c.planes.channels = c.channels;
        let n = c.channels * c.planes.size[0] * c.planes.size[1];
        let mut x: Vec<f32> = (0..n).map(|i| 1.0 + (i % 251) as f32).collect();
        let odd = u.int_in_range(0..=c.channels - 1)?;
        x[odd * n / c.channels..(odd + 1) * n / c.channels].fill(*u.choose(&[f32::NAN, f32::INFINITY])?);
        let grid = Grid::new(shape(&c));
        let filled = |isa: Isa, tile: usize| -> Vec<u32> {
            let (mut input, mut line) = (vec![f32::NAN; grid.room()], Vec::new());
            grid.fill(isa, &x, tile, &mut line, &mut input);
            input[..grid.len()].iter().map(|x| x.to_bits()).collect()
        };
        for tile in 0..grid.n_tiles() {
            let padded = filled(Isa::SCALAR, tile);
            for isa in Isa::available() {
                assert!(filled(isa, tile) == padded, "{isa} {grid:?} tile {tile}");
            }
        }
        Ok(())
    })
    .budget_ms(3000);
}

#[test]
fn convolutions_on_a_grid() {
    arbtest::arbtest(|u| {
        let c = conv(u)?;
        let (m, x, bias) = sparse(u, &c)?;
        let (n_rows, n_cols) = (m.n_rows, m.n_cols);
        let [h, w] = c.planes.size;
        let grid = Grid::new(shape(&c));
        let footprint = *u.choose(&[1, 300, 4096])?;
        let taps = m.taps(TapLayout::planar(grid.offsets(), footprint));
        let [down, across] = grid.block();
        let cols = across * grid::LANES;
        let window = Window { rows: down, cols, x_stride: grid.row_vectors() * grid::LANES, y_stride: cols };
        let plane = c.output[0] * c.output[1];
        for isa in Isa::available() {
            let (mut input, mut sums, mut line) = (Aligned::default(), Aligned::default(), Vec::new());
            let mut y = vec![f32::NAN; n_rows * plane];
            for group in 0..c.groups {
                for tile in 0..grid.n_tiles() {
                    let input = input.room(grid.room());
                    input.fill(f32::NAN);
                    grid.fill(isa, &x[group * c.channels * h * w..], tile, &mut line, input);
                    let sums = sums.room(c.out * grid.tile_len() + 4 * grid::LANES);
                    let epilogue =
                        Epilogue { scale: None, bias: Some(&bias), relu: false, ceiling: Some(CEILING) };
                    let rows = group * c.out..(group + 1) * c.out;
                    taps.apply(
                        isa,
                        rows.clone(),
                        input,
                        grid::LANES,
                        window,
                        epilogue,
                        sums,
                        grid.tile_len(),
                    );
                    grid.store(isa, sums, tile, &mut y[rows.start * plane..rows.end * plane]);
                }
            }
            for (i, &found) in y.iter().enumerate() {
                let (row, oy, ox) = (i / plane, i % plane / c.output[1], i % c.output[1]);
                let (sum, size) = expected(&c, &m.values, &x, row, oy, ox);
                let bound = (4 * (n_cols + 2)) as f64 * 2f64.powi(-24) * (size + f64::from(bias[row].abs()));
                let error = (f64::from(found) - (sum + f64::from(bias[row])).min(f64::from(CEILING))).abs();
                assert!(error <= bound, "{isa} {grid:?} row {row} at {oy},{ox}: off by {error}");
            }
        }
        Ok(())
    })
    .budget_ms(4000);
}

#[test]
fn convolutions_by_winograd() {
    arbtest::arbtest(|u| {
        let (groups, channels, out) =
            (u.int_in_range(1..=2)?, u.int_in_range(1..=20)?, u.int_in_range(1..=14)?);
        let out: usize = if groups == 1 { out } else { usize::next_multiple_of(out, 4) };
        by_winograd(u, [groups, channels, out], 3..=40)
    })
    .budget_ms(4000);
}

/// Inputs that are run in bands whose kernels stay in cache (up to 64 channels), and channels that are run in blocks.
#[test]
fn large_convolutions_by_winograd() {
    arbtest::arbtest(|u| {
        let channels = *u.choose(&[52, 61, 64, 90, 132])?;
        let out = u.int_in_range(1..=10)?;
        by_winograd(u, [1, channels, out], 12..=34)
    })
    .budget_ms(4000);
}

/// Inputs that are run in bands for each of which kernels are transformed again.
#[test]
fn convolutions_by_winograd_in_bands() {
    arbtest::arbtest(|u| {
        let channels = *u.choose(&[72, 90, 132])?;
        let out = u.int_in_range(1..=9)?;
        by_winograd(u, [1, channels, out], 62..=75)
    })
    .budget_ms(3000);
}

fn by_winograd(
    u: &mut Unstructured<'_>,
    [groups, channels, out]: [usize; 3],
    sizes: RangeInclusive<usize>,
) -> Result<()> {
    let mut axis = || -> Result<[usize; 3]> {
        let (before, after) = (u.int_in_range(0..=3)?, u.int_in_range(0..=3)?);
        Ok([u.int_in_range(sizes.clone())?, before, after])
    };
    let (v, h) = (axis()?, axis()?);
    let size = [v[0], h[0]];
    let (before, after) = ([v[1], h[1]], [v[2], h[2]]);
    let planes = Planes { channels: groups * channels, size, before, after, stride: [1; 2], row_align: 1 };
    let output = [0, 1].map(|i| size[i] + before[i] + after[i] - 2);
    let c = Conv { groups, channels, out, planes, kernel: [3; 2], dilation: [1; 2], output };
    let (m, x, bias) = sparse(u, &c)?;
    let conv = Convolution::new(shape(&c), groups, after).by_winograd().unwrap();
    let source = SparseMatrix::of_dense(&m.values, m.n_cols);
    let weights = WindowMatrix::build(WindowForm::Panels, &Arc::new(conv.columns(1.0)), &source);
    let [oh, ow] = output;
    let (epilogue, plane) =
        (Epilogue { scale: None, bias: Some(&bias), relu: false, ceiling: Some(CEILING) }, oh * ow);
    let split = u.int_in_range(0..=m.n_rows)?;
    let n_parts = u.int_in_range(2..=4)?;
    let every: Vec<(f64, f64)> =
        (0..m.n_rows * plane).map(|i| expected(&c, &m.values, &x, i / plane, i / ow % oh, i % ow)).collect();
    let size = every.iter().fold(0.0, |most: f64, (_, size)| most.max(*size));
    for isa in Isa::available() {
        let (mut y, mut scratch) = (vec![f32::NAN; m.n_rows * plane], ConvScratch::default());
        for rows in [0..split, split..m.n_rows] {
            let y = &mut y[rows.start * plane..rows.end * plane];
            let part = ConvRows { isa, conv: &conv, weights: &weights, first: 0, rows, epilogue };
            part.run(&x, 0, &mut scratch, y);
        }
        if let Some(part_rows) = conv.part_rows(n_parts) {
            let rows = 0..m.n_rows;
            let part = ConvRows { isa, conv: &conv, weights: &weights, first: 0, rows, epilogue };
            let mut z = vec![f32::NAN; y.len()];
            for top in (0..oh).step_by(part_rows) {
                let output = top..oh.min(top + part_rows);
                let mut parts = Parts { y: &mut z, plane, span: output.start * ow..output.end * ow };
                part.run_part(&x, output, &mut scratch, &mut parts);
            }
            assert_eq!(y, z, "{isa} {:?} in parts of {part_rows} rows", c.planes);
        }
        for (i, (&found, (sum, _))) in y.iter().zip(&every).enumerate() {
            let bias = f64::from(bias[i / plane]);
            let bound = (4 * (m.n_cols + 8)) as f64 * 2f64.powi(-24) * (size + bias.abs());
            let error = (f64::from(found) - (sum + bias).min(f64::from(CEILING))).abs();
            assert!(error <= bound, "{isa} {:?} output {i}: off by {error} of {bound}", c.planes);
        }
    }
    Ok(())
}

/// The same part of planes that lie one after another.
struct Parts<'a> {
    y: &'a mut [f32],
    plane: usize,
    span: std::ops::Range<usize>,
}

impl PlaneParts for Parts<'_> {
    fn part(&mut self, row: usize) -> &mut [f32] {
        &mut self.y[row * self.plane..][self.span.clone()]
    }
}

/// Sequences are planes of one element's width, or of one element's height: both run alike.
#[test]
fn convolutions_of_sequences() {
    arbtest::arbtest(|u| {
        let mut c = conv(u)?;
        let one = u.int_in_range(0..=1)?;
        let planes = &mut c.planes;
        (planes.size[one], planes.before[one], planes.after[one], planes.stride[one]) = (1, 0, 0, 1);
        (planes.row_align, c.kernel[one], c.dilation[one], c.output[one]) = (1, 1, 1, 1);
        c.out = c.out.next_multiple_of(PanelMatrix::ROWS);
        let (m, x, bias) = sparse(u, &c)?;
        let source = SparseMatrix::of_dense(&m.values, m.n_cols);
        let epilogue = Epilogue { scale: None, bias: Some(&bias), relu: false, ceiling: Some(CEILING) };
        let (plane, ow) = (c.output[0] * c.output[1], c.output[1]);
        let any = Convolution::new(shape(&c), c.groups, c.planes.after);
        for (isa, &form) in Isa::available().flat_map(|isa| any.forms().iter().map(move |f| (isa, f))) {
            let conv = any.for_form(form, isa);
            let weights = WindowMatrix::build(form, &Arc::new(conv.columns(1.0)), &source);
            let mut laid_out = vec![f32::NAN; conv.laid_out_len().unwrap_or(0)];
            conv.lay_out(&x, &mut laid_out);
            let input = if laid_out.is_empty() { &x } else { &laid_out };
            let (mut y, mut scratch) = (vec![f32::NAN; m.n_rows * plane], ConvScratch::default());
            let part =
                ConvRows { isa, conv: &conv, weights: &weights, first: 0, rows: 0..m.n_rows, epilogue };
            part.run(input, 0, &mut scratch, &mut y);
            for (i, &found) in y.iter().enumerate() {
                let (sum, size) = expected(&c, &m.values, &x, i / plane, i / ow % c.output[0], i % ow);
                let bias = f64::from(bias[i / plane]);
                let bound = (4 * (m.n_cols + 2)) as f64 * 2f64.powi(-24) * (size + bias.abs());
                let error = (f64::from(found) - (sum + bias).min(f64::from(CEILING))).abs();
                assert!(
                    error <= bound,
                    "{isa} {form:?} {:?} output {i}: off by {error} of {bound}",
                    c.planes
                );
            }
        }
        Ok(())
    })
    .budget_ms(2000);
}

#[test]
fn a_sequence_down_is_run_across() {
    let shape = |[down, across]: [usize; 2]| ConvShape {
        channels: 8,
        outputs: 16,
        size: [508 * down, 508 * across].map(|n| n.max(1)),
        output: [504 * down, 504 * across].map(|n| n.max(1)),
        kernel: [5 * down, 5 * across].map(|n| n.max(1)),
        before: [0; 2],
        stride: [1; 2],
        dilation: [1; 2],
    };
    assert_eq!(Convolution::new(shape([1, 0]), 1, [0; 2]), Convolution::new(shape([0, 1]), 1, [0; 2]));
}

/// A convolution of one input channel a group, in the shapes that [`Depthwise`] knows.
fn one_to_one(u: &mut Unstructured<'_>) -> Result<Conv> {
    let (kernel, stride): (usize, usize) = (*u.choose(&[3, 5])?, u.int_in_range(1..=2)?);
    let mut axis = || -> Result<[usize; 4]> {
        let (before, after) = (u.int_in_range(0..=6)?, u.int_in_range(0..=6)?);
        let size = u.int_in_range(1..=70)?.max(kernel.saturating_sub(before + after)).max(1);
        Ok([size, before, after, (size + before + after - kernel) / stride + 1])
    };
    let (v, h) = (axis()?, axis()?);
    let groups = u.int_in_range(1..=4)?;
    Ok(Conv {
        groups,
        channels: 1,
        out: u.int_in_range(1..=2)?,
        planes: Planes {
            channels: groups,
            size: [v[0], h[0]],
            before: [v[1], h[1]],
            after: [v[2], h[2]],
            stride: [stride; 2],
            row_align: 1,
        },
        kernel: [kernel; 2],
        dilation: [1; 2],
        output: [v[3], h[3]],
    })
}

fn shape(c: &Conv) -> ConvShape {
    ConvShape {
        channels: c.channels,
        outputs: c.out,
        size: c.planes.size,
        output: c.output,
        kernel: c.kernel,
        before: c.planes.before,
        stride: c.planes.stride,
        dilation: c.dilation,
    }
}

#[test]
fn convolutions_of_one_channel_each() {
    arbtest::arbtest(|u| {
        let c = one_to_one(u)?;
        let (m, dense, bias) = sparse(u, &c)?;
        let depthwise = Depthwise::new(&shape(&c)).unwrap();
        let taps = m.taps(TapLayout::linear(m.n_cols, m.n_cols));
        let (plane, len) = (c.output[0] * c.output[1], c.planes.size[0] * c.planes.size[1]);
        // The gaps between the planes are never read.
        let at = PlanesAt { first: 0, x_plane: len + u.int_in_range(0..=3)?, y_plane: plane + 2 };
        let mut x = vec![f32::NAN; (c.groups - 1) * at.x_plane + len];
        for (from, to) in dense.chunks_exact(len).zip(x.chunks_mut(at.x_plane)) {
            to[..len].copy_from_slice(from);
        }
        let first = u.int_in_range(0..=m.n_rows - 1)?;
        let x = &x[first / c.out * at.x_plane..];
        let at = PlanesAt { first: first / c.out, ..at };
        for isa in Isa::available() {
            let mut y = vec![f32::NAN; (m.n_rows - first - 1) * at.y_plane + plane];
            let epilogue = Epilogue { scale: None, bias: Some(&bias), relu: false, ceiling: Some(CEILING) };
            depthwise.apply(isa, &taps, first..m.n_rows, 0, x, at, epilogue, &mut y);
            for (row, y) in (first..).zip(y.chunks(at.y_plane)) {
                assert!(y[plane..].iter().all(|y| y.is_nan()), "{isa}: written past a plane");
                for (i, &found) in y[..plane].iter().enumerate() {
                    let (oy, ox) = (i / c.output[1], i % c.output[1]);
                    let (sum, size) = expected(&c, &m.values, &dense, row, oy, ox);
                    let bound =
                        (4 * (m.n_cols + 2)) as f64 * 2f64.powi(-24) * (size + f64::from(bias[row].abs()));
                    let error =
                        (f64::from(found) - (sum + f64::from(bias[row])).min(f64::from(CEILING))).abs();
                    assert!(error <= bound, "{isa} {depthwise:?} row {row} at {oy},{ox}: off by {error}");
                }
            }
        }
        Ok(())
    })
    .budget_ms(3000);
}

#[test]
fn lines_of_any_number_of_vectors() {
    let (n_rows, n_cols) = (3, 40);
    for n in 1..=70 {
        let pitch = n * grid::LANES;
        let values: Vec<f32> =
            numbers(n as u64, n_rows * n_cols).into_iter().map(|v| if v < -0.2 { 0.0 } else { v }).collect();
        let m = DenseMatrix { n_rows, n_cols, values };
        let x = numbers(7, n_cols * pitch);
        // With few columns per block, partial sums are stored between blocks.
        for footprint in [7 * n, 1 << 16] {
            let offsets = (0..n_cols as u32).map(|c| c * n as u32).collect();
            let taps = m.taps(TapLayout::planar(offsets, footprint));
            for isa in Isa::available() {
                let mut y = vec![f32::NAN; n_rows * pitch];
                let window = Window::line(pitch);
                taps.apply(isa, 0..n_rows, &x, grid::LANES, window, Epilogue::default(), &mut y, pitch);
                for (i, &found) in y.iter().enumerate() {
                    let products = (0..n_cols).map(|c| {
                        f64::from(m.values[i / pitch * n_cols + c]) * f64::from(x[c * pitch + i % pitch])
                    });
                    let (sum, size) = products.fold((0.0, 0.0), |(s, z), p| (s + p, z + p.abs()));
                    let bound = (4 * n_cols) as f64 * 2f64.powi(-24) * size;
                    assert!((f64::from(found) - sum).abs() <= bound, "{isa}: {n} vectors, at {i}");
                }
            }
        }
    }
}

#[test]
fn pools() {
    arbtest::arbtest(|u| {
        let planes = u.int_in_range(1..=3)?;
        let ceil: bool = u.arbitrary()?;
        let mut axis = || -> Result<[usize; 6]> {
            let kernel: usize = u.int_in_range(1..=4)?;
            let (before, after) = (u.int_in_range(0..=kernel - 1)?, u.int_in_range(0..=kernel - 1)?);
            let size: usize = u.int_in_range(kernel..=20)?;
            let stride = u.int_in_range(1..=3)?;
            let room = size + before + after - kernel;
            let mut n = room / stride + 1;
            if ceil && !room.is_multiple_of(stride) && n * stride < size + before {
                n += 1;
            }
            Ok([size, n, kernel, stride, before, after])
        };
        let (v, h) = (axis()?, axis()?);
        let pair = |i: usize| [v[i], h[i]];
        let window = PoolWindow {
            size: pair(0),
            output: pair(1),
            kernel: pair(2),
            stride: pair(3),
            before: pair(4),
            after: pair(5),
        };
        let ([h, w], [oh, ow]) = (window.size, window.output);
        let x = numbers(u.arbitrary()?, planes * h * w);
        let count_pad: bool = u.arbitrary()?;
        for isa in Isa::available() {
            let (mut largest, mut mean) = (vec![0.0; planes * oh * ow], vec![0.0; planes * oh * ow]);
            pool::max_pool(isa, &window, &x, &mut largest);
            pool::avg_pool(isa, &window, count_pad, &x, &mut mean);
            for i in 0..largest.len() {
                let (plane, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
                let (mut best, mut sum, mut real, mut all) = (f32::NEG_INFINITY, 0f64, 0usize, 0usize);
                for ky in 0..window.kernel[0] {
                    for kx in 0..window.kernel[1] {
                        let (y, xx) = (oy * window.stride[0] + ky, ox * window.stride[1] + kx);
                        if y >= h + window.before[0] + window.after[0]
                            || xx >= w + window.before[1] + window.after[1]
                        {
                            continue;
                        }
                        all += 1;
                        let (y, xx) = (y.wrapping_sub(window.before[0]), xx.wrapping_sub(window.before[1]));
                        if y < h && xx < w {
                            real += 1;
                            best = best.max(x[(plane * h + y) * w + xx]);
                            sum += f64::from(x[(plane * h + y) * w + xx]);
                        }
                    }
                }
                assert_eq!(largest[i], best, "{isa} {window:?}");
                if real > 0 {
                    let n = if count_pad { all } else { real } as f64;
                    assert!((f64::from(mean[i]) - sum / n).abs() < 1e-5, "{isa} {window:?}");
                }
            }
        }
        Ok(())
    })
    .budget_ms(2000);
}

#[test]
fn elements() {
    let x = numbers(3, 77);
    for isa in Isa::available() {
        let on = |f: fn(Isa, &mut [f32])| {
            let mut y = x.clone();
            f(isa, &mut y);
            y
        };
        assert!(on(elementwise::relu).iter().zip(&x).all(|(y, x)| *y == x.max(0.0)));
        let sigmoid = |x: &f32| 1.0 / (1.0 + (-f64::from(*x)).exp());
        assert!(
            on(elementwise::sigmoid).iter().zip(&x).all(|(y, x)| (f64::from(*y) - sigmoid(x)).abs() < 1e-6)
        );
        assert!(
            on(elementwise::tanh)
                .iter()
                .zip(&x)
                .all(|(y, x)| (f64::from(*y) - f64::from(*x).tanh()).abs() < 1e-6)
        );
        let mut p = x.clone();
        kompakt_kernels::softmax(isa, 11, 7, &mut p);
        for i in 0..7 {
            let total: f64 = x[i..].iter().step_by(7).map(|&v| f64::from(v).exp()).sum();
            for (p, v) in p[i..].iter().step_by(7).zip(x[i..].iter().step_by(7)) {
                assert!((f64::from(*p) - f64::from(*v).exp() / total).abs() < 1e-6);
            }
        }
        let mut nan = [f32::NAN, -1.0];
        elementwise::relu(isa, &mut nan);
        assert!(nan[0].is_nan() && nan[1] == 0.0);
        let mut y = [0.0; 7];
        pool::global_avg_pool(isa, &x, &mut y);
        for (plane, y) in x.chunks(11).zip(y) {
            assert!((plane.iter().map(|&v| f64::from(v)).sum::<f64>() / 11.0 - f64::from(y)).abs() < 1e-6);
        }
    }
}
