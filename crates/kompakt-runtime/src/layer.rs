//! One layer, in the form in which it is run.
//!
//! | form | where the weights are | when |
//! |---|---|---|
//! | `sliced` | memory | one image at a time |
//! | `sliced+columns` | memory, twice | the same, small, and zeros are likely in the input: then they are skipped |
//! | `dense codes`, `dense values` | memory | nothing (or little) is pruned, one image at a time |
//! | `taps` | memory | convolutions; batches |
//! | `from the file` | the file | the RAM budget leaves no room: rows are unpacked (`direct`) or tiles decoded (`stream`) at every run, and forgotten |

use crate::{
    convolve::{self, ConvRows, TileMemory, image_of},
    costs::{self, Candidate, Costs},
    error::RuntimeError,
    program::{Conv, LayerSpec, Method},
    threads::{RowLayout, Threads},
    weights::{RowScratch, RowView, Weights},
};
use kompakt_kernels::{
    Codebook, ColumnMatrix, ColumnScratch, Epilogue, Grid, Isa, PlanesAt, RowSource, RowWeights,
    SlicedMatrix, TapLayout, TapMatrix, Window, columns, dense, grid,
};
use std::{ops::Range, sync::Arc};

/// The largest column form that is kept beside the row form.
const MAX_COLUMNS_BYTES: usize = 1 << 19;
/// Floats of `x` that a block of columns of a batch reaches over: a part of an L2 that leaves room for the weights.
const BATCH_BLOCK: usize = 1 << 15;
/// How far a block of a convolution's columns reaches: as far as a u16, in floats of planes, in vectors of lines.
const PLANE_BLOCK: usize = 1 << 16;
/// Floats of `x` that a block of a grid's columns reaches over: most of an L1.
const GRID_BLOCK: usize = 7 << 10;
/// Weights that a row should keep in a block.
const GRID_KEPT: f32 = 24.0;
/// Floats of `x` that a block reaches over where a tile has few sums.
const GRID_FEW: usize = 1 << 16;

/// A layer that is ready to run.
#[derive(Debug)]
pub(crate) struct Layer<'m> {
    pub(crate) spec: LayerSpec,
    pub(crate) weights: Option<Weights<'m>>,
    pub(crate) form: FormKind,
    form_data: Form,
    scale: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    /// Facts about the weights, kept when they are in memory in another form.
    pub(crate) n_kept: usize,
    pub(crate) n_weights: usize,
    n_rows: usize,
}

/// The name of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormKind {
    Sliced,
    SlicedAndColumns,
    DenseCodes,
    DenseValues,
    Taps,
    FromFile,
}

impl FormKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sliced => "sliced",
            Self::SlicedAndColumns => "sliced+columns",
            Self::DenseCodes => "dense codes",
            Self::DenseValues => "dense values",
            Self::Taps => "taps",
            Self::FromFile => "from the file",
        }
    }
}

#[derive(Debug)]
enum Form {
    Sliced(SlicedMatrix),
    /// And below which part of the input columns pay.
    SlicedAndColumns(SlicedMatrix, ColumnMatrix, f32),
    DenseCodes(Vec<u8>, Codebook, usize),
    DenseValues(Vec<f32>, usize),
    Taps(TapMatrix),
    FromFile(Unpack),
}

/// How rows from the file are multiplied: as the form would that the layer has when memory allows, with the same bits.
#[derive(Debug)]
enum Unpack {
    /// Row by row as they come: putting them side by side costs more than multiplying them once.
    Rows,
    /// Codes of all weights, the codebook with a zero for what is pruned.
    Dense(Codebook),
    Taps(Arc<TapLayout>),
}

/// What a thread works in.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) row: RowScratch,
    pub(crate) columns: ColumnScratch,
    /// Rows of a layer that is run from the file.
    taps: Option<TapMatrix>,
    codes: Vec<u8>,
    tile: TileMemory,
}

/// A layer's choice of form: what it would hold, and what a run would cost.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) form: FormKind,
    pub(crate) bytes: usize,
    /// The forms that it was chosen from, and nanoseconds of a run by the table; none where there is no other.
    pub(crate) costs: Vec<(FormKind, f64)>,
}

