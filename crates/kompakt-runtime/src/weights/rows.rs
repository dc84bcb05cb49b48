//! The kept weights of one matrix in memory, row by row: the source of all forms in memory.
//!
//! ```text
//!      0 7 0 5        starts   0     2  3        row r has entries starts[r] .. starts[r + 1]
//!      0 0 9 0        columns  1  3  2
//!                     weights  7  5  9
//! ```

use alloc::{vec, vec::Vec};
use kompakt_format::Decoded;
use kompakt_kernels::{Codebook, RowSource, RowWeights};

/// A matrix `[rows, cols]` as compressed sparse rows; rows are output units, columns all else.
///
/// Weights are codes of one byte into a codebook, or values. Columns take two bytes each where that is enough, and none
/// where no weight is pruned.
#[derive(Debug)]
pub struct CompressedRows {
    n_rows: usize,
    n_cols: usize,
    /// The start of each row's entries, then the end of the last.
    starts: Vec<usize>,
    columns: Columns,
    weights: Kept,
    codebook: Codebook,
    /// Expected number of entries.
    room: usize,
}

/// The column of every entry, ascending in each row.
#[derive(Debug)]
enum Columns {
    /// All rows have all columns.
    All,
    Short(Vec<u16>),
    Long(Vec<u32>),
}

#[derive(Debug)]
enum Kept {
    Codes(Vec<u8>),
    Values(Vec<f32>),
}

impl CompressedRows {
    /// A matrix without rows; `is_coded`: whether rows hold codes.
    pub(super) fn new(n_cols: usize, codebook: Codebook, is_coded: bool) -> Self {
        let weights = if is_coded { Kept::Codes(Vec::new()) } else { Kept::Values(Vec::new()) };
        Self { n_rows: 0, n_cols, starts: vec![0], columns: Columns::All, weights, codebook, room: 0 }
    }

    /// Makes room for that many rows and entries.
    pub(super) fn reserve(&mut self, n_rows: usize, n_kept: usize) {
        self.starts.reserve_exact(n_rows);
        self.room = n_kept;
        match &mut self.weights {
            Kept::Codes(codes) => codes.reserve_exact(n_kept),
            Kept::Values(values) => values.reserve_exact(n_kept),
        }
    }

    /// Appends a row: columns ascending and below the number of columns, as many weights as columns, of the kind that the
    /// matrix was made for.
    pub(super) fn push(&mut self, columns: &[u32], weights: RowWeights<'_>) {
        if columns.len() < self.n_cols && matches!(self.columns, Columns::All) {
            self.columns = self.all_columns();
        }
        match &mut self.columns {
            Columns::All => {}
            Columns::Short(all) => all.extend(columns.iter().map(|&c| c as u16)),
            Columns::Long(all) => all.extend_from_slice(columns),
        }
        self.push_weights(weights);
    }

    /// Appends a row with nothing pruned.
    pub(super) fn push_full(&mut self, codes: &[u8]) {
        let n = self.n_cols as u32;
        match &mut self.columns {
            Columns::All => {}
            Columns::Short(all) => all.extend((0..n).map(|c| c as u16)),
            Columns::Long(all) => all.extend(0..n),
        }
        self.push_weights(RowWeights::Codes(codes));
    }

    fn push_weights(&mut self, weights: RowWeights<'_>) {
        match (&mut self.weights, weights) {
            (Kept::Codes(all), RowWeights::Codes(codes)) => all.extend_from_slice(codes),
            (Kept::Values(all), RowWeights::Values(values)) => all.extend_from_slice(values),
            _ => debug_assert!(false, "codes or values, as announced"),
        }
        self.starts.push(self.n_kept());
        self.n_rows += 1;
    }

    /// The columns of rows with nothing pruned.
    fn all_columns(&self) -> Columns {
        let n = self.n_cols as u32;
        let all = (0..self.n_rows).flat_map(|_| 0..n);
        if u16::try_from(self.n_cols.saturating_sub(1)).is_ok() {
            let mut columns = Vec::with_capacity(self.room);
            columns.extend(all.map(|c| c as u16));
            Columns::Short(columns)
        } else {
            let mut columns = Vec::with_capacity(self.room);
            columns.extend(all);
            Columns::Long(columns)
        }
    }

