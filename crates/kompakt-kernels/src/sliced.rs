//! A sparse matrix for one vector: `y = W x`, sixteen rows at a time.
//!
//! ```text
//! rows of a band, longest first        step 0 1 2 3 4
//!   row 7   columns 1 4 5 8 9          idx  1 4 5 8 9      one step: a column and a weight for
//!   row 2   columns 0 3 5 6                 0 3 5 6 -      each of sixteen rows, side by side
//!   row 9   columns 2 3 7                   2 3 7 - -
//!   ...                                     ...            (- is a filler: weight zero)
//! ```
//!
//! Each row has its own lane, so nothing is summed across lanes and all sixteen rows end together: their lengths are
//! nearly equal because the rows of a band are sorted. Bands are contiguous rows, so that threads may share them out.
//!
//! The sixteen `x` of a step are loaded one by one and put together with inserts: on the machines measured that is
//! nearly twice as fast as the gather instruction. A codebook of up to 32 entries stays in two registers, and a step
//! takes 16 codes of one byte; a larger one is stored as values.
//!
//! Source: Kreutzer 2014, "A unified sparse matrix data format", SELL-C-sigma.

use crate::{
    Codebook, Epilogue, Isa, RowSource, RowWeights,
    isa::Level,
    rows::{PARTS, whole},
};
use alloc::{vec, vec::Vec};
use core::ops::Range;

#[cfg(target_arch = "x86_64")]
#[path = "sliced_x86.rs"]
mod x86;

/// Rows side by side.
pub(crate) const LANES: usize = 16;
/// Rows that are sorted together: a multiple of `LANES`.
pub const BAND_ROWS: usize = 256;
/// The code of a filler.
pub(crate) const FILLER: u8 = 0xff;
/// The most columns: a column is a u16.
pub const MAX_COLS: usize = 1 << 16;
/// The largest codebook that is kept as codes.
const MAX_LEVELS: usize = 32;

/// See the [module page](self).
#[derive(Debug, Clone)]
pub struct SlicedMatrix {
    n_rows: usize,
    n_cols: usize,
    n_kept: usize,
    /// Sixteen rows each, in the order of the bands.
    slices: Vec<Slice>,
    /// `[steps, LANES]`; each below `n_cols`, which is above 0 if there are any: kernels load `x` there unchecked. `build`
    /// alone writes here and checks it.
    idx: Vec<u16>,
    weights: Weights,
}

/// Sixteen rows of a band.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    /// Its steps.
    pub(crate) steps: Range<usize>,
    /// Of which so many, from the first, have no filler.
    pub(crate) full: usize,
    /// The row of each lane, counted from the band's first; the first `n_lanes` count.
    pub(crate) rows: [u16; LANES],
    pub(crate) n_lanes: usize,
}

#[derive(Debug, Clone)]
enum Weights {
    /// `[steps, LANES]`, each below 32 or [`FILLER`], with their 32 values.
    Codes(Vec<u8>, Codebook),
    /// `[steps, LANES]`; fillers are 0.
    Values(Vec<f32>),
}

impl SlicedMatrix {
    /// Builds the form, or `None` if there are more than [`MAX_COLS`] columns.
    ///
    /// Panics: if the source breaks what [`RowSource::visit`] promises.
    pub fn build(source: &dyn RowSource) -> Option<Self> {
        let (n_rows, n_cols) = (source.n_rows(), source.n_cols());
        if n_cols > MAX_COLS {
            return None;
        }
        let mut counts = vec![0usize; n_rows];
        source.visit(&mut |row, cols, _| counts[row] = cols.len());
        let (slices, places, n_steps) = arrange(&counts);
        let mut idx = vec![0u16; n_steps * LANES];
        let codes = source.is_coded() && source.codebook().n_levels() <= MAX_LEVELS;
        let mut weights = if codes {
            Weights::Codes(vec![FILLER; n_steps * LANES], source.codebook().clone())
        } else {
            Weights::Values(vec![0.0; n_steps * LANES])
        };
        source.visit(&mut |row, cols, entries| {
            assert!(cols.len() == counts[row] && entries.len() == cols.len(), "row {row} changed");
            for (i, &col) in cols.iter().enumerate() {
                assert!((col as usize) < n_cols, "row {row} has column {col} of {n_cols}");
                let at = places[row] + i * LANES;
                idx[at] = col as u16;
                match (&mut weights, entries) {
                    (Weights::Codes(all, _), RowWeights::Codes(codes)) => all[at] = codes[i] & 31,
                    (Weights::Codes(..), RowWeights::Values(_)) => panic!("row {row} has no codes"),
                    (Weights::Values(all), entries) => all[at] = entries.value(source.codebook(), i),
                }
            }
        });
        // A filler is column 0, and so is a row that was counted and then left out.
        assert!(idx.is_empty() || n_cols > 0, "kept weights without columns");
        Some(Self { n_rows, n_cols, n_kept: counts.iter().sum(), slices, idx, weights })
    }

    /// The bytes that [`build`](Self::build) would take for rows of that many kept weights each, fillers aside.
    pub fn estimate_bytes(n_rows: usize, n_kept: usize, n_levels: Option<usize>) -> usize {
        let weight = if n_levels.is_some_and(|n| n <= MAX_LEVELS) { 1 } else { 4 };
        n_kept * (2 + weight) + n_rows.div_ceil(LANES) * size_of::<Slice>()
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        let weights = match &self.weights {
            Weights::Codes(codes, _) => codes.len() + 1024,
            Weights::Values(values) => values.len() * 4,
        };
        self.idx.len() * 2 + weights + self.slices.len() * size_of::<Slice>()
    }

