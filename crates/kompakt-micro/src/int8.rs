//! Layers that multiply integers of 8 bits: the loader's bytes of weights and inputs, with the loader's scales.
//!
//! ```text
//! x ─► quantize ─► q, bytes ─┐
//! codes ─► levels as bytes ──┴─► integer sums ─► y = scale sum + bias        (per row; kompakt_kernels::Int8Rows)
//! ```

use crate::{MicroError, constants::Constants, step::Argument, weights};
use kompakt_format::{Decoded, ValueRange};
use kompakt_kernels::{Codebook, Int8Rows, Isa, Quantiser, RowSource, RowWeights};

/// The most columns of a row whose sum fits 32 bits.
pub(crate) const MAX_COLS: usize = i32::MAX as usize / (127 * 255) - 1;

/// How the input of a layer becomes bytes: `q = x inverse + zero`, rounded, within 0 and 255.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    quantiser: Quantiser,
}

impl Input {
    /// For a value of that range.
    pub(crate) fn of(range: &ValueRange) -> Self {
        Self { quantiser: Quantiser::new(range.low, range.high) }
    }

    /// The byte of 0.
    pub(crate) fn zero(&self) -> usize {
        usize::try_from(self.quantiser.zero_point(Isa::SCALAR)).unwrap_or(0)
    }

    /// The factor of `x`.
    pub(crate) fn inverse(&self) -> f32 {
        1.0 / self.quantiser.scale()
    }
}

/// The arguments of a layer that reads bytes.
pub(crate) struct Layer {
    /// Its record, its levels as bytes, and how many of these each row has of its own.
    pub(crate) weights: Vec<Argument>,
    /// The sum of each row if its input were 0.
    pub(crate) start: Vec<i32>,
    /// Of each row's sum.
    pub(crate) scale_and_bias: Vec<Argument>,
}

/// Adds a layer's tables. `taps` are the positions of its kernel.
///
/// Errors: as [`weights::write`].
pub(crate) fn layer(
    constants: &mut Constants,
    name: &str,
    [n_rows, n_cols, taps]: [usize; 3],
    decoded: &Decoded,
    bias: Option<&[f32]>,
    input: Input,
) -> Result<Layer, MicroError> {
    let kept = Kept::of(decoded, n_rows, n_cols);
    let rows = Int8Rows::new(&kept, taps);
    let Levels { bytes, per_row, is_by_weight } = kept.levels(&rows, taps);
    let weights = weights::write_places(constants, name, n_rows * n_cols, decoded, is_by_weight)?;
    let bytes = constants.signed_bytes(&format!("{name}.bytes"), bytes);
    let zero = input.quantiser.zero_point(Isa::SCALAR);
    let start: Vec<i32> = rows.sums().iter().map(|sum| zero * sum).collect();
    // As the loader has it: y = s_x s_w (sum of w q - z sum of w) + bias.
    let scale: Vec<f32> = rows.scales().iter().map(|s| input.quantiser.scale() * s).collect();
    let bias: Vec<f32> = (0..n_rows)
        .map(|row| {
            let offset = f64::from(zero) * f64::from(rows.sums()[row]) * f64::from(scale[row]);
            (f64::from(bias.map_or(0.0, |bias| bias[row])) - offset) as f32
        })
        .collect();
    let scale = constants.floats(&format!("{name}.scale"), &scale)?;
    let bias = constants.floats(&format!("{name}.bias"), &bias)?;
    Ok(Layer {
        weights: vec![weights, bytes, Argument::Number(per_row)],
        start,
        scale_and_bias: vec![Argument::Table(scale), Argument::Table(bias)],
    })
}

/// Levels as bytes.
struct Levels {
    /// One for each code, or for each code in each row, or one for each kept weight.
    bytes: Vec<i8>,
    /// How many each row has of its own.
    per_row: usize,
    is_by_weight: bool,
}

/// The kept weights of a matrix.
struct Kept {
    n_rows: usize,
    n_cols: usize,
    /// Rows' places among the following.
    starts: Vec<usize>,
    cols: Vec<u32>,
    codes: Vec<u8>,
    values: Vec<f32>,
    book: Codebook,
}

impl Kept {
    fn of(decoded: &Decoded, n_rows: usize, n_cols: usize) -> Self {
        let is_kept = |i: usize| decoded.mask().is_none_or(|mask| mask[i]);
        let (mut starts, mut cols) = (vec![0], Vec::new());
        for row in 0..n_rows {
            cols.extend((0..n_cols).filter(|col| is_kept(row * n_cols + col)).map(|col| col as u32));
            starts.push(cols.len());
        }
        let (codes, values, book) = match decoded {
            Decoded::Dense { numbers, .. } => (Vec::new(), numbers.to_f32(), Codebook::new(&[])),
            Decoded::Shared { codebook, weights } => {
                let codes = weights.codes.iter().enumerate().filter(|(i, _)| weights.view().is_kept(*i));
                (codes.map(|(_, &code)| code).collect(), Vec::new(), Codebook::new(&codebook.to_f32()))
            }
        };
        Self { n_rows, n_cols, starts, cols, codes, values, book }
    }

    fn n(&self) -> usize {
        self.cols.len()
    }

    /// The smallest form of the levels that gives each kept weight its byte.
    fn levels(&self, rows: &Int8Rows, taps: usize) -> Levels {
        let width = rows.elements().len() / self.n_rows.max(1);
        let byte = |row: usize, i: usize| {
            let (channel, tap) = (self.cols[i] as usize / taps, self.cols[i] as usize % taps);
            let element = rows.elements()[row * width + channel / 4 * taps + tap];
            element.to_bits().to_le_bytes()[channel % 4].cast_signed()
        };
        let starts = &self.starts;
        let all =
            || (0..self.n_rows).flat_map(move |row| (starts[row]..starts[row + 1]).map(move |i| (row, i)));
        let by_weight =
            || Levels { bytes: all().map(|(row, i)| byte(row, i)).collect(), per_row: 0, is_by_weight: true };
        if !self.is_coded() {
            return by_weight();
        }
        let n_levels = self.book.n_levels();
        let mut by_row = vec![0; self.n_rows * n_levels];
        all().for_each(|(row, i)| by_row[row * n_levels + usize::from(self.codes[i])] = byte(row, i));
        let first: Vec<i8> = (0..n_levels)
            .map(|code| by_row.iter().skip(code).step_by(n_levels).find(|b| **b != 0).copied().unwrap_or(0))
            .collect();
        let code_bits = (usize::BITS - n_levels.saturating_sub(1).leading_zeros()) as usize;
        if all().all(|(row, i)| byte(row, i) == first[usize::from(self.codes[i])]) {
            Levels { bytes: first, per_row: 0, is_by_weight: false }
        } else if by_row.len() + self.n() * code_bits / 8 < self.n() {
            Levels { bytes: by_row, per_row: n_levels, is_by_weight: false }
        } else {
            by_weight()
        }
    }
}

impl RowSource for Kept {
    fn n_rows(&self) -> usize {
        self.n_rows
    }
    fn n_cols(&self) -> usize {
        self.n_cols
    }
    fn codebook(&self) -> &Codebook {
        &self.book
    }
    fn is_coded(&self) -> bool {
        self.values.is_empty() && self.book.n_levels() > 0
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        for row in 0..self.n_rows {
            let part = self.starts[row]..self.starts[row + 1];
            let weights = match self.is_coded() {
                true => RowWeights::Codes(&self.codes[part.clone()]),
                false => RowWeights::Values(&self.values[part.clone()]),
            };
            visit(row, &self.cols[part], weights);
        }
    }
}
