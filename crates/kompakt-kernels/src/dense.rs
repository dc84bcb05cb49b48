//! Rows as they come: a code, or a value, for every weight, or for every kept one beside its column.
//!
//! ```text
//! codes 3 0 0 2 ...   one register holds 16 levels: one permute turns 16 codes into 16 weights
//! ```
//!
//! All levels stay in registers with AVX-512; otherwise they are looked up one by one.

use crate::{
    Codebook, Isa,
    isa::{Level, per_isa},
    rows::{PARTS, add_product, whole},
};

#[cfg(target_arch = "x86_64")]
#[path = "dense_x86.rs"]
mod x86;

/// `sum of book[codes[i]] * x[i]`.
///
/// Shapes: `codes` `[n]`, `x` `[n]`. Panics: if they differ.
pub fn dot_codes(isa: Isa, codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    assert_eq!(codes.len(), x.len(), "codes and x");
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => x86::dot_codes(codes, book, x),
        _ => dot_looked_up(isa, codes, book.table(), x),
    }
}

per_isa! {
    /// `sum of values[i] * x[i]`. Panics: if the lengths differ.
    pub fn dot(values: &[f32], x: &[f32]) -> f32 = dot_body;
}

per_isa! {
    fn dot_looked_up(codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 = dot_looked_up_body;
}

/// `sum of book[codes[i]] * x[cols[i]]`, for a row that was just unpacked: weights that stay in a file.
///
/// Panics: if a column is not below the length of `x`, or there are not as many codes as columns.
pub fn dot_sparse(isa: Isa, cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    assert_eq!(cols.len(), codes.len(), "columns and codes");
    match isa.level() {
        Level::Scalar => dot_sparse_body::<false>(cols, codes, book.table(), x),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => dot_sparse_fused(isa, cols, codes, book.table(), x),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => x86::dot_sparse(cols, codes, book, x),
    }
}

/// As [`dot_sparse`], for a row among those that keeps every column.
///
/// Panics: if `x` is shorter than the row.
pub fn dot_sparse_full(isa: Isa, codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    let x = &x[..codes.len()];
    match isa.level() {
        Level::Scalar => full_body::<false>(codes, book.table(), x),
        #[cfg(target_arch = "x86_64")]
        _ => full_fused(isa, codes, book.table(), x),
    }
}

/// As [`dot_sparse`], over values.
pub fn dot_sparse_values(isa: Isa, cols: &[u32], values: &[f32], x: &[f32]) -> f32 {
    assert_eq!(cols.len(), values.len(), "columns and values");
    match isa.level() {
        Level::Scalar => dot_sparse_values_body::<false>(cols, values, x),
        #[cfg(target_arch = "x86_64")]
        _ => dot_sparse_values_fused(isa, cols, values, x),
    }
}

#[cfg(target_arch = "x86_64")]
per_isa! {
    fn dot_sparse_fused(cols: &[u32], codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 =
        dot_sparse_body::<true>;
}

#[cfg(target_arch = "x86_64")]
per_isa! {
    fn dot_sparse_values_fused(cols: &[u32], values: &[f32], x: &[f32]) -> f32 = dot_sparse_values_body::<true>;
}

#[inline(always)]
fn dot_body(values: &[f32], x: &[f32]) -> f32 {
    assert_eq!(values.len(), x.len(), "values and x");
    let mut sums = [0f32; 64];
    let ((a, a_rest), (b, b_rest)) = (values.as_chunks::<64>(), x.as_chunks::<64>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>() + sums.iter().sum::<f32>()
}

#[inline(always)]
fn dot_looked_up_body(codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 {
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

#[cfg(target_arch = "x86_64")]
per_isa! { fn full_fused(codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 = full_body::<true>; }

#[inline(always)]
fn full_body<const FUSED: bool>(codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 {
    let mut parts = [0f32; PARTS];
    for (codes, x) in codes.chunks(PARTS).zip(x.chunks(PARTS)) {
        for (part, (&code, &x)) in parts.iter_mut().zip(codes.iter().zip(x)) {
            let weight = table[usize::from(code)];
            *part = add_product::<FUSED>(x, weight, *part);
        }
    }
    whole(parts)
}

#[inline(always)]
fn dot_sparse_body<const FUSED: bool>(cols: &[u32], codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 {
    in_parts::<FUSED>(cols, x, |i| table[usize::from(codes[i])])
}

#[inline(always)]
fn dot_sparse_values_body<const FUSED: bool>(cols: &[u32], values: &[f32], x: &[f32]) -> f32 {
    in_parts::<FUSED>(cols, x, |i| values[i])
}

/// The sum of a row's products in [`PARTS`].
#[inline(always)]
fn in_parts<const FUSED: bool>(cols: &[u32], x: &[f32], weight: impl Fn(usize) -> f32) -> f32 {
    let mut parts = [0f32; PARTS];
    for (at, cols) in (0..).step_by(PARTS).zip(cols.chunks(PARTS)) {
        for (k, (part, &col)) in parts.iter_mut().zip(cols).enumerate() {
            let (x, weight) = (x[col as usize], weight(at + k));
            *part = add_product::<FUSED>(x, weight, *part);
        }
    }
    whole(parts)
}
