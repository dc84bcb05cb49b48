//! Rows as decoded: a code, or a value, for each weight, or for each kept one along with its column.
//!
//! ```text
//! codes 3 0 0 2 ...   one register holds 16 levels: one permute turns 16 codes into 16 weights
//! ```
//!
//! All levels stay in registers with AVX-512; otherwise they are looked up one by one. Codes that are numbers of steps are converted.

#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(unsafe_code, reason = "what an instruction set does better is behind its features")]

use crate::{
    Codebook, Isa,
    arch::Arch,
    isa::{Job, Vector, run, run_integers},
    matrix::{
        rows::{PARTS, add_product, whole},
        sliced::of_integer,
    },
};

/// `sum of book[codes[i]] * x[i]`.
///
/// Shapes: `codes` `[n]`, `x` `[n]`. Panics: if they differ.
pub fn dot_codes(isa: Isa, codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    assert_eq!(codes.len(), x.len(), "codes and x");
    run(isa, DotCodes { codes, book, x })
}

/// `y = W x`, where nothing is pruned. Shapes: `values` `[rows, n]`, `x` `[n]`, `y` `[rows]`. Panics: if they disagree.
///
/// Each row is summed in the same order, whatever the others.
pub fn dot_rows(isa: Isa, values: &[f32], x: &[f32], y: &mut [f32]) {
    assert_eq!(values.len(), x.len() * y.len(), "values, x and y");
    run(isa, DotRows { values, x, y });
}

/// The same where each value and each element of `x` stands for four bytes, as its bits: `y` are the sums, as floats.
pub fn dot_rows_of_bytes(isa: Isa, values: &[f32], x: &[f32], y: &mut [f32]) {
    assert_eq!(values.len(), x.len() * y.len(), "values, x and y");
    run_integers(isa, DotRows { values, x, y: &mut *y });
    y.iter_mut().for_each(|y| *y = of_integer(*y));
}

/// `sum of book[codes[i]] * x[cols[i]]`, for a row that was just unpacked: weights that stay in a file.
///
/// Panics: if a column is not below the length of `x`, or there are not as many codes as columns.
pub fn dot_sparse(isa: Isa, cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    assert_eq!(cols.len(), codes.len(), "columns and codes");
    run(isa, DotSparse { cols, codes, book, x })
}

/// As [`dot_sparse`], for a row among those that keeps every column.
///
/// Panics: if `x` is shorter than the row.
pub fn dot_sparse_full(isa: Isa, codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    run(isa, DotSparseFull { codes, table: book.table(), x: &x[..codes.len()] })
}

/// As [`dot_sparse`], over values.
pub fn dot_sparse_values(isa: Isa, cols: &[u32], values: &[f32], x: &[f32]) -> f32 {
    assert_eq!(cols.len(), values.len(), "columns and values");
    run(isa, DotSparseValues { cols, values, x })
}

struct DotCodes<'a> {
    codes: &'a [u8],
    book: &'a Codebook,
    /// As many.
    x: &'a [f32],
}

impl Job for DotCodes<'_> {
    type Output = f32;
    #[inline(always)]
    fn define(self) -> f32 {
        dot_looked_up(self.codes, self.book.table(), self.x)
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> f32 {
        // SAFETY: promised by the caller; the lengths were compared.
        unsafe { A::dot_codes(self.codes, self.book, self.x) }
    }
}

struct DotSparse<'a> {
    cols: &'a [u32],
    /// As many.
    codes: &'a [u8],
    book: &'a Codebook,
    x: &'a [f32],
}

impl Job for DotSparse<'_> {
    type Output = f32;
    #[inline(always)]
    fn define(self) -> f32 {
        looked_up_sparse(false, self.cols, self.codes, self.book.table(), self.x)
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> f32 {
        // SAFETY: promised by the caller; the lengths were compared.
        unsafe { A::dot_sparse(self.cols, self.codes, self.book, self.x) }
    }
}

struct DotSparseFull<'a> {
    codes: &'a [u8],
    table: &'a [f32; 256],
    x: &'a [f32],
}

impl Job for DotSparseFull<'_> {
    type Output = f32;
    #[inline(always)]
    fn define(self) -> f32 {
        looked_up_full(false, self.codes, self.table, self.x)
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> f32 {
        looked_up_full(<A::Wide as Vector>::FUSED, self.codes, self.table, self.x)
    }
}

struct DotSparseValues<'a> {
    cols: &'a [u32],
    values: &'a [f32],
    x: &'a [f32],
}

impl Job for DotSparseValues<'_> {
    type Output = f32;
    #[inline(always)]
    fn define(self) -> f32 {
        in_parts(false, self.cols, self.x, |i| self.values[i])
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> f32 {
        in_parts(<A::Wide as Vector>::FUSED, self.cols, self.x, |i| self.values[i])
    }
}

