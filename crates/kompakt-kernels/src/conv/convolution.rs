//! A convolution: the layout of its input, its memory, and its execution.
//!
//! | input | when | results |
//! |---|---|---|
//! | lines: planes as they are, copied to full vectors where they are not | 1 x 1 kernels | in place, else copied |
//! | planes as they are | each output channel reads one input channel: [`Depthwise`] | in place |
//! | padded, and split by phases of the stride: [`Planes`] | where that costs less than the next | in place |
//! | tile by tile: [`Grid`] | all others | tile by tile |
//! | tiles padded and transformed: [`Winograd`] | kernels 3 x 3 whose weights are in panels, where that costs less | tile by tile |
//!
//! The weights are a [`WindowMatrix`](crate::WindowMatrix) over [`columns`](Convolution::columns); some of its rows are run
//! by [`ConvRows`](super::rows::ConvRows). The input layout is the best for weights in the form of
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

/// Floats of partial sums in a grid's tile, or in lines.
const SUMS: usize = 1 << 14;
/// Floats between a layer and the depthwise one after it: a part of an L2 cache.
const HIDDEN: usize = 1 << 16;
/// The padding that [`Grid::store`] requires after the last sum.
const GRID_SLACK: usize = 4 * LANES;
/// The span of a block of columns: the range of a u16, in floats for planes, in vectors for lines.
const PLANE_BLOCK: usize = 1 << 16;
/// Floats of `x` spanned by a block of a grid's columns: most of an L1 cache.
const GRID_BLOCK: usize = 7 << 10;
/// The target number of kept weights of a row in a block.
const GRID_KEPT: f32 = 24.0;
/// Floats of `x` spanned by a block where a tile has few sums.
const GRID_FEW: usize = 1 << 16;

/// A convolution of one shape: chooses how its input is laid out, says what that takes in memory, and runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// One group.
    pub(super) shape: ConvShape,
    pub(super) groups: usize,
    /// Zeros below and to the right.
    pub(super) after: [usize; 2],
    pub(super) input: Input,
}

/// The layout of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Lines,
    Depthwise(Depthwise),
    Planes(Planes),
    Grid(Grid),
    Winograd(Winograd),
}

impl Convolution {
    /// The convolution of `groups` groups of that shape, with that much padding below and to the right.
    pub fn new(shape: ConvShape, groups: usize, after: [usize; 2]) -> Self {
        if shape.size[0] > 1
            && let Some(line) = shape.across(after)
        {
            return Self::new(line, groups, [0, after[0]]);
        }
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

    /// The possible forms of its weights.
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

    /// The same with the best input layout for weights in one of its [forms](Self::forms).
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

    /// The same by Winograd's method, where it applies: for weights in panels.
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

    /// Height and width of the output.
    pub fn output_size(&self) -> [usize; 2] {
        self.shape.output
    }

    /// Floats of an image's input as [`lay_out`](Self::lay_out) leaves it; `None` if it is used unchanged.
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
            _ => None,
        }
    }

    /// The offsets of the columns of its weights `[outputs, channels, kernel h, kernel w]`, and their
    /// division into blocks for weights of that density.
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
            // Channels of the transformed input are contiguous.
            Input::Winograd(_) => TapLayout::kernels(shape.channels),
        }
    }

    /// Bytes of [`ConvScratch`] per thread, with weights in that form of `n_rows` rows at a time;
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

    /// Whether a plane is cut into tiles or bands, each of which is laid out again for each part of the rows: then
    /// parts should be large.
    pub fn is_cut(&self) -> bool {
        match self.input {
            Input::Grid(grid) => grid.n_tiles() > 1,
            Input::Winograd(method) => method.has_bands(),
            Input::Lines | Input::Depthwise(_) | Input::Planes(_) => false,
        }
    }

    /// Rows of the output in each of at most `n` parts, where it is better divided by them than by channels; they are run by
    /// [`ConvRows::run_part`](super::rows::ConvRows::run_part).
    pub fn part_rows(&self, n: usize) -> Option<usize> {
        match self.input {
            Input::Winograd(method) => method.part_rows(n, self.shape.outputs),
            _ => None,
        }
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
            Input::Winograd(method) => {
                [method.input_floats(), method.part_floats(n_rows) + method.channel_floats()]
            }
            Input::Planes(_) | Input::Depthwise(_) => [0; 2],
        }
    }

    /// Channel stride in floats where planes are lines of full vectors.
    pub(super) fn pitch(&self) -> usize {
        self.plane().next_multiple_of(LANES)
    }
}

/// The input in planes.
pub(super) fn planes_of(shape: &ConvShape, groups: usize, after: [usize; 2]) -> Planes {
    let ConvShape { channels, size, before, stride, kernel, .. } = *shape;
    let planes = Planes { channels: groups * channels, size, before, after, stride, row_align: 1 };
    planes.aligned_for(kernel)
}

/// How many rows of `len` floats, at least one.
fn rows_of(floats: usize, len: usize) -> usize {
    (floats / len.max(1)).max(1)
}

/// Output channels whose partial sums are kept together.
pub(super) fn grid_rows(grid: &Grid) -> usize {
    rows_of(SUMS, grid.tile_len())
}

/// Vectors of a tile's input spanned by a block: what fits an L1 cache, but enough channels for each row to
/// have some kept weights among them, since sums are loaded and stored for each block.
fn grid_block(grid: &Grid, density: f32) -> usize {
    let [down, across] = grid.block();
    if down * across < 4 {
        // Such tiles are summed in an order that depends on the blocks, which must not depend on an estimate.
        return GRID_FEW / LANES;
    }
    let channel = grid.channel_len() / LANES;
    let [kh, kw] = grid.shape().kernel;
    let kept = (kh * kw) as f32 * density.max(0.001);
    (GRID_BLOCK / LANES).max(channel * libm::ceilf(GRID_KEPT / kept) as usize)
}