/// The layout of a layer's columns for the tap form.
fn tap_layout(spec: &LayerSpec, weights: &Weights<'_>, max_batch: usize) -> TapLayout {
    let Weights { n_rows, n_cols, n_kept, .. } = *weights;
    match &spec.conv {
        None => TapLayout::linear(n_cols, BATCH_BLOCK / max_batch),
        Some(conv @ Conv { shape, method, .. }) => match method {
            Method::Line => {
                let vectors = (convolve::pitch(conv) / grid::LANES) as u32;
                TapLayout::planar((0..shape.channels as u32).map(|c| c * vectors).collect(), PLANE_BLOCK)
            }
            Method::Depthwise(depthwise) => TapLayout::linear(depthwise.n_places(), depthwise.n_places()),
            Method::Planes(planes) => {
                TapLayout::planar(planes.offsets(shape.channels, shape.kernel, shape.dilation), PLANE_BLOCK)
            }
            Method::Grid(grid) => TapLayout::planar(
                grid.offsets(),
                grid_block(grid, n_kept as f32 / (n_rows * n_cols).max(1) as f32),
            ),
        },
    }
}

/// Vectors of a tile's input that a block reaches over: what stays in an L1, but enough channels for each row to have
/// some kept weights among them, for sums are loaded and stored for every block.
fn grid_block(grid: &Grid, density: f32) -> usize {
    let [down, across] = grid.block();
    if down * across < 4 {
        // So few sums are added in an order that depends on the blocks, which may not depend on an estimate.
        return GRID_FEW / grid::LANES;
    }
    let channel = grid.channel_len() / grid::LANES;
    let [kh, kw] = grid.shape().kernel;
    let kept = (kh * kw) as f32 * density.max(0.001);
    (GRID_BLOCK / grid::LANES).max(channel * (GRID_KEPT / kept).ceil() as usize)
}

/// What running a layer from the file takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromFile {
    /// Bytes that the layer holds.
    pub(crate) held: usize,
    /// Bytes that each thread works in.
    pub(crate) scratch: usize,
}

/// The bytes that [`FormKind::FromFile`] takes for a layer whose fastest form is `form`.
pub(crate) fn from_file_bytes(
    spec: &LayerSpec,
    weights: &Weights<'_>,
    form: FormKind,
    max_batch: usize,
) -> FromFile {
    let row = weights.unpack_bytes();
    match form {
        FormKind::Sliced | FormKind::SlicedAndColumns => FromFile { held: 0, scratch: row },
        FormKind::DenseCodes | FormKind::DenseValues => {
            FromFile { held: 1024, scratch: row + weights.n_cols }
        }
        FormKind::Taps | FormKind::FromFile => {
            let layout = tap_layout(spec, weights, max_batch);
            let rows = weights.rows_at_once();
            let taps =
                TapMatrix::estimate_bytes(&layout, rows, weights.max_kept_at_once(), weights.is_coded());
            FromFile { held: layout.n_bytes(), scratch: row + taps + 1024 + tile_bytes(spec) }
        }
    }
}

/// Bytes of a tile's or a line's input and sums.
fn tile_bytes(spec: &LayerSpec) -> usize {
    spec.conv.map_or(0, |conv| convolve::memory_bytes(&conv, spec.feeds_depthwise))
}

/// Bytes that each thread works in for a layer of that form.
pub(crate) fn scratch_bytes(
    spec: &LayerSpec,
    weights: &Weights<'_>,
    form: FormKind,
    fastest: FormKind,
    max_batch: usize,
) -> usize {
    match form {
        FormKind::FromFile => from_file_bytes(spec, weights, fastest, max_batch).scratch,
        FormKind::SlicedAndColumns => 4 * (weights.n_cols + 4 * weights.n_rows + 20),
        _ => tile_bytes(spec),
    }
}

