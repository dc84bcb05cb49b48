//! Codes to weights in registers, AVX-512.
#![expect(unsafe_code, reason = "vector loads through pointers; the lengths were compared by the caller")]

use crate::Codebook;
use core::arch::x86_64::*;

/// As `dense::dot_codes`. The caller has an AVX-512 `Isa` and has compared the lengths.
pub(super) fn dot_codes(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    debug_assert!(codes.len() == x.len());
    // SAFETY: only reached at that level; lengths are equal.
    unsafe {
        match book.n_levels() {
            0..=16 => dot::<1>(codes, book, x),
            17..=32 => dot::<2>(codes, book, x),
            33..=64 => dot::<4>(codes, book, x),
            65..=128 => dot::<8>(codes, book, x),
            _ => dot::<16>(codes, book, x),
        }
    }
}

/// # Safety
/// As many codes as `x`; AVX-512 F, BW, DQ, VL.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn dot<const T: usize>(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    // SAFETY: the table has 256 entries; `i + 16` is at most the length, the rest is under a mask.
    unsafe {
        let mut table = [_mm512_setzero_ps(); T];
        for (i, part) in table.iter_mut().enumerate() {
            *part = _mm512_loadu_ps(book.table().as_ptr().add(16 * i));
        }
        let weights = |code: __m512i| match T {
            1 => _mm512_permutexvar_ps(code, table[0]),
            2 => _mm512_permutex2var_ps(table[0], code, table[1]),
            _ => {
                // The low five bits choose in each pair of registers, the others between pairs.
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
        };
        let mut acc = [_mm512_setzero_ps(); 4];
        let mut i = 0;
        while i + 64 <= codes.len() {
            for (u, acc) in acc.iter_mut().enumerate() {
                let at = i + 16 * u;
                let code = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().add(at).cast()));
                *acc = _mm512_fmadd_ps(weights(code), _mm512_loadu_ps(x.as_ptr().add(at)), *acc);
            }
            i += 64;
        }
        while i < codes.len() {
            let mask: __mmask16 = 0xffff >> (16 - (codes.len() - i).min(16));
            let code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, codes.as_ptr().add(i).cast()));
            let x = _mm512_maskz_loadu_ps(mask, x.as_ptr().add(i));
            acc[0] = _mm512_mask3_fmadd_ps(weights(code), x, acc[0], mask);
            i += 16;
        }
        _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(acc[0], acc[1]), _mm512_add_ps(acc[2], acc[3])))
    }
}
