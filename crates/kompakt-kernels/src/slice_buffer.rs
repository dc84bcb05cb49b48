//! Rows that were just unpacked and will be forgotten: [`SlicedMatrix`](super::SlicedMatrix) for weights that stay in a
//! file. The sums have the same bits.
//!
//! Putting the entries of sixteen rows side by side, as the other form does, costs more than multiplying them once. Here
//! rows stay as they are and eight of them go in step, longest first, so that eight sums are under way:
//!
//! ```text
//! row a  . . . . . . .      all four rows
//! row b  . . . . . .        |       |three|a, b|a
//! row c  . . . . . .
//! row d  . . . .
//! ```

use super::{LANES, MAX_COLS, MAX_LEVELS};
use crate::{Codebook, Epilogue, Isa, RowWeights, isa::Level, isa::per_isa};
use alloc::vec::Vec;

/// Rows that go in step.
const STEP_ROWS: usize = 8;

/// See the [module page](self).
#[derive(Debug, Clone, Default)]
pub struct SliceBuffer {
    n_cols: usize,
    is_coded: bool,
    /// Where each row's entries end.
    ends: Vec<u32>,
    /// Each below `n_cols`, which [`apply`](Self::apply) relies on.
    idx: Vec<u16>,
    /// As many as `idx`, if the rows are coded.
    codes: Vec<u8>,
    /// As many as `idx`, if they are not.
    values: Vec<f32>,
}

impl SliceBuffer {
    /// The rows it takes.
    pub const ROWS: usize = LANES;

    /// The bytes that it takes for rows of at most `max_kept` weights together.
    pub fn estimate_bytes(max_kept: usize, n_levels: Option<usize>) -> usize {
        let weight = if n_levels.is_some_and(|n| n <= MAX_LEVELS) { 1 } else { 4 };
        max_kept * (2 + weight)
    }

    /// Forgets all rows and makes ready for rows of `n_cols` columns and at most `max_kept` weights together.
    ///
    /// Panics: if there are more than [`MAX_COLS`] columns.
    pub fn start(&mut self, n_cols: usize, max_kept: usize, n_levels: Option<usize>) {
        assert!(n_cols <= MAX_COLS, "{n_cols} columns");
        (self.n_cols, self.is_coded) = (n_cols, n_levels.is_some_and(|n| n <= MAX_LEVELS));
        let len = max_kept;
        self.ends.clear();
        self.ends.reserve(LANES);
        self.idx.clear();
        self.idx.reserve_exact(len);
        self.codes.clear();
        self.values.clear();
        if self.is_coded { self.codes.reserve_exact(len) } else { self.values.reserve_exact(len) }
    }

    /// Adds a row.
    ///
    /// Panics: if there are sixteen already, a column is too large, or there are not as many weights as columns.
    pub fn push(&mut self, cols: &[u32], weights: RowWeights<'_>, book: &Codebook) {
        assert!(cols.len() == weights.len(), "columns and weights");
        let largest = cols.iter().fold(0, |m, &col| m.max(col));
        assert!(cols.is_empty() || (largest as usize) < self.n_cols, "column {largest} of {}", self.n_cols);
        self.idx.extend(cols.iter().map(|&col| col as u16));
        match weights {
            RowWeights::Codes(codes) if self.is_coded => self.codes.extend_from_slice(codes),
            RowWeights::Codes(codes) => self.values.extend(codes.iter().map(|&code| book.value(code))),
            RowWeights::Values(values) => self.values.extend_from_slice(values),
        }
        self.end_row();
    }

    /// Adds a row that keeps every column.
    ///
    /// Panics: as [`push`](Self::push).
    pub fn push_full(&mut self, codes: &[u8], book: &Codebook) {
        assert!(codes.len() <= self.n_cols, "{} codes, {} columns", codes.len(), self.n_cols);
        self.idx.extend((0..codes.len()).map(|col| col as u16));
        if self.is_coded {
            self.codes.extend_from_slice(codes);
        } else {
            self.values.extend(codes.iter().map(|&code| book.value(code)));
        }
        self.end_row();
    }

    fn end_row(&mut self) {
        assert!(self.ends.len() < LANES, "no room for a row");
        self.ends.push(self.idx.len() as u32);
    }