/// The fastest form of a layer, and its size. `max_batch` is how many images are run at once.
pub(crate) fn fastest(spec: &LayerSpec, weights: &Weights<'_>, isa: Isa, max_batch: usize) -> Choice {
    let (n_rows, n_cols, n_kept) = (weights.n_rows, weights.n_cols, weights.n_kept);
    if spec.conv.is_some() || max_batch > 1 {
        let layout = tap_layout(spec, weights, max_batch);
        let bytes = TapMatrix::estimate_bytes(&layout, n_rows, n_kept, weights.is_coded()) + layout.n_bytes();
        return Choice { form: FormKind::Taps, bytes, costs: Vec::new() };
    }
    let (costs, levels, total) = (Costs::of(isa), weights.n_levels(), n_rows * n_cols);
    let mut candidates = Vec::new();
    if n_cols <= kompakt_kernels::sliced::MAX_COLS {
        let sliced = SlicedMatrix::estimate_bytes(n_rows, n_kept, levels);
        let columns = ColumnMatrix::estimate_bytes(n_cols, n_kept);
        let has_columns = spec.input_has_zeros && columns <= MAX_COLUMNS_BYTES && n_rows <= columns::MAX_ROWS;
        let (form, bytes) = match has_columns {
            true => (FormKind::SlicedAndColumns, sliced + columns),
            false => (FormKind::Sliced, sliced),
        };
        candidates.push(Candidate { form, bytes, ns: costs.sliced(n_kept, levels) });
    }
    // A pruned weight takes one more code.
    let all_levels = levels.map(|n| n + usize::from(!weights.is_full()));
    match all_levels {
        Some(n) if n <= 256 => candidates.push(Candidate {
            form: FormKind::DenseCodes,
            bytes: total + 1024,
            ns: costs.dense_codes(total, n),
        }),
        None if weights.is_full() => candidates.push(Candidate {
            form: FormKind::DenseValues,
            bytes: total * 4,
            ns: costs.dense_values(total),
        }),
        _ => {}
    }
    // A dense form of a matrix that is too wide for others would be large where little is kept.
    let is_wide_and_pruned = n_cols > kompakt_kernels::sliced::MAX_COLS && n_kept * 3 < total;
    match costs::best(&candidates) {
        Some(best) if !is_wide_and_pruned => {
            let costs = candidates.iter().map(|c| (c.form, c.ns)).collect();
            Choice { form: best.form, bytes: best.bytes, costs }
        }
        _ => {
            let layout = tap_layout(spec, weights, max_batch);
            let taps = TapMatrix::estimate_bytes(&layout, n_rows, n_kept, weights.is_coded());
            Choice { form: FormKind::Taps, bytes: taps + layout.n_bytes(), costs: Vec::new() }
        }
    }
}

/// How many times the usual number of rows is unpacked together: where a plane is cut into tiles, every tile is laid out
/// anew for each part of the rows.
pub(crate) fn more_at_once(spec: &LayerSpec) -> usize {
    match spec.conv.map(|conv| conv.method) {
        Some(Method::Grid(grid)) if grid.n_tiles() > 1 => 8,
        _ => 1,
    }
}

/// From which density on a layer's form depends on how many weights are kept.
pub(crate) fn exact_from(spec: &LayerSpec, isa: Isa, max_batch: usize, n_levels: usize) -> f64 {
    if spec.conv.is_some() || max_batch > 1 { f64::INFINITY } else { Costs::of(isa).dense_from(n_levels) }
}

impl<'m> Layer<'m> {
    /// Builds a form of the weights, which are kept only if they are run from the file. `fastest` is what the layer
    /// would have if memory allowed.
    ///
    /// Errors: a tile that cannot be decoded.
    #[expect(clippy::too_many_arguments, reason = "what a layer is made of")]
    pub(crate) fn build(
        spec: LayerSpec,
        weights: Weights<'m>,
        form: FormKind,
        fastest: FormKind,
        isa: Isa,
        max_batch: usize,
        scale: Option<Vec<f32>>,
        bias: Option<Vec<f32>>,
    ) -> Result<Self, RuntimeError> {
        let layout = || Arc::new(tap_layout(&spec, &weights, max_batch));
        let sliced = || SlicedMatrix::build(&weights);
        let form_data = match form {
            FormKind::Sliced => sliced().map(Form::Sliced),
            FormKind::SlicedAndColumns => {
                let below = Costs::of(isa).columns_below(weights.n_cols, weights.n_kept, weights.n_levels());
                sliced().zip(ColumnMatrix::build(&weights)).map(|(s, c)| Form::SlicedAndColumns(s, c, below))
            }
            FormKind::DenseCodes => Some(dense_codes(&weights)),
            FormKind::DenseValues => Some(dense_values(&weights)),
            FormKind::Taps => None,
            FormKind::FromFile => Some(Form::FromFile(match fastest {
                FormKind::Sliced | FormKind::SlicedAndColumns => Unpack::Rows,
                FormKind::DenseCodes => Unpack::Dense(with_zero(&weights)),
                FormKind::DenseValues | FormKind::Taps | FormKind::FromFile => Unpack::Taps(layout()),
            })),
        };
        let form_data = form_data.unwrap_or_else(|| Form::Taps(TapMatrix::build(layout(), &weights)));
        weights.check()?;
        let (n_kept, n_weights, n_rows) = (weights.n_kept, weights.n_rows * weights.n_cols, weights.n_rows);
        let weights = (form == FormKind::FromFile).then_some(weights);
        Ok(Self { spec, weights, form, form_data, scale, bias, n_kept, n_weights, n_rows })
    }

