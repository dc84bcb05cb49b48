//! A sparse matrix for one vector with many zeros: `y += x[j] W[:, j]` for each nonzero `x[j]`.
//!
//! ```text
//! column j        rows 2 5 9 -      values a b c 0        y[2] += x[j] a,  y[5] += x[j] b, ...
//! ```
//!
//! An image of a digit is four fifths black, and half of a ReLU's outputs are zero: their columns are never
//! read. Columns are padded to multiples of four with a row that is never read. Each row has `PARTS` sums, as
//! in the other forms.

#![expect(unsafe_code, reason = "sums without bounds checks: places were checked when the form was built")]

use crate::{
    Epilogue, Isa, RowSource,
    arch::Arch,
    isa::{Job, Vector, per_isa, run},
    matrix::rows::{PARTS, add_product, whole},
};
use alloc::{vec, vec::Vec};

/// The maximum number of rows: the index of a row's sum is a u16, and one row is for padding.
pub const MAX_ROWS: usize = (1 << 16) / PARTS - 1;

/// See the [module page](self).
#[derive(Debug, Clone)]
pub struct ColumnMatrix {
    n_rows: usize,
    n_cols: usize,
    /// `n_cols + 1`: where each column starts.
    starts: Vec<u32>,
    /// Which of the sums, `[PARTS, n_rows + 1]`: each below that bound, where kernels add unchecked. Only
    /// `build` writes here and checks rows.
    places: Vec<u16>,
    /// As many.
    values: Vec<f32>,
}

/// Scratch memory of [`ColumnMatrix::apply`], reused between calls.
#[derive(Debug, Clone, Default)]
pub struct ColumnScratch {
    active: Vec<u32>,
    sums: Vec<f32>,
}

impl ColumnScratch {
    /// Room for matrices of up to that many rows and columns.
    pub fn reserve(&mut self, n_rows: usize, n_cols: usize) {
        if self.active.len() < n_cols + 16 {
            self.active.resize(n_cols + 16, 0);
        }
        let n_sums = PARTS * (n_rows + 1);
        if self.sums.len() < n_sums {
            self.sums.resize(n_sums, 0.0);
        }
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        4 * (self.active.len() + self.sums.len())
    }
}

impl ColumnMatrix {
    /// Builds the form, or `None` if there are more than [`MAX_ROWS`] rows or 2^32 entries.
    ///
    /// Panics: if the source breaks what [`RowSource::visit`] promises.
    pub fn build(source: &dyn RowSource) -> Option<Self> {
        let (n_rows, n_cols) = (source.n_rows(), source.n_cols());
        if n_rows > MAX_ROWS {
            return None;
        }
        let mut counts = vec![0usize; n_cols];
        source.visit(&mut |_, cols, _| cols.iter().for_each(|&c| counts[c as usize] += 1));
        let mut starts = Vec::with_capacity(n_cols + 1);
        let mut n = 0usize;
        for count in counts {
            starts.push(u32::try_from(n).ok()?);
            n += count.next_multiple_of(4);
        }
        starts.push(u32::try_from(n).ok()?);
        let mut next = starts.clone();
        let (mut places, mut values) = (vec![n_rows as u16; n], vec![0.0; n]);
        source.visit(&mut |row, cols, weights| {
            assert!(row < n_rows, "row {row} of {n_rows}");
            for (i, &col) in cols.iter().enumerate() {
                let at = &mut next[col as usize];
                assert!(*at < starts[col as usize + 1], "row {row} changed");
                places[*at as usize] = (i % PARTS * (n_rows + 1) + row) as u16;
                values[*at as usize] = weights.value(source.codebook(), i);
                *at += 1;
            }
        });
        Some(Self { n_rows, n_cols, starts, places, values })
    }

    /// The bytes that [`build`](Self::build) would take, fillers aside.
    pub fn estimate_bytes(n_cols: usize, n_kept: usize) -> usize {
        n_kept * 6 + n_cols * 4
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        self.starts.len() * 4 + self.places.len() * 2 + self.values.len() * 4
    }

