//! A convolution: how its input lies when it is multiplied, what that takes in memory, and how it is run.
//!
//! | input | when | results |
//! |---|---|---|
//! | lines: planes as they are, copied to whole vectors where they are not | kernels of one place | in place, else copied |
//! | planes as they are | each output channel reads one input channel: [`Depthwise`] | in place |
//! | padded, and apart by phases of the stride: [`Planes`] | where that costs less than the next | in place |
//! | tile by tile: [`Grid`] | all others | tile by tile |
//! | tiles transformed: [`Winograd`] | kernels 3 x 3 whose weights are in panels, where that costs less | tile by tile |
//!
//! The weights are a [`WindowMatrix`](crate::WindowMatrix) over [`columns`](Convolution::columns); some of its rows are run
//! by [`ConvRows`](super::rows::ConvRows). The input lies as it is best for weights in the form of
//! [`TapMatrix`](crate::TapMatrix); for the other form, see [`for_form`](Convolution::for_form).

use super::{
    aligned::Aligned,
    depthwise::Depthwise,
    grid::{Grid, LANES},
    planes::Planes,
    scratch::ConvScratch,
    shape::ConvShape,
    winograd::Winograd,
};
use crate::{Isa, PanelMatrix, WindowForm, matrix::layout::TapLayout};

/// Floats of sums that wait for each other in a grid's tile, or in lines.
const SUMS: usize = 1 << 14;
/// Floats between a layer and the depthwise one after it: a part of an L2.
const HIDDEN: usize = 1 << 16;
/// What [`Grid::store`] wants after the last sum.
const GRID_SLACK: usize = 4 * LANES;
/// How far a block of columns reaches: as far as a u16, in floats of planes, in vectors of lines.
const PLANE_BLOCK: usize = 1 << 16;
/// Floats of `x` that a block of a grid's columns reaches over: most of an L1.
const GRID_BLOCK: usize = 7 << 10;
/// Weights that a row should keep in a block.
const GRID_KEPT: f32 = 24.0;
/// Floats of `x` that a block reaches over where a tile has few sums.
const GRID_FEW: usize = 1 << 16;

/// A convolution of one shape: chooses how its input is laid out, says what that takes in memory, and runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// One group.
    pub(super) shape: ConvShape,
    pub(super) groups: usize,
    /// Zeros below and to the right.
    after: [usize; 2],
    pub(super) input: Input,
}

/// How the input lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Lines,
    Depthwise(Depthwise),
    Planes(Planes),
    Grid(Grid),
    Winograd(Winograd),
}

impl Convolution {
    /// The convolution of `groups` groups of that shape, with so many zeros below and to the right.
    pub fn new(shape: ConvShape, groups: usize, after: [usize; 2]) -> Self {
        let ConvShape { channels, before, stride, kernel, .. } = shape;
        let is_plain = before == [0; 2] && after == [0; 2] && stride == [1; 2];
        let depthwise = Depthwise::new(&shape).filter(|_| groups > 1);
        let input = if kernel == [1; 2] && is_plain {
            Input::Lines
        } else if let Some(depthwise) = depthwise {
            Input::Depthwise(depthwise)
        } else {
            let planes = planes_of(&shape, groups, after);
            let grid = Grid::new(shape);
            let is_one_to_one = channels == 1 && groups > 1;
            if is_one_to_one || grid.cost() > Grid::cost_without(&shape, !planes.is_identity()) {
                Input::Planes(planes)
            } else {
                Input::Grid(grid)
            }
        };
        Self { shape, groups, after, input }
    }