    /// The bytes of memory that its form holds.
    pub(crate) fn n_bytes(&self) -> usize {
        let form = match &self.form_data {
            Form::Sliced(m) => m.n_bytes(),
            Form::SlicedAndColumns(m, c, _) => m.n_bytes() + c.n_bytes(),
            Form::DenseCodes(codes, _, _) => codes.len() + 1024,
            Form::DenseValues(values, _) => values.len() * 4,
            Form::Taps(m) => m.n_bytes(),
            Form::FromFile(Unpack::Taps(layout)) => layout.n_bytes(),
            Form::FromFile(Unpack::Dense(_)) => 1024,
            Form::FromFile(Unpack::Rows) => 0,
        };
        form + 4 * (self.scale.as_ref().map_or(0, Vec::len) + self.bias.as_ref().map_or(0, Vec::len))
    }

    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue { scale: self.scale.as_deref(), bias: self.bias.as_deref(), relu: self.spec.relu }
    }

    /// `y = W x` for `n` images of features side by side: `x` `[in, n]`, `y` `[out, n]`.
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
        match &self.form_data {
            Form::SlicedAndColumns(_, columns, below)
                if (columns::count_nonzero(isa, x) as f32) < below * x.len() as f32 =>
            {
                columns.apply(isa, x, epilogue, &mut scratch[0].columns, y);
            }
            Form::Sliced(m) | Form::SlicedAndColumns(m, ..) => {
                let band = kompakt_kernels::sliced::BAND_ROWS;
                let layout =
                    RowLayout { chunk_rows: self.chunk(threads, band, n).next_multiple_of(band), ..rows(1) };
                threads.for_rows(y, &layout, scratch, |rows, mut y, _| {
                    let y = y.image(0);
                    for (i, y) in y.chunks_mut(band).enumerate() {
                        m.apply_band(isa, rows.start / band + i, x, epilogue, y);
                    }
                });
            }
            Form::DenseCodes(codes, book, n_cols) => {
                threads.for_rows(y, &rows(16), scratch, |rows, mut y, _| {
                    for (row, y) in rows.zip(y.image(0)) {
                        let codes = &codes[row * n_cols..(row + 1) * n_cols];
                        *y = epilogue.apply(row, dense::dot_codes(isa, codes, book, &x[..*n_cols]));
                    }
                });
            }
            Form::DenseValues(values, n_cols) => {
                threads.for_rows(y, &rows(16), scratch, |rows, mut y, _| {
                    for (row, y) in rows.zip(y.image(0)) {
                        let values = &values[row * n_cols..(row + 1) * n_cols];
                        *y = epilogue.apply(row, dense::dot(isa, values, &x[..*n_cols]));
                    }
                });
            }
            Form::Taps(m) => {
                threads.for_rows(y, &rows(16), scratch, |rows, mut y, _| {
                    m.apply(isa, rows, x, n, Window::line(n), epilogue, y.image(0), n);
                });
            }
            Form::FromFile(unpack) => {
                let Some(weights) = &self.weights else { return };
                threads.for_rows(y, &rows(1), scratch, |rows, mut y, scratch| {
                    let epilogue = epilogue.from_row(rows.start);
                    let y = y.image(0);
                    match unpack {
                        Unpack::Rows => sparse_rows(isa, weights, rows, &mut scratch.row, x, epilogue, y),
                        Unpack::Dense(book) => dense_rows(isa, weights, book, rows, scratch, x, epilogue, y),
                        Unpack::Taps(layout) => {
                            let Scratch { row, taps, .. } = scratch;
                            let taps = unpacked(layout, weights, rows.clone(), row, taps);
                            taps.apply(isa, 0..rows.len(), x, n, Window::line(n), epilogue, y, n);
                        }
                    }
                });
            }
        }
    }

    /// A convolution of `n` images: `x` as `conv.planes` lays it out, `y` `[n, out, oh, ow]`.
    #[expect(clippy::too_many_arguments, reason = "a layer's operands")]
    pub(crate) fn conv(
        &self,
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        conv: &Conv,
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let plane = conv.plane();
        let chunk_rows = match conv.method {
            // Every chunk lays out the tiles for itself.
            Method::Grid(grid) if grid.n_tiles() > 1 && self.weights.is_none() => {
                self.n_rows.div_ceil(threads.len())
            }
            _ => self.chunk(threads, 8, plane * n),
        };
        let layout = RowLayout {
            n_images: n,
            image_len: self.n_rows * plane,
            n_rows: self.n_rows,
            row_len: plane,
            chunk_rows,
        };
        let epilogue = self.epilogue();
        scratch.iter_mut().for_each(|scratch| scratch.tile.forget());
        threads.for_rows(y, &layout, scratch, |rows, mut y, scratch| {
            let Scratch { row, taps, tile, .. } = scratch;
            let Some((taps, first)) = self.taps(rows.clone(), row, taps) else { return };
            let part = ConvRows { isa, taps, conv, rows, first, epilogue };
            for image in 0..n {
                let (x, y) = (image_of(x, x.len() / n, image), y.image(image));
                match conv.method {
                    Method::Line => part.lines(x, image, tile, y),
                    Method::Planes(planes) => part.convolve(x, planes.row_stride(), y),
                    Method::Depthwise(depthwise) => part.depthwise(&depthwise, x, y),
                    Method::Grid(grid) => part.on_grid(&grid, x, image, tile, y),
                }
            }
        });
    }

    /// This layer, whose output channels read one input channel each, after the layer that makes those: some channels at
    /// a time, so that what is between them stays in cache.
    ///
    /// Shapes: `x` `[n, in, h, w]`, `y` `[n, out, oh, ow]`; `convs` of the two layers.
    #[expect(clippy::too_many_arguments, reason = "two layers' operands")]
    pub(crate) fn expanded(
        &self,
        expand: &Self,
        convs: &[Conv; 2],
        isa: Isa,
        threads: &Threads,
        scratch: &mut [Scratch],
        x: &[f32],
        y: &mut [f32],
        n: usize,
    ) {
        let (Form::Taps(own), Method::Depthwise(depthwise)) = (&self.form_data, convs[1].method) else {
            return;
        };
        let (plane, band_rows) = (convs[1].plane(), convolve::band_rows(&convs[0], &convs[1]));
        let ([height, across], width) = (convs[1].shape.output, convs[1].shape.size[1]);
        let layout = RowLayout {
            n_images: n,
            image_len: self.n_rows * plane,
            n_rows: self.n_rows,
            row_len: plane,
            chunk_rows: expand.chunk(threads, 8, convs[0].plane() * n),
        };
        scratch.iter_mut().for_each(|scratch| scratch.tile.forget());
        threads.for_rows(y, &layout, scratch, |rows, mut y, scratch| {
            let Scratch { row, taps, tile, .. } = scratch;
            let Some((taps, first)) = expand.taps(rows.clone(), row, taps) else { return };
            let epilogue = expand.epilogue();
            let part = ConvRows { isa, taps, conv: &convs[0], rows: rows.clone(), first, epilogue };
            for image in 0..n {
                let (x, y) = (image_of(x, x.len() / n, image), y.image(image));
                for top in (0..height).step_by(band_rows) {
                    let (from, band) = depthwise.band(top..height.min(top + band_rows));
                    let positions = from.start * width..from.end * width;
                    part.hidden(x, image, positions, tile, |some, hidden, x_plane| {
                        let y = &mut y[(some.start - rows.start) * plane..(some.end - rows.start) * plane];
                        let at = PlanesAt { first: some.start, x_plane, y_plane: plane };
                        band.apply(isa, own, some, 0, hidden, at, self.epilogue(), &mut y[top * across..]);
                    });
                }
            }
        });
    }

    /// Rows of a convolution, and the layer's row that is their first.
    fn taps<'s>(
        &'s self,
        rows: Range<usize>,
        scratch: &mut RowScratch,
        taps: &'s mut Option<TapMatrix>,
    ) -> Option<(&'s TapMatrix, usize)> {
        match (&self.form_data, &self.weights) {
            (Form::Taps(m), _) => Some((m, 0)),
            (Form::FromFile(Unpack::Taps(layout)), Some(weights)) => {
                Some((unpacked(layout, weights, rows.clone(), scratch, taps), rows.start))
            }
            _ => None,
        }
    }

    /// Rows a chunk: what is unpacked together if it comes from the file; else all of them for one thread, and for
    /// several at least `least` and enough work to be worth waking a thread.
    fn chunk(&self, threads: &Threads, least: usize, positions: usize) -> usize {
        const WORTH: usize = 1 << 17;
        if let Some(weights) = &self.weights {
            return weights.rows_at_once();
        }
        let work_a_row = (self.n_kept / self.n_rows.max(1) + 1) * positions;
        if threads.len() == 1 { self.n_rows } else { least.max(WORTH.div_ceil(work_a_row)) }
    }
}

