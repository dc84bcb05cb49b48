//! Codebook lookup in registers, AVX-512.
#![expect(unsafe_code, reason = "vector loads through pointers; the lengths were compared by the caller")]

use crate::{
    Codebook,
    matrix::rows::{PARTS, whole as whole_of},
};
use core::arch::x86_64::*;

/// As [`Arch::dot_codes`](crate::arch::Arch::dot_codes).
///
/// # Safety
/// AVX-512 F, BW, DQ, VL; as many codes as `x`.
#[inline(always)]
pub(super) unsafe fn dot_codes(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    debug_assert!(codes.len() == x.len());
    // SAFETY: promised by the caller.
    unsafe {
        match book.n_levels() {
            _ if book.steps().is_some() => dot::<0>(codes, book, x),
            0..=16 => dot::<1>(codes, book, x),
            17..=32 => dot::<2>(codes, book, x),
            33..=64 => dot::<4>(codes, book, x),
            65..=128 => dot::<8>(codes, book, x),
            _ => dot::<16>(codes, book, x),
        }
    }
}

/// As [`Arch::dot_sparse`](crate::arch::Arch::dot_sparse).
///
/// # Safety
/// AVX-512 F, BW, DQ, VL; as many codes as columns.
#[inline(always)]
pub(super) unsafe fn dot_sparse(cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    debug_assert!(codes.len() == cols.len());
    // SAFETY: promised by the caller.
    let largest = unsafe { largest(cols) };
    assert!(cols.is_empty() || (largest as usize) < x.len(), "column {largest} of {}", x.len());
    // SAFETY: promised by the caller, and every column is below that of `x`.
    unsafe {
        match book.n_levels() {
            0..=16 => gathered::<1>(cols, codes, book, x),
            17..=32 => gathered::<2>(cols, codes, book, x),
            33..=64 => gathered::<4>(cols, codes, book, x),
            65..=128 => gathered::<8>(cols, codes, book, x),
            _ => gathered::<16>(cols, codes, book, x),
        }
    }
}

/// As [`Arch::look_up`](crate::arch::Arch::look_up).
///
/// # Safety
/// AVX-512 F, BW, DQ, VL; as many codes as elements.
#[inline(always)]
pub(super) unsafe fn look_up(codes: &[u8], book: &Codebook, to: &mut [f32]) {
    debug_assert!(codes.len() == to.len());
    // SAFETY: promised by the caller. One more code stands for pruned weights.
    unsafe {
        match book.n_levels() {
            _ if book.steps().is_some() => all::<0>(codes, book, to),
            0..=63 => all::<4>(codes, book, to),
            64..=127 => all::<8>(codes, book, to),
            _ => all::<16>(codes, book, to),
        }
    }
}

/// The levels of all codes, which are below `16 T`.
///
/// # Safety
/// As [`look_up`].
#[inline(always)]
unsafe fn all<const T: usize>(codes: &[u8], book: &Codebook, to: &mut [f32]) {
    let ((codes, codes_rest), (to, to_rest)) = (codes.as_chunks::<16>(), to.as_chunks_mut::<16>());
    // SAFETY: sixteen of each.
    unsafe {
        let levels = Levels::<T>::of(book);
        for (codes, to) in codes.iter().zip(to) {
            _mm512_storeu_ps(to.as_mut_ptr(), levels.of_codes(_mm_loadu_si128(codes.as_ptr().cast())));
        }
    }
    to_rest.iter_mut().zip(codes_rest).for_each(|(to, &code)| *to = book.value(code));
}

#[target_feature(enable = "avx512f")]
fn largest(cols: &[u32]) -> u32 {
    let (groups, rest) = cols.as_chunks::<16>();
    let mut all = _mm512_setzero_si512();
    for group in groups {
        // SAFETY: sixteen columns are there.
        all = _mm512_max_epu32(all, unsafe { _mm512_loadu_epi32(group.as_ptr().cast()) });
    }
    rest.iter().fold(_mm512_reduce_max_epu32(all), |max, &col| max.max(col))
}

/// `x` at four columns.
///
/// # Safety
/// Four readable columns, each a valid index at `x`; AVX.
#[inline(always)]
pub(super) unsafe fn four(cols: *const u32, x: *const f32) -> __m128 {
    // SAFETY: promised by the caller. Two loads of eight bytes: loads are what this kernel runs out of.
    unsafe {
        let (low, high) = (cols.cast::<u64>().read_unaligned(), cols.add(2).cast::<u64>().read_unaligned());
        let a = _mm_load_ss(x.add(low as u32 as usize));
        let b = _mm_load_ss(x.add((low >> 32) as usize));
        let c = _mm_load_ss(x.add(high as u32 as usize));
        let d = _mm_load_ss(x.add((high >> 32) as usize));
        _mm_insert_ps(_mm_insert_ps(_mm_insert_ps(a, b, 0x10), c, 0x20), d, 0x30)
    }
}

/// The first `16 T` levels, in registers; with `T` = 0, the steps of which codes are numbers.
struct Levels<const T: usize> {
    table: [__m512; T],
    size: __m512,
    least: __m512i,
}