    /// Kept weights.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// How many bands there are: the unit of sharing out work.
    pub fn n_bands(&self) -> usize {
        self.n_rows.div_ceil(BAND_ROWS)
    }

    /// The rows of a band: [`BAND_ROWS`], fewer in the last.
    pub fn band_rows(&self, band: usize) -> Range<usize> {
        band * BAND_ROWS..((band + 1) * BAND_ROWS).min(self.n_rows)
    }

    /// `y = epilogue(W x)` for all rows.
    ///
    /// Shapes: `x` `[n_cols]`, `y` `[n_rows]`. Panics: if they are shorter.
    pub fn apply(&self, isa: Isa, x: &[f32], epilogue: Epilogue<'_>, y: &mut [f32]) {
        for band in 0..self.n_bands() {
            let rows = self.band_rows(band);
            self.apply_band(isa, band, x, epilogue, &mut y[rows]);
        }
    }

    /// [`apply`](Self::apply) for the rows of one band; `y` holds those alone, `epilogue` is that of all rows.
    pub fn apply_band(&self, isa: Isa, band: usize, x: &[f32], epilogue: Epilogue<'_>, y: &mut [f32]) {
        let rows = self.band_rows(band);
        assert!(x.len() >= self.n_cols, "x has {} elements of {}", x.len(), self.n_cols);
        assert!(y.len() >= rows.len(), "y has {} elements of {}", y.len(), rows.len());
        epilogue.check(self.n_rows);
        let per_band = BAND_ROWS / LANES;
        let last = ((band + 1) * per_band).min(self.slices.len());
        for slice in &self.slices[band * per_band..last] {
            let at = slice.steps.start * LANES..slice.steps.end * LANES;
            let weights = match &self.weights {
                Weights::Codes(codes, book) => {
                    Lanes::Codes { codes: &codes[at.clone()], full: slice.full, book }
                }
                Weights::Values(values) => Lanes::Values(&values[at.clone()]),
            };
            let sums = sums(isa, &self.idx[at], weights, x);
            for (&row, sum) in slice.rows[..slice.n_lanes].iter().zip(sums) {
                y[usize::from(row)] = epilogue.row(rows.start + usize::from(row)).apply(sum);
            }
        }
    }
}

/// The weights of one slice.
enum Lanes<'a> {
    /// The first `full` steps have no filler.
    Codes {
        codes: &'a [u8],
        full: usize,
        book: &'a Codebook,
    },
    Values(&'a [f32]),
}

/// Sixteen sums. The callers vouch that every `idx` is below `x.len()`.
#[inline(always)]
fn sums(isa: Isa, idx: &[u16], weights: Lanes<'_>, x: &[f32]) -> [f32; LANES] {
    match (weights, isa.level()) {
        (Lanes::Codes { codes, book, .. }, Level::Scalar) => {
            sums_scalar(idx, x, |i| if codes[i] == FILLER { 0.0 } else { book.value(codes[i]) })
        }
        (Lanes::Values(values), Level::Scalar) => sums_scalar(idx, x, |i| values[i]),
        #[cfg(target_arch = "x86_64")]
        (Lanes::Codes { codes, full, book }, level) => x86::sums_codes(level, idx, codes, full, book, x),
        #[cfg(target_arch = "x86_64")]
        (Lanes::Values(values), level) => x86::sums_values(level, idx, values, x),
    }
}

/// The definition: lane by lane, step by step, each row in [`PARTS`].
fn sums_scalar(idx: &[u16], x: &[f32], weight: impl Fn(usize) -> f32) -> [f32; LANES] {
    let mut parts = [[0.0; PARTS]; LANES];
    for (step, columns) in idx.chunks_exact(LANES).enumerate() {
        for (lane, (parts, &col)) in parts.iter_mut().zip(columns).enumerate() {
            parts[step % PARTS] += weight(step * LANES + lane) * x[usize::from(col)];
        }
    }
    parts.map(whole)
}

/// Sorts the rows of each band by length and cuts them into slices. Also where each row's entries start in `idx`,
/// and the number of steps.
fn arrange(counts: &[usize]) -> (Vec<Slice>, Vec<usize>, usize) {
    let mut slices = Vec::with_capacity(counts.len().div_ceil(LANES));
    let mut places = vec![0; counts.len()];
    let mut n_steps = 0;
    for (band, counts) in counts.chunks(BAND_ROWS).enumerate() {
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&row| core::cmp::Reverse(counts[row]));
        for lanes in order.chunks(LANES) {
            let mut rows = [0; LANES];
            for (lane, &row) in lanes.iter().enumerate() {
                rows[lane] = row as u16;
                places[band * BAND_ROWS + row] = n_steps * LANES + lane;
            }
            let longest = counts[lanes[0]];
            let full = if lanes.len() == LANES { counts[lanes[LANES - 1]] } else { 0 };
            slices.push(Slice { steps: n_steps..n_steps + longest, full, rows, n_lanes: lanes.len() });
            n_steps += longest;
        }
    }
    (slices, places, n_steps)
}
