//! What the forms of a linear layer cost with one vector: the tables that a planner chooses by, one for each instruction
//! set, beside its vectors (`arch`).
//!
//! Measured on one core of an AMD Zen 4 by `cargo bench -p kompakt-kernels --bench costs`, which prints them; those of
//! `portable` are estimates. They are part of the program, and nothing is timed when a model is opened: the same file,
//! options and instruction set always give the same plan, and so the same bits, on any machine.
//!
//! Convolutions and layers over a batch have one form and need no table.

use crate::{Isa, arch};

/// Picoseconds a unit, for an instruction set.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// Side by side, a codebook of up to 32 levels in registers: a kept weight.
    pub(crate) sliced_codes: f64,
    /// The same as values: a kept weight.
    pub(crate) sliced_values: f64,
    /// By columns: a kept weight of a column that is read.
    pub(crate) column_weight: f64,
    /// Finding out which columns are read: an input.
    pub(crate) column_input: f64,
    /// All weights, looked up: a weight, with up to 16, 32, 64, 128, 256 levels.
    pub(crate) dense_codes: [f64; 5],
    /// All weights as values: a weight.
    pub(crate) dense_values: f64,
}

/// Those of the definition.
pub(crate) static SCALAR: Costs = Costs {
    sliced_codes: 1142.0,
    sliced_values: 516.0,
    column_weight: 449.0,
    column_input: 78.0,
    dense_codes: [248.0, 247.0, 246.0, 247.0, 248.0],
    dense_values: 126.0,
};

impl Costs {
    /// A form may cost so much more than the fastest if it takes fewer bytes.
    pub const WORTH_BYTES: f64 = 1.1;

    /// The table of an instruction set.
    pub fn of(isa: Isa) -> &'static Self {
        arch::costs(isa)
    }

    fn kept_weight(&self, n_levels: Option<usize>) -> f64 {
        if n_levels.is_some_and(|n| n <= 32) { self.sliced_codes } else { self.sliced_values }
    }

    /// Nanoseconds of a run over kept weights; `None` levels are values.
    pub fn sliced(&self, n_kept: usize, n_levels: Option<usize>) -> f64 {
        n_kept as f64 * self.kept_weight(n_levels) * 1e-3
    }

    /// Nanoseconds of a run over all weights, with so many levels, a zero for what is pruned among them.
    pub fn dense_codes(&self, n_weights: usize, n_levels: usize) -> f64 {
        let class = n_levels.next_power_of_two().clamp(16, 256).ilog2() - 4;
        n_weights as f64 * self.dense_codes[class as usize] * 1e-3
    }

    /// Nanoseconds of a run over all weights as values.
    pub fn dense_values(&self, n_weights: usize) -> f64 {
        n_weights as f64 * self.dense_values * 1e-3
    }

    /// Which part of the inputs may be other than zero for columns to pay.
    pub fn columns_below(&self, n_cols: usize, n_kept: usize, n_levels: Option<usize>) -> f32 {
        // Inputs are looked at twice: to decide, and to find the columns.
        let rows = self.kept_weight(n_levels) * n_kept as f64 - 2.0 * self.column_input * n_cols as f64;
        (rows / (self.column_weight * n_kept.max(1) as f64)).clamp(0.0, 1.0) as f32
    }

    /// The least density at which all weights of a pruned layer may be multiplied.
    pub fn dense_from(&self, n_levels: usize) -> f64 {
        let dense = self.dense_codes(1, (n_levels + 1).min(256));
        dense / (Self::WORTH_BYTES * self.sliced(1, Some(n_levels)))
    }
}