    /// `y = epilogue(W x)`.
    ///
    /// Shapes: `x` `[n_cols]`, `y` `[n_rows]`. Panics: if they are shorter.
    pub fn apply(
        &self,
        isa: Isa,
        x: &[f32],
        epilogue: Epilogue<'_>,
        scratch: &mut ColumnScratch,
        y: &mut [f32],
    ) {
        assert!(x.len() >= self.n_cols, "x has {} elements of {}", x.len(), self.n_cols);
        assert!(y.len() >= self.n_rows, "y has {} elements of {}", y.len(), self.n_rows);
        epilogue.check(self.n_rows);
        scratch.reserve(self.n_rows, self.n_cols);
        let x = &x[..self.n_cols];
        let n_active = run(isa, Nonzero { x, active: &mut scratch.active });
        let sums = &mut scratch.sums[..PARTS * (self.n_rows + 1)];
        sums.fill(0.0);
        run(isa, Scatter { m: self, active: &scratch.active[..n_active], x, sums });
        let y = &mut y[..self.n_rows];
        add_up(isa, sums, y);
        for (row, y) in y.iter_mut().enumerate() {
            *y = epilogue.row(row).apply(*y);
        }
    }
}

per_isa! { fn add_up(sums: &[f32], y: &mut [f32]) = add_up_body; }

/// The parts of every row together.
#[inline(always)]
fn add_up_body(sums: &[f32], y: &mut [f32]) {
    let n = sums.len() / PARTS;
    let [a, b, c, d] = [0, 1, 2, 3].map(|k| &sums[k * n..][..y.len()]);
    for (((y, a), b), (c, d)) in y.iter_mut().zip(a).zip(b).zip(c.iter().zip(d)) {
        *y = whole([*a, *b, *c, *d]);
    }
}

/// The number of nonzero elements.
pub fn count_nonzero(isa: Isa, x: &[f32]) -> usize {
    count(isa, x)
}

per_isa! { fn count(x: &[f32]) -> usize = count_body; }

#[inline(always)]
fn count_body(x: &[f32]) -> usize {
    x.chunks(1 << 16).map(|part| part.iter().map(|&v| u32::from(v != 0.0)).sum::<u32>() as usize).sum()
}

/// Writes the indices of the nonzero elements to the front of `active` and returns their number.
struct Nonzero<'a> {
    x: &'a [f32],
    /// Holds 16 more than `x`.
    active: &'a mut [u32],
}

impl Job for Nonzero<'_> {
    type Output = usize;
    #[inline(always)]
    fn define(self) -> usize {
        nonzero_one_by_one(self.x, self.active)
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> usize {
        // SAFETY: promised by the caller.
        unsafe { A::nonzero(self.x, self.active) }
    }
}

#[inline(always)]
pub(crate) fn nonzero_one_by_one(x: &[f32], active: &mut [u32]) -> usize {
    let mut n = 0;
    for (i, &value) in x.iter().enumerate() {
        active[n] = i as u32;
        n += usize::from(value != 0.0);
    }
    n
}

/// Adds up each row's parts in the order of the columns, as in the other forms, and so with the same bits.
struct Scatter<'a> {
    m: &'a ColumnMatrix,
    active: &'a [u32],
    x: &'a [f32],
    sums: &'a mut [f32],
}

impl Job for Scatter<'_> {
    type Output = ();
    #[inline(always)]
    fn define(self) {
        self.scatter(false);
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        self.scatter(<A::Wide as Vector>::FUSED);
    }
}

impl Scatter<'_> {
    #[inline(always)]
    fn scatter(self, fused: bool) {
        let Self { m, active, x, sums } = self;
        assert!(sums.len() >= PARTS * (m.n_rows + 1));
        for &col in active {
            let col = col as usize;
            let factor = x[col];
            let entries = m.starts[col] as usize..m.starts[col + 1] as usize;
            let (places, _) = m.places[entries.clone()].as_chunks::<4>();
            let (values, _) = m.values[entries].as_chunks::<4>();
            for (places, values) in places.iter().zip(values) {
                for (&place, &value) in places.iter().zip(values) {
                    debug_assert!(usize::from(place) < sums.len());
                    // SAFETY: places are below `PARTS * (n_rows + 1)` since `build`, and there are as many sums. The
                    // bounds check costs a third of this loop.
                    let sum = unsafe { sums.get_unchecked_mut(usize::from(place)) };
                    *sum = add_product(fused, factor, value, *sum);
                }
            }
        }
    }
}
