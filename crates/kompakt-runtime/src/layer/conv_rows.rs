//! Some rows of a convolution, in memory that stays in cache.
//!
//! | method | how the input lies | how results come back |
//! |---|---|---|
//! | lines | planes as they are where they are whole vectors, else copied to where they are | in place, else copied |
//! | depthwise | planes as they are | in place |
//! | planes | padded, or apart by phases of the stride | in place |
//! | grid | tile by tile, see [`Grid`] | tile by tile |

use crate::schedule::convolution::{Conv, Method};
use kompakt_kernels::{Aligned, Depthwise, Epilogue, Grid, Isa, PlanesAt, TapMatrix, Window, grid};
use std::ops::Range;

/// Floats of sums that wait for each other in a grid's tile, or in lines.
const SUMS: usize = 1 << 14;
/// Floats between a layer and the depthwise one after it: a part of an L2.
const HIDDEN: usize = 1 << 16;
/// Floats of `x` that a band of a convolution's rows reaches over: half of an L2.
const BAND_FLOATS: usize = 1 << 17;
/// Floats of a pointwise convolution's input from which on it is worth cutting into bands.
const BAND_INPUT: usize = 1 << 14;
/// Rows of a band: twice what the depthwise kernel makes at once. Bands overlap by what its kernel reaches.
const BAND_ROWS: usize = 14;
/// What [`Grid::store`] wants after the last sum.
const GRID_SLACK: usize = 4 * grid::LANES;

/// Floats from a channel to the next where planes are lines of whole vectors.
pub(crate) fn pitch(conv: &Conv) -> usize {
    conv.plane().next_multiple_of(grid::LANES)
}

/// Floats of the input as it is laid out, and of sums.
fn memory_floats(conv: &Conv, feeds_depthwise: bool) -> [usize; 2] {
    match conv.method {
        Method::Grid(grid) => [grid.room(), grid_rows(&grid) * grid.tile_len() + GRID_SLACK],
        Method::Line => {
            let (pitch, is_copied) = (pitch(conv), pitch(conv) != conv.plane());
            let input = if is_copied { conv.shape.channels * pitch } else { 0 };
            let rows = rows_of(if feeds_depthwise { HIDDEN } else { SUMS }, pitch);
            [input, if feeds_depthwise || is_copied { rows * pitch } else { 0 }]
        }
        Method::Planes(_) | Method::Depthwise(_) => [0; 2],
    }
}

/// Bytes that each thread works in.
pub(crate) fn memory_bytes(conv: &Conv, feeds_depthwise: bool) -> usize {
    let [input, sums] = memory_floats(conv, feeds_depthwise);
    let line = if let Method::Grid(grid) = conv.method { 4 * grid.pad() } else { 0 };
    if input + sums == 0 { 0 } else { Aligned::estimate_bytes(TileMemory::len(input, sums)) + line }
}

/// Rows of the output of a depthwise layer that are made at a time from the layer before it, `expand`: all, unless the
/// input of that is large, whose part for a band then stays in cache while all channels go by.
pub(crate) fn band_rows(expand: &Conv, to: &Conv) -> usize {
    let ([h, w], [oh, _]) = (to.shape.size, to.shape.output);
    let is_large = expand.shape.channels * expand.plane() > BAND_INPUT && w.is_multiple_of(grid::LANES);
    let (before, stride, kernel) = (to.shape.before[0], to.shape.stride[0], to.shape.kernel[0]);
    // Every row of the output reads a row of the input.
    let reads = before < kernel && oh > 0 && (oh - 1) * stride < h + before;
    if is_large && reads { BAND_ROWS.min(oh) } else { oh.max(1) }
}

/// How many rows of that many floats, at least one.
fn rows_of(floats: usize, len: usize) -> usize {
    (floats / len.max(1)).max(1)
}

/// Output channels whose sums wait for each other.
fn grid_rows(grid: &Grid) -> usize {
    rows_of(SUMS, grid.tile_len())
}

/// One of several images.
pub(crate) fn image_of(x: &[f32], len: usize, image: usize) -> &[f32] {
    &x[image * len..(image + 1) * len]
}

