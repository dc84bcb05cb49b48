//! The cost of a convolution by the table of an instruction set.

use super::convolution::{Convolution, Input};
use crate::{Costs, Grid, Isa, Levels, WindowForm, costs::Work};

/// The slowdown of a strided copy, element by element.
const STRIDED: f64 = 3.0;

impl Convolution {
    /// Nanoseconds of one image with weights of which `n_kept` are kept, in a form; `None` levels are values.
    ///
    /// Inputs and outputs are assumed to be in cache.
    pub fn cost(&self, isa: Isa, form: WindowForm, n_kept: usize, levels: Option<Levels>) -> f64 {
        self.cost_by(Costs::of(isa), form, n_kept, levels)
    }

    /// The same by a table.
    pub(super) fn cost_by(
        &self,
        costs: &Costs,
        form: WindowForm,
        n_kept: usize,
        levels: Option<Levels>,
    ) -> f64 {
        let shape = &self.shape;
        let n_weights = self.n_weights();
        let channels = (self.groups * shape.channels) as f64;
        let outputs = (self.groups * shape.outputs) as f64;
        let work = |n_runs: usize, window: [usize; 2], is_whole: bool| {
            costs.window(form, Work { n_kept, n_weights, levels, n_runs, window, is_whole })
        };
        let [rows, cols] = shape.output;
        let picoseconds = match &self.input {
            Input::Lines => {
                let (plane, pitch) = (self.plane(), self.pitch());
                let copied = if plane == pitch { 0.0 } else { (channels + outputs) * pitch as f64 };
                work(1, [1, pitch], true) + copied * costs.plane_input
            }
            Input::Depthwise(depthwise) => {
                let vectors = rows as f64 * costs.vectors(cols, costs.wide);
                outputs * depthwise.n_places() as f64 * vectors * costs.depthwise_vector
            }
            Input::Planes(planes) => {
                let n = channels * (shape.size[0] * shape.size[1]) as f64;
                let strided = if shape.stride == [1; 2] { 1.0 } else { STRIDED };
                let copied = if planes.is_identity() { 0.0 } else { n * strided };
                work(1, shape.output, false) + copied * costs.plane_input
            }
            Input::Winograd(method) => {
                let tiles = method.n_tiles() as f64;
                let copied = channels * (shape.size[0] * shape.size[1]) as f64 * costs.plane_input;
                let transformed =
                    channels * tiles * costs.winograd_input + outputs * tiles * costs.winograd_output;
                let kernels = outputs * shape.channels as f64;
                let look_up = costs.look_up(levels);
                let passes = method.n_passes() as f64;
                let weights = passes * kernels * (costs.winograd_kernel + 9.0 * look_up);
                let vectors = 16.0 * costs.vectors(method.n_tiles(), costs.wide);
                copied + transformed + weights + kernels * vectors * costs.panel_vector
            }
            Input::Grid(grid) => {
                let tiles = (self.groups * grid.n_tiles()) as f64;
                let laid_out = tiles * grid.len() as f64 * costs.grid_input;
                let stored = tiles * (shape.outputs * grid.tile_len()) as f64 * costs.grid_output;
                work(grid.n_tiles(), grid_window(grid), true) + laid_out + stored
            }
        };
        picoseconds * 1e-3
    }

    /// Weights, kept or not.
    pub fn n_weights(&self) -> usize {
        self.groups * self.shape.outputs * self.n_cols()
    }

    /// Columns of its weights.
    pub(super) fn n_cols(&self) -> usize {
        self.shape.channels * self.shape.kernel[0] * self.shape.kernel[1]
    }
}

/// Positions of a tile, down and across.
fn grid_window(grid: &Grid) -> [usize; 2] {
    let [down, across] = grid.block();
    [down, across * crate::grid::LANES]
}
