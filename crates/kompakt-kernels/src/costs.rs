//! The costs of the forms of a layer: tables for the planner's choice, one for each instruction set, next to
//! its vectors (`arch`).
//!
//! `cargo bench -p kompakt-bench --bench costs` measures and prints them. They are part of the program, and nothing is
//! timed when a model is opened: the same file, options and instruction set always give the same plan, and so the same
//! bits, on any machine. Choices compare numbers of one group, which come from one machine:
//!
//! | group | x86-64, `portable` | `neon`, `simd128` |
//! |---|---|---|
//! | linear layers, one vector (`sliced` to `dense`) | AMD Zen 4, weights in steps Intel Sapphire Rapids, pages AMD Zen 5 (1.67 ns, where a kept weight takes 157 ps: in proportion 2.07, rounded up by a sixth); `portable` is an estimate | estimates |
//! | windows of positions, convolutions (`tap` to `depthwise`) | Intel Sapphire Rapids; AVX-512 the geometric mean of it and AMD Zen 5, whose whole vectors gain more in panels than in taps | derived: see there |

use crate::{Isa, WindowForm, arch, matrix::paged::Pages};

/// The levels of a codebook, as far as costs depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// How many there are.
    pub n: usize,
    /// Whether they are [in whole steps](crate::Codebook::in_steps).
    pub in_steps: Part,
}

/// Of some levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// None of them.
    None,
    /// All but a few.
    Most,
    /// All of them.
    All,
}

/// Picoseconds per unit, for an instruction set.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// Side by side, a codebook of up to 32 levels in registers: a kept weight.
    pub(crate) sliced_codes: f64,
    /// The same as values: a kept weight.
    pub(crate) sliced_values: f64,
    /// Side by side, inputs picked from registers: a page of sixteen rows; infinity where there is no such permutation.
    pub(crate) page: f64,
    /// By columns: a kept weight of a column that is read.
    pub(crate) column_weight: f64,
    /// Finding the nonzero inputs: an input.
    pub(crate) column_input: f64,
    /// All weights, looked up: a weight, with up to 16, 32, 64, 128, 256 levels.
    pub(crate) dense_codes: [f64; 5],
    /// All weights in whole steps: a weight.
    pub(crate) dense_steps: f64,
    /// All weights as values: a weight.
    pub(crate) dense_values: f64,
    /// Floats of a vector for unaligned windows.
    pub(crate) narrow: usize,
    /// Floats of a vector for all else.
    pub(crate) wide: usize,
    /// Taps over full vectors: a kept weight, each time that it is loaded.
    pub(crate) tap: f64,
    /// A kept weight and sixteen positions.
    pub(crate) tap_vector: f64,
    /// Taps over unaligned windows: the same.
    pub(crate) plane_vector: f64,
    /// Panels: looking up a weight, with fewer than 32 levels and with more.
    pub(crate) panel_codes: [f64; 2],
    /// Converting a weight in whole steps, where there are more.
    pub(crate) panel_steps: f64,
    /// A weight and sixteen positions.
    pub(crate) panel_vector: f64,
    /// Padding a plane: an element.
    pub(crate) plane_input: f64,
    /// Laying out a grid: a float of it.
    pub(crate) grid_input: f64,
    /// Storing sums of a grid: one.
    pub(crate) grid_output: f64,
    /// Winograd's method: a tile of an input channel.
    pub(crate) winograd_input: f64,
    /// A tile of an output channel.
    pub(crate) winograd_output: f64,
    /// Transforming a kernel.
    pub(crate) winograd_kernel: f64,
    /// A depthwise convolution: a kernel position and sixteen output positions.
    pub(crate) depthwise_vector: f64,
}

/// Vectors of numbers below which a product by lanes takes the time of so many.
const LANES_LOAD_BOUND: usize = 4;

/// Vectors of sixteen accumulators that fit in registers.
const SUMS: usize = 12;

/// A matrix against windows of positions.
pub(crate) struct Work {
    pub(crate) n_kept: usize,
    pub(crate) n_weights: usize,
    /// `None` levels are values.
    pub(crate) levels: Option<Levels>,
    /// The number of windows.
    pub(crate) n_runs: usize,
    /// Their rows and columns.
    pub(crate) window: [usize; 2],
    /// Whether they consist of full vectors.
    pub(crate) is_whole: bool,
}

/// The costs of the scalar definition.
pub(crate) static SCALAR: Costs = Costs {
    sliced_codes: 1142.0,
    sliced_values: 516.0,
    page: f64::INFINITY,
    column_weight: 449.0,
    column_input: 78.0,
    dense_codes: [248.0, 247.0, 246.0, 247.0, 248.0],
    dense_steps: 248.0,
    dense_values: 126.0,
    narrow: 1,
    wide: 1,
    tap: 0.0,
    tap_vector: 1906.0,
    plane_vector: 2070.0,
    panel_codes: [200.0; 2],
    panel_steps: 200.0,
    panel_vector: 7889.0,
    plane_input: 135.0,
    grid_input: 382.0,
    grid_output: 327.0,
    winograd_input: 60000.0,
    winograd_output: 60000.0,
    winograd_kernel: 60000.0,
    depthwise_vector: 27955.0,
};

impl Costs {
    /// The cost relative to the fastest form that is accepted for fewer bytes.
    pub const WORTH_BYTES: f64 = 1.1;