    /// The forms that its weights can have.
    pub fn forms(&self) -> &'static [WindowForm] {
        let has_whole_groups = self.groups == 1 || self.shape.outputs.is_multiple_of(PanelMatrix::ROWS);
        match self.input {
            Input::Winograd(_) => &[WindowForm::Panels],
            Input::Lines | Input::Planes(_) | Input::Grid(_) if has_whole_groups => {
                &[WindowForm::Taps, WindowForm::Panels]
            }
            _ => &[WindowForm::Taps],
        }
    }

    /// The same with its input as it is best for weights in one of its [forms](Self::forms).
    pub fn for_form(&self, form: WindowForm, isa: Isa) -> Self {
        match (form, self.input) {
            (WindowForm::Panels, Input::Planes(_) | Input::Grid(_) | Input::Winograd(_)) => {
                let planes = Input::Planes(planes_of(&self.shape, self.groups, self.after));
                let others =
                    [planes, Input::Grid(Grid::new(self.shape))].map(|input| Self { input, ..*self });
                let cost = |conv: &Self| conv.cost(isa, form, conv.n_weights(), None);
                let cheaper = |a: Self, b: Self| if cost(&b) < cost(&a) { b } else { a };
                others.into_iter().chain(self.by_winograd()).reduce(cheaper).unwrap_or(*self)
            }
            _ => Self::new(self.shape, self.groups, self.after),
        }
    }

    /// The same by Winograd's method, if it can be: for weights in panels.
    pub fn by_winograd(&self) -> Option<Self> {
        let has_whole_groups = self.groups == 1 || self.shape.outputs.is_multiple_of(PanelMatrix::ROWS);
        let method = Winograd::new(&self.shape, self.groups).filter(|_| has_whole_groups);
        method.map(|method| Self { input: Input::Winograd(method), ..*self })
    }

    /// Elements of an image's input.
    pub fn input_len(&self) -> usize {
        self.groups * self.shape.channels * self.shape.size[0] * self.shape.size[1]
    }

    /// Elements of an output channel.
    pub fn plane(&self) -> usize {
        self.shape.output[0] * self.shape.output[1]
    }

    /// Floats of an image's input as [`lay_out`](Self::lay_out) leaves it; `None` if it is taken as it is.
    pub fn laid_out_len(&self) -> Option<usize> {
        self.laid_out().map(Planes::len)
    }

    /// Lays out an image's input, once for all rows.
    ///
    /// Shapes: `x` [`input_len`](Self::input_len), `out` [`laid_out_len`](Self::laid_out_len). Panics: if they are
    /// shorter.
    pub fn lay_out(&self, x: &[f32], out: &mut [f32]) {
        if let Some(planes) = self.laid_out() {
            planes.fill(x, out);
        }
    }

    fn laid_out(&self) -> Option<&Planes> {
        match &self.input {
            Input::Planes(planes) if !planes.is_identity() => Some(planes),
            Input::Winograd(method) => Some(&method.planes),
            _ => None,
        }
    }

    /// Where the columns of its weights `[outputs, channels, kernel h, kernel w]` lie, and how they are cut into blocks for
    /// weights of that density.
    pub fn columns(&self, density: f32) -> TapLayout {
        let shape = &self.shape;
        match &self.input {
            Input::Lines => {
                let vectors = (self.pitch() / LANES) as u32;
                TapLayout::planar((0..shape.channels as u32).map(|c| c * vectors).collect(), PLANE_BLOCK)
            }
            Input::Depthwise(depthwise) => TapLayout::linear(depthwise.n_places(), depthwise.n_places()),
            Input::Planes(planes) => {
                TapLayout::planar(planes.offsets(shape.channels, shape.kernel, shape.dilation), PLANE_BLOCK)
            }
            Input::Grid(grid) => TapLayout::planar(grid.offsets(), grid_block(grid, density)),
            // Channels of what is transformed follow each other.
            Input::Winograd(_) => TapLayout::linear(self.n_cols(), PLANE_BLOCK),
        }
    }

    /// Bytes of [`ConvScratch`] that each thread works in, with weights in that form of `n_rows` rows at a time;
    /// `feeds_depthwise` if it is the first of an [`ExpandedDepthwise`](super::expanded::ExpandedDepthwise).
    pub fn scratch_bytes(
        &self,
        form: WindowForm,
        n_rows: usize,
        is_coded: bool,
        feeds_depthwise: bool,
    ) -> usize {
        let panels = match form {
            WindowForm::Taps => 0,
            WindowForm::Panels => PanelMatrix::scratch_bytes(n_rows, self.n_cols(), is_coded),
        };
        let [input, sums] = self.scratch_floats(feeds_depthwise, n_rows);
        let line = if let Input::Grid(grid) = self.input { 4 * grid.pad() } else { 0 };
        let tile =
            if input + sums == 0 { 0 } else { Aligned::estimate_bytes(ConvScratch::len(input, sums)) + line };
        tile + panels
    }

    /// Whether a plane is cut into tiles, each of which is laid out anew for each part of the rows: then a part should
    /// have many.
    pub fn is_cut(&self) -> bool {
        matches!(self.input, Input::Grid(grid) if grid.n_tiles() > 1)
    }

    /// Floats of the input as it is laid out in the scratch, and of sums.
    pub(super) fn scratch_floats(&self, feeds_depthwise: bool, n_rows: usize) -> [usize; 2] {
        match self.input {
            Input::Grid(grid) => [grid.room(), grid_rows(&grid) * grid.tile_len() + GRID_SLACK],
            Input::Lines => {
                let (pitch, is_copied) = (self.pitch(), self.pitch() != self.plane());
                let input = if is_copied { self.shape.channels * pitch } else { 0 };
                let rows = rows_of(if feeds_depthwise { HIDDEN } else { SUMS }, pitch);
                [input, if feeds_depthwise || is_copied { rows * pitch } else { 0 }]
            }
            Input::Winograd(method) => [method.input_floats(), method.part_floats(n_rows)],
            Input::Planes(_) | Input::Depthwise(_) => [0; 2],
        }
    }

    /// Floats from a channel to the next where planes are lines of whole vectors.
    pub(super) fn pitch(&self) -> usize {
        self.plane().next_multiple_of(LANES)
    }
}

/// The input in planes.
fn planes_of(shape: &ConvShape, groups: usize, after: [usize; 2]) -> Planes {
    let ConvShape { channels, size, before, stride, kernel, .. } = *shape;
    let planes = Planes { channels: groups * channels, size, before, after, stride, row_align: 1 };
    planes.aligned_for(kernel)
}

/// How many rows of `len` floats, at least one.
fn rows_of(floats: usize, len: usize) -> usize {
    (floats / len.max(1)).max(1)
}

/// Output channels whose sums wait for each other.
pub(super) fn grid_rows(grid: &Grid) -> usize {
    rows_of(SUMS, grid.tile_len())
}

/// Vectors of a tile's input that a block reaches over: what stays in an L1, but enough channels for each row to have
/// some kept weights among them, for sums are loaded and stored for every block.
fn grid_block(grid: &Grid, density: f32) -> usize {
    let [down, across] = grid.block();
    if down * across < 4 {
        // So few sums are added in an order that depends on the blocks, which may not depend on an estimate.
        return GRID_FEW / LANES;
    }
    let channel = grid.channel_len() / LANES;
    let [kh, kw] = grid.shape().kernel;
    let kept = (kh * kw) as f32 * density.max(0.001);
    (GRID_BLOCK / LANES).max(channel * libm::ceilf(GRID_KEPT / kept) as usize)
}