    /// The rows of a decoded parameter.
    pub(super) fn from_decoded(decoded: Decoded, n_rows: usize, n_cols: usize) -> Self {
        let (mut this, mask, codes, values) = match decoded {
            Decoded::Shared { codebook, weights } => {
                let this = Self::new(n_cols, Codebook::new(&codebook.to_f32()), true);
                (this, weights.mask, weights.codes, Vec::new())
            }
            Decoded::Dense { numbers, mask } => {
                (Self::new(n_cols, Codebook::new(&[]), false), mask, Vec::new(), numbers.to_f32())
            }
        };
        let n_kept = mask.as_ref().map_or(n_rows * n_cols, |mask| mask.iter().filter(|k| **k).count());
        this.reserve(n_rows, n_kept);
        let all: Vec<u32> = (0..n_cols as u32).collect();
        let (mut columns, mut kept_codes, mut next_value) = (Vec::new(), Vec::new(), 0);
        for row in 0..n_rows {
            let at = row * n_cols..(row + 1) * n_cols;
            columns.clear();
            match &mask {
                None => columns.extend_from_slice(&all),
                Some(mask) => {
                    let kept = all.iter().zip(&mask[at.clone()]).filter(|(_, kept)| **kept);
                    columns.extend(kept.map(|(col, _)| *col));
                }
            }
            if this.is_coded() {
                let codes = &codes[at];
                kept_codes.clear();
                kept_codes.extend(columns.iter().map(|&col| codes[col as usize]));
                this.push(&columns, RowWeights::Codes(&kept_codes));
            } else {
                // Values are stored for kept weights only.
                let values = &values[next_value..next_value + columns.len()];
                next_value += columns.len();
                this.push(&columns, RowWeights::Values(values));
            }
        }
        this
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How many columns there are.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// How many weights are kept.
    pub fn n_kept(&self) -> usize {
        match &self.weights {
            Kept::Codes(codes) => codes.len(),
            Kept::Values(values) => values.len(),
        }
    }

    /// Kept weights of the row that has the most.
    pub(super) fn max_row_kept(&self) -> usize {
        self.starts.windows(2).map(|s| s[1] - s[0]).max().unwrap_or(0)
    }

    /// The values behind codes; empty where there are none.
    pub fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// Whether weights are codes.
    pub fn is_coded(&self) -> bool {
        matches!(self.weights, Kept::Codes(_))
    }

    /// Calls `visit(row, columns, weights)` for every row from first to last.
    pub fn for_each(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        let mut scratch: Vec<u32> = match self.columns {
            Columns::All => (0..self.n_cols as u32).collect(),
            Columns::Short(_) | Columns::Long(_) => Vec::new(),
        };
        for row in 0..self.n_rows {
            let at = self.starts[row]..self.starts[row + 1];
            let columns = match &self.columns {
                Columns::All => &scratch[..],
                Columns::Long(all) => &all[at.clone()],
                Columns::Short(all) => {
                    scratch.clear();
                    scratch.extend(all[at.clone()].iter().map(|&c| u32::from(c)));
                    &scratch[..]
                }
            };
            let weights = match &self.weights {
                Kept::Codes(codes) => RowWeights::Codes(&codes[at]),
                Kept::Values(values) => RowWeights::Values(&values[at]),
            };
            visit(row, columns, weights);
        }
    }

    /// Writes one row, zeros included.
    pub(super) fn write_row(&self, row: usize, y: &mut [f32]) {
        let at = self.starts[row]..self.starts[row + 1];
        match (&self.columns, &self.weights) {
            (Columns::All, Kept::Values(values)) => return y.copy_from_slice(&values[at]),
            (Columns::All, Kept::Codes(codes)) => {
                let table = self.codebook.table();
                y.iter_mut().zip(&codes[at]).for_each(|(y, &code)| *y = table[usize::from(code)]);
                return;
            }
            (Columns::Short(_) | Columns::Long(_), _) => {}
        }
        let weight = |i: usize| match &self.weights {
            Kept::Codes(codes) => RowWeights::Codes(&codes[at.clone()]).value(&self.codebook, i),
            Kept::Values(values) => values[at.start + i],
        };
        y.fill(0.0);
        for i in 0..at.len() {
            let column = match &self.columns {
                Columns::All => i,
                Columns::Short(all) => usize::from(all[at.start + i]),
                Columns::Long(all) => all[at.start + i] as usize,
            };
            y[column] = weight(i);
        }
    }

    /// Bytes that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        let columns = match &self.columns {
            Columns::All => 0,
            Columns::Short(all) => 2 * all.len(),
            Columns::Long(all) => 4 * all.len(),
        };
        let weights = match &self.weights {
            Kept::Codes(codes) => codes.len(),
            Kept::Values(values) => 4 * values.len(),
        };
        columns + weights + size_of::<usize>() * self.starts.len()
    }

    /// All weights, zeros included, `[rows, cols]`, row-major.
    pub fn to_dense(&self) -> Vec<f32> {
        let mut all = vec![0.0; self.n_rows * self.n_cols];
        self.for_each(&mut |row, columns, weights| {
            for (i, &col) in columns.iter().enumerate() {
                all[row * self.n_cols + col as usize] = weights.value(&self.codebook, i);
            }
        });
        all
    }
}

impl RowSource for CompressedRows {
    fn n_rows(&self) -> usize {
        self.n_rows
    }
    fn n_cols(&self) -> usize {
        self.n_cols
    }
    fn codebook(&self) -> &Codebook {
        &self.codebook
    }
    fn is_coded(&self) -> bool {
        Self::is_coded(self)
    }
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        self.for_each(visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_pushed() {
        for n_cols in [3, 70_001] {
            let mut rows = CompressedRows::new(n_cols, Codebook::new(&[0.5, -2.0]), true);
            let full: Vec<u8> = (0..n_cols).map(|i| (i % 2) as u8).collect();
            rows.push_full(&full);
            rows.push(&[0, n_cols as u32 - 1], RowWeights::Codes(&[1, 0]));
            rows.push(&[], RowWeights::Codes(&[]));
            rows.push_full(&full);
            assert_eq!((rows.n_rows(), rows.n_kept(), rows.max_row_kept()), (4, 2 * n_cols + 2, n_cols));
            let dense = rows.to_dense();
            assert!(dense.chunks(n_cols).step_by(3).all(|row| row[..3] == [0.5, -2.0, 0.5]));
            assert_eq!((dense[n_cols], dense[2 * n_cols - 1], dense[2 * n_cols]), (-2.0, 0.5, 0.0));
        }
    }
}