/// Some rows of a convolution.
pub(crate) struct ConvRows<'a> {
    pub(crate) isa: Isa,
    /// The layer's rows from `first` on.
    pub(crate) taps: &'a TapMatrix,
    pub(crate) conv: &'a Conv,
    pub(crate) rows: Range<usize>,
    pub(crate) first: usize,
    pub(crate) epilogue: Epilogue<'a>,
}

impl ConvRows<'_> {
    /// The parts of the rows that share a group: the group, its rows among them.
    fn groups(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (rows, per_group) = (self.rows.clone(), self.conv.shape.outputs);
        (rows.start / per_group..rows.end.div_ceil(per_group)).map(move |group| {
            (group, rows.start.max(group * per_group)..rows.end.min((group + 1) * per_group))
        })
    }

    /// One image whose input lies in planes with that many elements from row to row.
    pub(crate) fn convolve(&self, x: &[f32], stride: usize, y: &mut [f32]) {
        let ([oh, ow], plane) = (self.conv.shape.output, self.conv.plane());
        let group_len = x.len() / self.conv.groups;
        // Bands of output rows whose part of x stays in cache while all output channels go by.
        let band = (BAND_FLOATS / (self.conv.shape.channels * stride).max(1)).clamp(4, oh.max(4));
        for (group, rows) in self.groups() {
            let x = &x[group * group_len..(group + 1) * group_len];
            let y = &mut y[(rows.start - self.rows.start) * plane..(rows.end - self.rows.start) * plane];
            for top in (0..oh).step_by(band) {
                let window = Window { rows: band.min(oh - top), cols: ow, x_stride: stride, y_stride: ow };
                let (x, y) = (&x[top * stride..], &mut y[top * ow..]);
                self.apply(rows.clone(), x, 1, window, y, plane);
            }
        }
    }

    /// One image of a kernel of one place: planes are lines.
    pub(crate) fn lines(&self, x: &[f32], image: usize, memory: &mut TileMemory, y: &mut [f32]) {
        let (plane, pitch, channels) = (self.conv.plane(), pitch(self.conv), self.conv.shape.channels);
        let [_, sums_len] = memory_floats(self.conv, false);
        for (group, rows) in self.groups() {
            let x = &x[group * channels * plane..(group + 1) * channels * plane];
            let y = &mut y[(rows.start - self.rows.start) * plane..(rows.end - self.rows.start) * plane];
            if pitch == plane {
                self.apply(rows, x, grid::LANES, Window::line(plane), y, plane);
                continue;
            }
            let (x, sums) = memory.lines(x, [image, group, 0], [plane, pitch], sums_len);
            for (start, y) in
                rows.clone().step_by(sums_len / pitch).zip(y.chunks_mut(sums_len / pitch * plane))
            {
                let rows = start..rows.end.min(start + sums_len / pitch);
                self.apply(rows, x, grid::LANES, Window::line(pitch), sums, pitch);
                for (y, sums) in y.chunks_exact_mut(plane).zip(sums.chunks_exact(pitch)) {
                    y.copy_from_slice(&sums[..plane]);
                }
            }
        }
    }

    /// The same of one group and of some positions, whole vectors or all, a few rows at a time, for somebody who takes
    /// them where they are: rows, planes, and floats from a plane to the next.
    pub(crate) fn hidden(
        &self,
        x: &[f32],
        image: usize,
        positions: Range<usize>,
        memory: &mut TileMemory,
        mut take: impl FnMut(Range<usize>, &[f32], usize),
    ) {
        let (plane, pitch) = (self.conv.plane(), pitch(self.conv));
        let [_, sums_len] = memory_floats(self.conv, true);
        let (x, sums) = memory.lines(x, [image, 0, 0], [plane, pitch], sums_len);
        let (x, len) = (&x[positions.start..], positions.len().max(1).next_multiple_of(grid::LANES));
        for start in self.rows.clone().step_by(sums_len / len) {
            let rows = start..self.rows.end.min(start + sums_len / len);
            self.apply(rows.clone(), x, grid::LANES, Window::line(len), sums, len);
            take(rows, sums, len);
        }
    }

    /// One image whose output channels read one input channel each.
    pub(crate) fn depthwise(&self, depthwise: &Depthwise, x: &[f32], y: &mut [f32]) {
        let [h, w] = self.conv.shape.size;
        let at = PlanesAt { first: 0, x_plane: h * w, y_plane: self.conv.plane() };
        let rows = self.rows.start - self.first..self.rows.end - self.first;
        let epilogue = self.epilogue.from_row(self.first);
        depthwise.apply(self.isa, self.taps, rows, self.first, x, at, epilogue, y);
    }

    fn apply(
        &self,
        rows: Range<usize>,
        x: &[f32],
        scale: usize,
        window: Window,
        y: &mut [f32],
        plane: usize,
    ) {
        let rows = rows.start - self.first..rows.end - self.first;
        self.taps.apply(self.isa, rows, x, scale, window, self.epilogue.from_row(self.first), y, plane);
    }

    /// One image, tile by tile.
    pub(crate) fn on_grid(
        &self,
        grid: &Grid,
        x: &[f32],
        image: usize,
        memory: &mut TileMemory,
        y: &mut [f32],
    ) {
        let (plane, len) = (self.conv.plane(), grid.tile_len());
        let group_len = x.len() / self.conv.groups;
        let [down, across] = grid.block();
        let cols = across * grid::LANES;
        let window = Window { rows: down, cols, x_stride: grid.row_vectors() * grid::LANES, y_stride: cols };
        let (at_once, [input_len, sums_len]) = (grid_rows(grid), memory_floats(self.conv, false));
        for (group, rows) in self.groups() {
            let x = &x[group * group_len..(group + 1) * group_len];
            for tile in 0..grid.n_tiles() {
                let TileMemory { memory, line, laid_out } = &mut *memory;
                let (input, sums) = TileMemory::split(memory, input_len, sums_len);
                if *laid_out != Some([image, group, tile]) {
                    grid.fill(self.isa, x, tile, line, input);
                    *laid_out = Some([image, group, tile]);
                }
                for start in rows.clone().step_by(at_once) {
                    let rows = start..rows.end.min(start + at_once);
                    self.apply(rows.clone(), input, grid::LANES, window, sums, len);
                    for row in rows {
                        let y = &mut y[(row - self.rows.start) * plane..][..plane];
                        grid.store(self.isa, &sums[(row - start) * len..], tile, y);
                    }
                }
            }
        }
    }
}