impl<const T: usize> Levels<T> {
    /// # Safety
    /// AVX-512 F.
    #[inline(always)]
    unsafe fn of(book: &Codebook) -> Self {
        // SAFETY: the table has 256 entries.
        unsafe {
            let mut table = [_mm512_setzero_ps(); T];
            for (i, part) in table.iter_mut().enumerate() {
                *part = _mm512_loadu_ps(book.table().as_ptr().add(16 * i));
            }
            let (size, least) = book.steps().map_or((0.0, 0), |steps| (steps.size, steps.least));
            Self { table, size: _mm512_set1_ps(size), least: _mm512_set1_epi32(least) }
        }
    }

    /// The levels of sixteen codes.
    ///
    /// # Safety
    /// AVX-512 F.
    #[inline(always)]
    unsafe fn of_codes(&self, codes: __m128i) -> __m512 {
        // SAFETY: passed on.
        unsafe {
            match T {
                0 => {
                    let steps = _mm512_add_epi32(_mm512_cvtepu8_epi32(codes), self.least);
                    _mm512_mul_ps(_mm512_cvtepi32_ps(steps), self.size)
                }
                _ => weights(&self.table, _mm512_cvtepu8_epi32(codes)),
            }
        }
    }
}

/// The levels of sixteen codes, from the table.
///
/// # Safety
/// AVX-512 F.
#[inline(always)]
unsafe fn weights<const T: usize>(table: &[__m512; T], code: __m512i) -> __m512 {
    // SAFETY: promised by the caller.
    unsafe {
        match T {
            1 => _mm512_permutexvar_ps(code, table[0]),
            2 => _mm512_permutex2var_ps(table[0], code, table[1]),
            _ => {
                // The low five bits select within each pair of registers, the others between pairs.
                let mut found = [_mm512_setzero_ps(); T];
                for i in 0..T / 2 {
                    found[i] = _mm512_permutex2var_ps(table[2 * i], code, table[2 * i + 1]);
                }
                let (mut n, mut bit) = (T / 2, 32);
                while n > 1 {
                    let upper = _mm512_test_epi32_mask(code, _mm512_set1_epi32(bit));
                    for i in 0..n / 2 {
                        found[i] = _mm512_mask_blend_ps(upper, found[2 * i], found[2 * i + 1]);
                    }
                    (n, bit) = (n / 2, bit * 2);
                }
                found[0]
            }
        }
    }
}

/// # Safety
/// As many codes as columns, each column a valid index at `x`; AVX-512 F, BW, DQ, VL.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn gathered<const T: usize>(cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    // SAFETY: `i + 16` is at most the length, the rest is under a mask: column 0 is there if any is.
    unsafe {
        let Levels { table, .. } = Levels::<T>::of(book);
        let x = x.as_ptr();
        let mut parts = _mm_setzero_ps();
        let whole = cols.len() / 16 * 16;
        for i in (0..whole).step_by(16) {
            let code = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().add(i).cast()));
            let weight = weights(&table, code);
            let col = cols.as_ptr().add(i);
            parts = _mm_fmadd_ps(four(col, x), _mm512_castps512_ps128(weight), parts);
            parts = _mm_fmadd_ps(four(col.add(4), x), _mm512_extractf32x4_ps::<1>(weight), parts);
            parts = _mm_fmadd_ps(four(col.add(8), x), _mm512_extractf32x4_ps::<2>(weight), parts);
            parts = _mm_fmadd_ps(four(col.add(12), x), _mm512_extractf32x4_ps::<3>(weight), parts);
        }
        let n = cols.len() - whole;
        if n > 0 {
            let (mut last, mut values) = ([0u32; 16], [0f32; 16]);
            last[..n].copy_from_slice(&cols[whole..]);
            let mask: __mmask16 = 0xffff >> (16 - n);
            let code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, codes.as_ptr().add(whole).cast()));
            _mm512_storeu_ps(values.as_mut_ptr(), weights(&table, code));
            for i in (0..n).step_by(4) {
                let weight = _mm_loadu_ps(values.as_ptr().add(i));
                let mask = (mask >> i) as u8 & 15;
                parts = _mm_mask3_fmadd_ps(four(last.as_ptr().add(i), x), weight, parts, mask);
            }
        }
        let mut out = [0.0; PARTS];
        _mm_storeu_ps(out.as_mut_ptr(), parts);
        whole_of(out)
    }
}

/// # Safety
/// As many codes as `x`; AVX-512 F, BW, DQ, VL.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn dot<const T: usize>(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    // SAFETY: the table has 256 entries; `i + 16` is at most the length, the rest is under a mask.
    unsafe {
        let levels = Levels::<T>::of(book);
        let mut acc = [_mm512_setzero_ps(); 4];
        let mut i = 0;
        while i + 64 <= codes.len() {
            for (u, acc) in acc.iter_mut().enumerate() {
                let at = i + 16 * u;
                let weights = levels.of_codes(_mm_loadu_si128(codes.as_ptr().add(at).cast()));
                *acc = _mm512_fmadd_ps(weights, _mm512_loadu_ps(x.as_ptr().add(at)), *acc);
            }
            i += 64;
        }
        while i < codes.len() {
            let mask: __mmask16 = 0xffff >> (16 - (codes.len() - i).min(16));
            let weights = levels.of_codes(_mm_maskz_loadu_epi8(mask, codes.as_ptr().add(i).cast()));
            let x = _mm512_maskz_loadu_ps(mask, x.as_ptr().add(i));
            acc[0] = _mm512_mask3_fmadd_ps(weights, x, acc[0], mask);
            i += 16;
        }
        _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(acc[0], acc[1]), _mm512_add_ps(acc[2], acc[3])))
    }
}