    /// `y[r] = epilogue(row r times x)` for the rows so far; `epilogue` counts from the first of them.
    ///
    /// Panics: if `x` is shorter than a row, or `y` than there are rows.
    pub fn apply(&self, isa: Isa, book: &Codebook, x: &[f32], epilogue: Epilogue<'_>, y: &mut [f32]) {
        let n_rows = self.ends.len();
        assert!(x.len() >= self.n_cols && y.len() >= n_rows, "x or y is too short");
        epilogue.check(n_rows);
        let mut order = [0; LANES];
        let order = &mut order[..n_rows];
        order.iter_mut().enumerate().for_each(|(i, row)| *row = i);
        order.sort_unstable_by_key(|&row| (core::cmp::Reverse(self.row(row).1), row));
        for rows in order.chunks(STEP_ROWS) {
            let mut group = Group { starts: [0; STEP_ROWS], lens: [0; STEP_ROWS] };
            for (k, &row) in rows.iter().enumerate() {
                (group.starts[k], group.lens[k]) = self.row(row);
            }
            let sums = match isa.level() {
                Level::Scalar => self.sums::<false>(&group, book, x),
                #[cfg(target_arch = "x86_64")]
                _ => fused(isa, self, &group, book, x),
            };
            for (&row, sum) in rows.iter().zip(sums) {
                y[row] = epilogue.row(row).apply(sum);
            }
        }
    }

    /// Where a row's entries start, and how many there are.
    fn row(&self, row: usize) -> (usize, usize) {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        (start, self.ends[row] as usize - start)
    }

    #[inline(always)]
    fn sums<const FUSED: bool>(&self, group: &Group, book: &Codebook, x: &[f32]) -> [f32; STEP_ROWS] {
        if self.is_coded {
            assert_eq!(self.codes.len(), self.idx.len());
            let table = book.table();
            all_steps::<FUSED>(group, &self.idx, x, |i| {
                #[expect(unsafe_code, reason = "a bounds check for every weight")]
                // SAFETY: `i` is below the length of `idx` (see `steps`), which was compared above.
                let code = unsafe { *self.codes.get_unchecked(i) };
                table[usize::from(code)]
            })
        } else {
            assert_eq!(self.values.len(), self.idx.len());
            all_steps::<FUSED>(group, &self.idx, x, |i| {
                #[expect(unsafe_code, reason = "a bounds check for every weight")]
                // SAFETY: as above.
                unsafe {
                    *self.values.get_unchecked(i)
                }
            })
        }
    }
}

per_isa! {
    fn fused(buffer: &SliceBuffer, group: &Group, book: &Codebook, x: &[f32]) -> [f32; STEP_ROWS] =
        SliceBuffer::sums::<true>;
}

/// Rows that go in step, longest first; those that are missing have no entries.
struct Group {
    starts: [usize; STEP_ROWS],
    lens: [usize; STEP_ROWS],
}

/// The sums of a group: all its rows as far as the shortest goes, then one row fewer, and so on.
#[inline(always)]
fn all_steps<const FUSED: bool>(
    group: &Group,
    idx: &[u16],
    x: &[f32],
    weight: impl Fn(usize) -> f32 + Copy,
) -> [f32; STEP_ROWS] {
    for (start, len) in group.starts.iter().zip(group.lens) {
        assert!(start + len <= idx.len());
    }
    let mut sums = [0.0; STEP_ROWS];
    macro_rules! steps {
        ($($n:literal)*) => { $(
            let done = group.lens.get($n).copied().unwrap_or(0);
            steps::<$n, FUSED>(&group.starts, done..group.lens[$n - 1], idx, x, weight, &mut sums);
        )* };
    }
    steps!(8 7 6 5 4 3 2 1);
    sums
}

/// Entries `range` of the first `N` rows, all of which have so many.
#[inline(always)]
fn steps<const N: usize, const FUSED: bool>(
    starts: &[usize; STEP_ROWS],
    range: core::ops::Range<usize>,
    idx: &[u16],
    x: &[f32],
    weight: impl Fn(usize) -> f32 + Copy,
    sums: &mut [f32; STEP_ROWS],
) {
    let mut acc = [0.0; N];
    acc.copy_from_slice(&sums[..N]);
    for i in range {
        for k in 0..N {
            let at = starts[k] + i;
            debug_assert!(usize::from(idx[at]) < x.len());
            #[expect(unsafe_code, reason = "bounds checks cost more than the product")]
            // SAFETY: `all_steps` compared the rows' ends with the length of `idx`; columns were checked when they were
            // pushed, and `apply` checked the length of x.
            let x = unsafe { *x.get_unchecked(usize::from(*idx.get_unchecked(at))) };
            acc[k] = if FUSED { x.mul_add(weight(at), acc[k]) } else { acc[k] + weight(at) * x };
        }
    }
    sums[..N].copy_from_slice(&acc);
}