/// A tile's input and sums, or those of lines.
#[derive(Debug, Default)]
pub(crate) struct TileMemory {
    memory: Aligned,
    line: Vec<f32>,
    /// The image, group and tile whose input lies there.
    laid_out: Option<[usize; 3]>,
}

impl TileMemory {
    /// The next layer's input is another.
    pub(crate) fn forget(&mut self) {
        self.laid_out = None;
    }

    /// Floats of both.
    fn len(input: usize, sums: usize) -> usize {
        input.next_multiple_of(grid::LANES) + sums
    }

    /// The input and the sums, both from a cache line on.
    fn split(memory: &mut Aligned, input: usize, sums: usize) -> (&mut [f32], &mut [f32]) {
        let all = memory.room(Self::len(input, sums));
        let (input, sums) = all.split_at_mut(input.next_multiple_of(grid::LANES));
        (input, sums)
    }

    /// Planes that begin `pitch` apart, `x` itself where they do already; and room for sums.
    fn lines<'a>(
        &'a mut self,
        x: &'a [f32],
        of: [usize; 3],
        [plane, pitch]: [usize; 2],
        sums: usize,
    ) -> (&'a [f32], &'a mut [f32]) {
        if plane == pitch {
            return (x, Self::split(&mut self.memory, 0, sums).1);
        }
        let (input, sums) = Self::split(&mut self.memory, x.len() / plane * pitch, sums);
        if self.laid_out != Some(of) {
            for (x, to) in x.chunks_exact(plane).zip(input.chunks_exact_mut(pitch)) {
                to[..plane].copy_from_slice(x);
                to[plane..].fill(0.0);
            }
            self.laid_out = Some(of);
        }
        (input, sums)
    }
}
