//! What the forms of a linear layer cost with one image: the table that the planner chooses by.
//!
//! Measured on one core of an AMD Zen 4 by `cargo bench -p kompakt-kernels --bench costs`, which prints it. It is part of
//! the program and nothing is timed when a model is opened: the same file, options and instruction set always give the
//! same plan, and so the same bits, on any machine.
//!
//! Convolutions and layers over a batch have one form and need no table.

use super::forms::FormKind;
use kompakt_kernels::Isa;

/// Picoseconds a unit, for an instruction set.
#[derive(Debug)]
pub(crate) struct Costs {
    /// Side by side, a codebook of up to 32 levels in registers: a kept weight.
    sliced_codes: f64,
    /// The same as values: a kept weight.
    sliced_values: f64,
    /// By columns: a kept weight of a column that is read.
    column_weight: f64,
    /// Finding out which columns are read: an input.
    column_input: f64,
    /// All weights, looked up: a weight, with up to 16, 32, 64, 128, 256 levels.
    dense_codes: [f64; 5],
    /// All weights as values: a weight.
    dense_values: f64,
}

const SCALAR: Costs = Costs {
    sliced_codes: 1142.0,
    sliced_values: 516.0,
    column_weight: 449.0,
    column_input: 78.0,
    dense_codes: [248.0, 247.0, 246.0, 247.0, 248.0],
    dense_values: 126.0,
};

const AVX2: Costs = Costs {
    sliced_codes: 277.0,
    sliced_values: 221.0,
    column_weight: 446.0,
    column_input: 39.0,
    dense_codes: [233.0, 232.0, 232.0, 232.0, 232.0],
    dense_values: 79.0,
};

const AVX512: Costs = Costs {
    sliced_codes: 195.0,
    sliced_values: 188.0,
    column_weight: 443.0,
    column_input: 49.0,
    dense_codes: [42.0, 43.0, 70.0, 121.0, 205.0],
    dense_values: 68.0,
};

/// A form may cost so much more than the fastest if it takes fewer bytes.
const WORTH_BYTES: f64 = 1.1;

/// A form that a layer could have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) form: FormKind,
    pub(crate) bytes: usize,
    /// Nanoseconds a run.
    pub(crate) ns: f64,
}

/// The candidate with the least cost, or a smaller one that is hardly slower.
pub(crate) fn best(candidates: &[Candidate]) -> Option<Candidate> {
    let least = candidates.iter().map(|c| c.ns).fold(f64::INFINITY, f64::min);
    candidates.iter().filter(|c| c.ns <= WORTH_BYTES * least).min_by_key(|c| c.bytes).copied()
}

impl Costs {
    /// The table of an instruction set.
    pub(crate) fn of(isa: Isa) -> &'static Self {
        match isa.name() {
            "avx512" => &AVX512,
            "avx2" => &AVX2,
            _ => &SCALAR,
        }
    }

    fn kept_weight(&self, n_levels: Option<usize>) -> f64 {
        if n_levels.is_some_and(|n| n <= 32) { self.sliced_codes } else { self.sliced_values }
    }

    /// Nanoseconds of a run over kept weights; `None` levels are values.
    pub(crate) fn sliced(&self, n_kept: usize, n_levels: Option<usize>) -> f64 {
        n_kept as f64 * self.kept_weight(n_levels) * 1e-3
    }

    /// Nanoseconds of a run over all weights, with so many levels, a zero for what is pruned among them.
    pub(crate) fn dense_codes(&self, n_weights: usize, n_levels: usize) -> f64 {
        let class = n_levels.next_power_of_two().clamp(16, 256).ilog2() - 4;
        n_weights as f64 * self.dense_codes[class as usize] * 1e-3
    }

    /// Nanoseconds of a run over all weights as values.
    pub(crate) fn dense_values(&self, n_weights: usize) -> f64 {
        n_weights as f64 * self.dense_values * 1e-3
    }

    /// Which part of the inputs may be other than zero for columns to pay.
    pub(crate) fn columns_below(&self, n_cols: usize, n_kept: usize, n_levels: Option<usize>) -> f32 {
        // Inputs are looked at twice: to decide, and to find the columns.
        let rows = self.kept_weight(n_levels) * n_kept as f64 - 2.0 * self.column_input * n_cols as f64;
        (rows / (self.column_weight * n_kept.max(1) as f64)).clamp(0.0, 1.0) as f32
    }

    /// The least density at which all weights of a pruned layer may be multiplied.
    pub(crate) fn dense_from(&self, n_levels: usize) -> f64 {
        let dense = self.dense_codes(1, (n_levels + 1).min(256));
        dense / (WORTH_BYTES * self.sliced(1, Some(n_levels)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_pays_from_some_density_on() {
        for isa in Isa::available() {
            let costs = Costs::of(isa);
            for n_levels in [8, 16, 31, 32, 63, 64, 200] {
                let from = costs.dense_from(n_levels);
                let n = 1 << 20;
                let choose = |density: f64| {
                    let n_kept = (n as f64 * density) as usize;
                    let sliced = costs.sliced(n_kept, Some(n_levels));
                    let forms = [
                        Candidate { form: FormKind::Sliced, bytes: 3 * n_kept, ns: sliced },
                        Candidate {
                            form: FormKind::DenseCodes,
                            bytes: n,
                            ns: costs.dense_codes(n, n_levels + 1),
                        },
                    ];
                    best(&forms).map(|c| c.form)
                };
                assert_eq!(choose(from * 0.99), Some(FormKind::Sliced), "{isa}, {n_levels} levels");
                if from < 0.3 {
                    assert_eq!(choose(from * 1.3), Some(FormKind::DenseCodes), "{isa}, {n_levels} levels");
                }
            }
        }
    }

    #[test]
    fn columns_pay_where_few_inputs_are_left() {
        for isa in Isa::available() {
            let below = Costs::of(isa).columns_below(784, 18_816, Some(64));
            assert!((0.1..=1.0).contains(&below), "{isa}: {below}");
        }
    }
}
