//! Matrices with nothing pruned: a code, or a value, for every weight.
//!
//! ```text
//! codes 3 0 0 2 ...   one register holds 16 levels: one permute turns 16 codes into 16 weights
//! ```
//!
//! All levels stay in registers with AVX-512; otherwise they are looked up one by one.

use crate::{Codebook, Isa, isa::per_isa};

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
        crate::isa::Level::Avx512 => x86::dot_codes(codes, book, x),
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

per_isa! {
    /// `sum of weights[i] * x[cols[i]]`, for a row that was just decoded.
    ///
    /// Panics: if a column is not below the length of `x`, or there are not as many codes as columns.
    pub fn dot_sparse(cols: &[u32], codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 = dot_sparse_body;
}

per_isa! {
    /// As [`dot_sparse`], over values.
    pub fn dot_sparse_values(cols: &[u32], values: &[f32], x: &[f32]) -> f32 = dot_sparse_values_body;
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

#[inline(always)]
fn dot_sparse_body(cols: &[u32], codes: &[u8], table: &[f32; 256], x: &[f32]) -> f32 {
    assert_eq!(cols.len(), codes.len(), "columns and codes");
    let mut sums = [0f32; 4];
    let ((c, c_rest), (k, k_rest)) = (cols.as_chunks::<4>(), codes.as_chunks::<4>());
    for (c, k) in c.iter().zip(k) {
        for ((sum, &c), &k) in sums.iter_mut().zip(c).zip(k) {
            *sum += table[usize::from(k)] * x[c as usize];
        }
    }
    let rest: f32 = c_rest.iter().zip(k_rest).map(|(&c, &k)| table[usize::from(k)] * x[c as usize]).sum();
    rest + sums.iter().sum::<f32>()
}

#[inline(always)]
fn dot_sparse_values_body(cols: &[u32], values: &[f32], x: &[f32]) -> f32 {
    assert_eq!(cols.len(), values.len(), "columns and values");
    let mut sums = [0f32; 4];
    let ((c, c_rest), (v, v_rest)) = (cols.as_chunks::<4>(), values.as_chunks::<4>());
    for (c, v) in c.iter().zip(v) {
        for ((sum, &c), v) in sums.iter_mut().zip(c).zip(v) {
            *sum += v * x[c as usize];
        }
    }
    sums.iter().sum::<f32>() + c_rest.iter().zip(v_rest).map(|(&c, v)| v * x[c as usize]).sum::<f32>()
}