/// Made by [`dot_rows`], which has checked the lengths.
struct DotRows<'a> {
    values: &'a [f32],
    x: &'a [f32],
    y: &'a mut [f32],
}

/// Rows that share the loads of `x`.
const ROWS: usize = 4;
/// Vectors of sums of a row.
const SUMS: usize = 2;

impl Job for DotRows<'_> {
    type Output = ();

    fn define(self) {
        for (row, y) in self.y.iter_mut().enumerate() {
            let values = &self.values[row * self.x.len()..];
            *y = values.iter().zip(self.x).map(|(w, x)| w * x).sum();
        }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        let Self { values, x, y } = self;
        let whole = y.len() / ROWS * ROWS;
        let (some, rest) = y.split_at_mut(whole);
        // SAFETY: there are as many rows of values as elements of y, each as long as x.
        unsafe {
            for (row, y) in (0..).step_by(ROWS).zip(some.chunks_exact_mut(ROWS)) {
                dots::<A::Wide, ROWS>(values.as_ptr().add(row * x.len()), x, y);
            }
            for (row, y) in (whole..).zip(rest.chunks_exact_mut(1)) {
                dots::<A::Wide, 1>(values.as_ptr().add(row * x.len()), x, y);
            }
        }
    }
}

/// `R` rows, each with the same sums whatever `R`.
///
/// # Safety
/// The features of `L`; `R` rows as long as `x` at `values`.
#[inline(always)]
unsafe fn dots<L: Vector, const R: usize>(values: *const f32, x: &[f32], y: &mut [f32]) {
    let n = x.len();
    // SAFETY: every load ends where the row does, or is under a mask that does.
    unsafe {
        let x = x.as_ptr();
        let mut sums = [[L::splat(0.0); SUMS]; R];
        let mut i = 0;
        while i + SUMS * L::N <= n {
            for u in 0..SUMS {
                let at = i + u * L::N;
                let x = L::load(x.add(at));
                for r in 0..R {
                    sums[r][u] = x.mul_add(L::load(values.add(r * n + at)), sums[r][u]);
                }
            }
            i += SUMS * L::N;
        }
        while i < n {
            let mask = L::first((n - i).min(L::N));
            let x = L::load_masked(x.add(i), mask);
            for r in 0..R {
                sums[r][0] = x.mul_add(L::load_masked(values.add(r * n + i), mask), sums[r][0]);
            }
            i += L::N;
        }
        for r in 0..R {
            let mut lanes = [0f32; 16];
            sums[r][0].add(sums[r][1]).store(lanes.as_mut_ptr());
            let mut n = L::N;
            while n > 1 {
                n /= 2;
                for i in 0..n {
                    lanes[i] = match L::INTEGERS {
                        true => f32::from_bits(lanes[i].to_bits().wrapping_add(lanes[i + n].to_bits())),
                        false => lanes[i] + lanes[i + n],
                    };
                }
            }
            y[r] = lanes[0];
        }
    }
}

#[inline(always)]
pub(crate) fn dot_looked_up(codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let ((c, c_rest), (x, x_rest)) = (codes.as_chunks::<8>(), x.as_chunks::<8>());
    for (c, x) in c.iter().zip(x) {
        for ((sum, &c), x) in sums.iter_mut().zip(c).zip(x) {
            *sum += table[usize::from(c)] * x;
        }
    }
    let rest: f32 = c_rest.iter().zip(x_rest).map(|(&c, x)| table[usize::from(c)] * x).sum();
    rest + sums.iter().sum::<f32>()
}

#[inline(always)]
fn looked_up_full(fused: bool, codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 {
    let mut parts = [0f32; PARTS];
    for (codes, x) in codes.chunks(PARTS).zip(x.chunks(PARTS)) {
        for (part, (&code, &x)) in parts.iter_mut().zip(codes.iter().zip(x)) {
            *part = add_product(fused, x, table[usize::from(code)], *part);
        }
    }
    whole(parts)
}

#[inline(always)]
pub(crate) fn looked_up_sparse(
    fused: bool,
    cols: &[u32],
    codes: &[u8],
    table: &[f32; 256],
    x: &[f32],
) -> f32 {
    in_parts(fused, cols, x, |i| table[usize::from(codes[i])])
}

/// The sum of a row's products in [`PARTS`].
#[inline(always)]
fn in_parts(fused: bool, cols: &[u32], x: &[f32], weight: impl Fn(usize) -> f32) -> f32 {
    let mut parts = [0f32; PARTS];
    for (at, cols) in (0..).step_by(PARTS).zip(cols.chunks(PARTS)) {
        for (k, (part, &col)) in parts.iter_mut().zip(cols).enumerate() {
            *part = add_product(fused, x[col as usize], weight(at + k), *part);
        }
    }
    whole(parts)
}