/// Rows from the file against one vector.
fn sparse_rows(
    isa: Isa,
    weights: &Weights<'_>,
    rows: Range<usize>,
    scratch: &mut RowScratch,
    x: &[f32],
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let (book, first, x) = (weights.codebook(), rows.start, &x[..weights.n_cols]);
    weights.for_rows(rows, scratch, &mut |row, view| {
        let sum = match view {
            RowView::Sparse(cols, RowWeights::Codes(codes)) => dense::dot_sparse(isa, cols, codes, book, x),
            RowView::Sparse(cols, RowWeights::Values(values)) => {
                dense::dot_sparse_values(isa, cols, values, x)
            }
            RowView::Dense(codes) => dense::dot_sparse_full(isa, codes, book, x),
        };
        y[row - first] = epilogue.apply(row - first, sum);
    });
}

/// Rows from the file against one vector, pruned weights as zeros.
#[expect(clippy::too_many_arguments, reason = "a layer's operands")]
fn dense_rows(
    isa: Isa,
    weights: &Weights<'_>,
    book: &Codebook,
    rows: Range<usize>,
    scratch: &mut Scratch,
    x: &[f32],
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let Scratch { row, codes: all, .. } = scratch;
    let (first, x) = (rows.start, &x[..weights.n_cols]);
    all.resize(weights.n_cols.max(all.len()), 0);
    let all = &mut all[..weights.n_cols];
    weights.for_rows(rows, row, &mut |row, view| {
        let sum = match view {
            RowView::Dense(codes) => dense::dot_codes(isa, codes, book, x),
            RowView::Sparse(cols, kept) => {
                all.fill((book.n_levels() - 1) as u8);
                if let RowWeights::Codes(kept) = kept {
                    cols.iter().zip(kept).for_each(|(&col, &code)| all[col as usize] = code);
                }
                dense::dot_codes(isa, all, book, x)
            }
        };
        y[row - first] = epilogue.apply(row - first, sum);
    });
}

