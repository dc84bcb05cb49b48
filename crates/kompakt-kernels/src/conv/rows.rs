//! Execution of some rows of a convolution, with its data in cache.

use super::{
    convolution::{Convolution, Input, grid_rows},
    depthwise::{Depthwise, PlanesAt},
    grid::{Grid, LANES},
    scratch::{ConvScratch, Lines, Tile},
    winograd::{Memory, Winograd},
};
use crate::{Epilogue, Isa, PanelScratch, Window, WindowMatrix};
use core::ops::Range;

/// Floats of `x` spanned by a band of a convolution's rows: half of an L2 cache.
const BAND_FLOATS: usize = 1 << 17;

/// Parts of planes that are written: some rows of the output of several channels.
pub trait PlaneParts {
    /// The part of channel `row`, counted from the first that is written.
    fn part(&mut self, row: usize) -> &mut [f32];
}

/// Some rows of a [`Convolution`]: output channels, counted over all groups.
#[derive(Debug, Clone)]
pub struct ConvRows<'a> {
    /// The instruction set.
    pub isa: Isa,
    /// The convolution.
    pub conv: &'a Convolution,
    /// Its rows from `first` on, over [`Convolution::columns`].
    pub weights: &'a WindowMatrix,
    /// The row number of the matrix's first row.
    pub first: usize,
    /// The rows to run.
    pub rows: Range<usize>,
    /// Of all rows.
    pub epilogue: Epilogue<'a>,
}