    /// The table of an instruction set.
    pub fn of(isa: Isa) -> &'static Self {
        arch::costs(isa)
    }

    /// The table of an instruction set for matrices whose elements are four bytes each.
    pub fn of_integers(isa: Isa) -> &'static Self {
        arch::costs_of_integers(isa)
    }

    /// Nanoseconds of turning floats into bytes, as many.
    pub fn to_bytes(&self, n: usize) -> f64 {
        // One pass, as that which pads planes.
        n as f64 * self.plane_input * 1e-3
    }

    fn kept_weight(&self, n_levels: Option<usize>) -> f64 {
        if n_levels.is_some_and(|n| n <= 32) { self.sliced_codes } else { self.sliced_values }
    }

    /// Nanoseconds of a run over kept weights of that many rows and columns; `None` levels are values.
    pub fn sliced(&self, [n_rows, n_cols]: [usize; 2], n_kept: usize, n_levels: Option<usize>) -> f64 {
        let ps = match Pages::pay(self, [n_rows, n_cols], n_kept, n_levels) {
            true => Pages::ps(self, [n_rows, n_cols], n_kept),
            false => n_kept as f64 * self.kept_weight(n_levels),
        };
        ps * 1e-3
    }

    /// Nanoseconds of a run over all weights, with those levels, including a zero for pruned weights.
    pub fn dense_codes(&self, n_weights: usize, levels: Levels) -> f64 {
        let class = levels.n.next_power_of_two().clamp(16, 256).ilog2() - 4;
        let weight = match levels.in_steps {
            Part::None => self.dense_codes[class as usize],
            Part::Most | Part::All => self.dense_steps,
        };
        n_weights as f64 * weight * 1e-3
    }

    /// Picoseconds of looking a weight up for a panel.
    pub(crate) fn look_up(&self, levels: Option<Levels>) -> f64 {
        match levels {
            None => 0.0,
            Some(Levels { n: ..32, .. }) => self.panel_codes[0],
            Some(Levels { in_steps: Part::All, .. }) => self.panel_steps,
            Some(_) => self.panel_codes[1],
        }
    }

    /// Nanoseconds of a run over all weights as values.
    pub fn dense_values(&self, n_weights: usize) -> f64 {
        n_weights as f64 * self.dense_values * 1e-3
    }

    /// Nanoseconds of a linear layer over `n` vectors, in a form for windows.
    pub fn batch(
        &self,
        form: WindowForm,
        n_kept: usize,
        n_weights: usize,
        levels: Option<Levels>,
        n: usize,
    ) -> f64 {
        let is_whole = n.is_multiple_of(16);
        self.window(form, Work { n_kept, n_weights, levels, n_runs: 1, window: [1, n], is_whole }) * 1e-3
    }

    /// Nanoseconds of a linear layer over `n` vectors that lie one after another, all weights side by side in lanes.
    pub fn lanes(&self, n_weights: usize, levels: Option<Levels>, n: usize) -> f64 {
        let look_up = self.look_up(levels);
        // Fewer vectors are limited by the loads of weights.
        let vectors = n.max(LANES_LOAD_BOUND) as f64 / 16.0;
        n_weights as f64 * (look_up + vectors * self.panel_vector) * 1e-3
    }

    /// Nanoseconds of transposing so many numbers.
    pub fn transpose(&self, n: usize) -> f64 {
        n as f64 * self.plane_input * 1e-3
    }

    /// Picoseconds of a matrix against windows.
    pub(crate) fn window(&self, form: WindowForm, work: Work) -> f64 {
        let Work { n_kept, n_weights, levels, n_runs, window: [rows, cols], is_whole } = work;
        let vectors = |lanes: usize| rows as f64 * self.vectors(cols, lanes);
        let once = match form {
            WindowForm::Taps if is_whole => {
                let n = rows * cols.div_ceil(16);
                n_kept as f64 * (n.div_ceil(SUMS) as f64 * self.tap + n as f64 * self.tap_vector)
            }
            WindowForm::Taps => n_kept as f64 * vectors(self.narrow) * self.plane_vector,
            WindowForm::Panels => {
                let look_up = self.look_up(levels);
                n_weights as f64 * (look_up + vectors(self.wide) * self.panel_vector)
            }
        };
        once * n_runs as f64
    }

    /// Vectors of sixteen needed for that many positions, in vectors of `lanes`.
    pub(crate) fn vectors(&self, cols: usize, lanes: usize) -> f64 {
        (cols.div_ceil(lanes) * lanes) as f64 / 16.0
    }

    /// The fraction of nonzero inputs below which columns are faster.
    pub fn columns_below(&self, shape: [usize; 2], n_kept: usize, n_levels: Option<usize>) -> f32 {
        // Inputs are scanned twice: to decide, and to find the columns.
        let rows = 1e3 * self.sliced(shape, n_kept, n_levels) - 2.0 * self.column_input * shape[1] as f64;
        (rows / (self.column_weight * n_kept.max(1) as f64)).clamp(0.0, 1.0) as f32
    }

    /// Whether kept weights of that many rows and columns are held in pages: those of one vector are then picked from registers.
    pub fn has_pages(&self, shape: [usize; 2], n_kept: usize, n_levels: Option<usize>) -> bool {
        Pages::pay(self, shape, n_kept, n_levels)
    }

    /// The minimum density at which all weights of a pruned layer of that many rows and columns may be multiplied; infinity if that never pays.
    pub fn dense_from(&self, shape: [usize; 2], levels: Levels) -> f64 {
        let dense = self.dense_codes(1, Levels { n: (levels.n + 1).min(256), ..levels });
        let worth = 1e3 * dense / Self::WORTH_BYTES;
        let in_pages = if Pages::hold(levels.n) { Pages::density(self, shape, worth) } else { 0.0 };
        in_pages.max(worth / self.kept_weight(Some(levels.n)))
    }
}