/// Unpacks rows from the file into the scratch's taps.
fn unpacked<'s>(
    layout: &Arc<TapLayout>,
    weights: &Weights<'_>,
    rows: Range<usize>,
    row: &mut RowScratch,
    taps: &'s mut Option<TapMatrix>,
) -> &'s TapMatrix {
    let taps = taps.get_or_insert_with(|| TapMatrix::new(layout.clone(), None));
    let book = weights.is_coded().then(|| weights.codebook());
    taps.reset(layout, book);
    taps.reserve(rows.len(), weights.max_kept_at_once());
    weights.for_rows(rows, row, &mut |_, view| match view {
        RowView::Dense(codes) => taps.push_full_row(codes),
        RowView::Sparse(cols, weights) => taps.push_row(cols, weights),
    });
    taps
}

/// The codebook with a zero after its levels, unless nothing is pruned.
fn with_zero(weights: &Weights<'_>) -> Codebook {
    let levels = weights.codebook();
    let mut table = levels.table()[..levels.n_levels()].to_vec();
    if !weights.is_full() {
        table.push(0.0);
    }
    Codebook::new(&table)
}

/// One code a weight; where some are pruned, zero is a level too.
fn dense_codes(weights: &Weights<'_>) -> Form {
    let n_cols = weights.n_cols;
    let book = with_zero(weights);
    let mut codes = vec![(book.n_levels() - 1) as u8; weights.n_rows * n_cols];
    weights.visit(&mut |row, cols, entries| {
        if let RowWeights::Codes(kept) = entries {
            for (&col, &code) in cols.iter().zip(kept) {
                codes[row * n_cols + col as usize] = code;
            }
        }
    });
    Form::DenseCodes(codes, book, n_cols)
}

/// The numbers of a layer without a codebook and with nothing pruned.
fn dense_values(weights: &Weights<'_>) -> Form {
    let mut values = Vec::with_capacity(weights.n_rows * weights.n_cols);
    weights.visit(&mut |_, _, entries| {
        if let RowWeights::Values(row) = entries {
            values.extend_from_slice(row);
        }
    });
    Form::DenseValues(values, weights.n_cols)
}