impl ConvRows<'_> {
    /// Runs them for one image, the batch's `image`th.
    ///
    /// Shapes: `x` as [`Convolution::lay_out`] leaves it, `y` one plane for each of the rows.
    /// Panics: if they are shorter, the matrix has no such rows or other columns, or is not in [a form](Convolution::forms) for
    /// it.
    pub fn run(&self, x: &[f32], image: usize, scratch: &mut ConvScratch, y: &mut [f32]) {
        match &self.conv.input {
            Input::Lines => self.lines(x, image, scratch, y),
            Input::Planes(planes) => self.planes(x, planes.row_stride(), scratch, y),
            Input::Depthwise(depthwise) => self.depthwise(depthwise, x, y),
            Input::Grid(grid) => self.grid(grid, x, image, scratch, y),
            Input::Winograd(method) => {
                let mut y = WholePlanes { y, plane: self.conv.plane() };
                self.winograd(method, x, image, 0..self.conv.shape.output[0], scratch, &mut y);
            }
        }
    }

    /// The parts of the rows that share a group: the group, its rows among them.
    fn groups(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (rows, per_group) = (self.rows.clone(), self.conv.shape.outputs);
        (rows.start / per_group..rows.end.div_ceil(per_group)).map(move |group| {
            (group, rows.start.max(group * per_group)..rows.end.min((group + 1) * per_group))
        })
    }

    /// One image whose input is stored in planes of that row stride.
    fn planes(&self, x: &[f32], stride: usize, scratch: &mut ConvScratch, y: &mut [f32]) {
        let ([oh, ow], plane) = (self.conv.shape.output, self.conv.plane());
        let group_len = x.len() / self.conv.groups;
        // Bands of output rows whose part of x stays in cache over all output channels.
        let band = (BAND_FLOATS / (self.conv.shape.channels * stride).max(1)).clamp(4, oh.max(4));
        for (group, rows) in self.groups() {
            let x = &x[group * group_len..(group + 1) * group_len];
            let y = &mut y[(rows.start - self.rows.start) * plane..(rows.end - self.rows.start) * plane];
            for top in (0..oh).step_by(band) {
                let window = Window { rows: band.min(oh - top), cols: ow, x_stride: stride, y_stride: ow };
                let (x, y) = (&x[top * stride..], &mut y[top * ow..]);
                self.multiply(rows.clone(), x, 1, window, y, plane, scratch.panels());
            }
        }
    }

    /// One image of a 1 x 1 kernel: planes are lines.
    fn lines(&self, x: &[f32], image: usize, scratch: &mut ConvScratch, y: &mut [f32]) {
        let (plane, pitch, channels) = (self.conv.plane(), self.conv.pitch(), self.conv.shape.channels);
        let [_, sums_len] = self.conv.scratch_floats(false, self.rows.len());
        for (group, rows) in self.groups() {
            let x = &x[group * channels * plane..(group + 1) * channels * plane];
            let y = &mut y[(rows.start - self.rows.start) * plane..(rows.end - self.rows.start) * plane];
            if pitch == plane {
                self.multiply(rows, x, LANES, Window::line(plane), y, plane, scratch.panels());
                continue;
            }
            let Lines { x, sums, panels } = scratch.lines(x, [image, group, 0], [plane, pitch], sums_len);
            for (start, y) in
                rows.clone().step_by(sums_len / pitch).zip(y.chunks_mut(sums_len / pitch * plane))
            {
                let rows = start..rows.end.min(start + sums_len / pitch);
                self.multiply(rows, x, LANES, Window::line(pitch), sums, pitch, panels);
                for (y, sums) in y.chunks_exact_mut(plane).zip(sums.chunks_exact(pitch)) {
                    y.copy_from_slice(&sums[..plane]);
                }
            }
        }
    }

    /// The same for one group and for some positions, full vectors or all, a few rows at a time, for a caller
    /// that uses them in place: rows, planes, and the plane stride in floats.
    pub(super) fn hidden(
        &self,
        x: &[f32],
        image: usize,
        positions: Range<usize>,
        scratch: &mut ConvScratch,
        mut take: impl FnMut(Range<usize>, &[f32], usize),
    ) {
        let (plane, pitch) = (self.conv.plane(), self.conv.pitch());
        let [_, sums_len] = self.conv.scratch_floats(true, self.rows.len());
        let Lines { x, sums, panels } = scratch.lines(x, [image, 0, 0], [plane, pitch], sums_len);
        let (x, len) = (&x[positions.start..], positions.len().max(1).next_multiple_of(LANES));
        for start in self.rows.clone().step_by(sums_len / len) {
            let rows = start..self.rows.end.min(start + sums_len / len);
            self.multiply(rows.clone(), x, LANES, Window::line(len), sums, len, panels);
            take(rows, sums, len);
        }
    }

    /// One image of a depthwise convolution.
    fn depthwise(&self, depthwise: &Depthwise, x: &[f32], y: &mut [f32]) {
        let WindowMatrix::Taps(taps) = self.weights else { panic!("a depthwise convolution of panels") };
        let [h, w] = self.conv.shape.size;
        let at = PlanesAt { first: 0, x_plane: h * w, y_plane: self.conv.plane() };
        let rows = self.rows.start - self.first..self.rows.end - self.first;
        let epilogue = self.epilogue.from_row(self.first);
        depthwise.apply(self.isa, taps, rows, self.first, x, at, epilogue, y);
    }

    /// One image, tile by tile.
    fn grid(&self, grid: &Grid, x: &[f32], image: usize, scratch: &mut ConvScratch, y: &mut [f32]) {
        let (plane, len) = (self.conv.plane(), grid.tile_len());
        let group_len = x.len() / self.conv.groups;
        let [down, across] = grid.block();
        let cols = across * LANES;
        let window = Window { rows: down, cols, x_stride: grid.row_vectors() * LANES, y_stride: cols };
        let (at_once, lens) = (grid_rows(grid), self.conv.scratch_floats(false, self.rows.len()));
        for (group, rows) in self.groups() {
            let x = &x[group * group_len..(group + 1) * group_len];
            for tile in 0..grid.n_tiles() {
                let Tile { input, sums, line, is_laid_out, panels } =
                    scratch.tile([image, group, tile], lens);
                if !is_laid_out {
                    grid.fill(self.isa, x, tile, line, input);
                }
                for start in rows.clone().step_by(at_once) {
                    let rows = start..rows.end.min(start + at_once);
                    self.multiply(rows.clone(), input, LANES, window, sums, len, panels);
                    let y = &mut y[(start - self.rows.start) * plane..][..rows.len() * plane];
                    grid.store(self.isa, sums, tile, y);
                }
            }
        }
    }

    /// Runs them for some rows of one image's output, a part as [`Convolution::part_rows`] says.
    ///
    /// Shapes: as [`run`](Self::run), but `y` has that part of each plane.
    /// Panics: as `run`, and if the output has no such rows, or is not divided so.
    pub fn run_part(
        &self,
        x: &[f32],
        output: Range<usize>,
        scratch: &mut ConvScratch,
        y: &mut dyn PlaneParts,
    ) {
        let Input::Winograd(method) = &self.conv.input else {
            panic!("an output that is not divided by rows")
        };
        assert!(
            output.start.is_multiple_of(2) && output.end <= self.conv.shape.output[0],
            "rows of the output"
        );
        // Another part's transformed input is not this one's.
        scratch.forget();
        self.winograd(method, x, 0, output, scratch, y);
        scratch.forget();
    }

    /// One image by Winograd's method, and some rows of the output.
    fn winograd(
        &self,
        method: &Winograd,
        x: &[f32],
        image: usize,
        output: Range<usize>,
        scratch: &mut ConvScratch,
        y: &mut dyn PlaneParts,
    ) {
        let WindowMatrix::Panels(m) = self.weights else { panic!("Winograd's method with taps") };
        let group_len = x.len() / self.conv.groups;
        let (lens, epilogue) =
            (self.conv.scratch_floats(false, self.rows.len()), self.epilogue.from_row(self.first));
        for (group, rows) in self.groups() {
            let Tile { input, sums, is_laid_out, panels, .. } = scratch.tile([image, group, 0], lens);
            let (part, channel) = sums.split_at_mut(sums.len() - method.channel_floats());
            let x = &x[group * group_len..(group + 1) * group_len];
            let first_part = rows.start - self.rows.start;
            let rows = rows.start - self.first..rows.end - self.first;
            let is_transformed = is_laid_out && !method.has_bands();
            let memory = Memory { v: input, is_transformed, channel, part, panels };
            method.run(self.isa, m, rows, output.clone(), x, memory, epilogue, y, first_part);
        }
    }

    /// Some of the rows over a window of positions.
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    fn multiply(
        &self,
        rows: Range<usize>,
        x: &[f32],
        scale: usize,
        window: Window,
        y: &mut [f32],
        plane: usize,
        scratch: &mut PanelScratch,
    ) {
        let rows = rows.start - self.first..rows.end - self.first;
        let epilogue = self.epilogue.from_row(self.first);
        self.weights.apply(self.isa, rows, x, scale, window, epilogue, y, plane, scratch);
    }
}

/// Whole planes, one after another.
struct WholePlanes<'a> {
    y: &'a mut [f32],
    plane: usize,
}

impl PlaneParts for WholePlanes<'_> {
    fn part(&mut self, row: usize) -> &mut [f32] {
        &mut self.y[row * self.plane..(row + 1) * self.plane]
    }
}
