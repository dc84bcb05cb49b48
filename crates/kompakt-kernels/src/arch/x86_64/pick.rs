//! Elements of a vector that are picked from registers, AVX-512: see `matrix/paged.rs`.
#![expect(unsafe_code, reason = "vector loads through pointers; the lengths were compared by the caller")]

use crate::{Codebook, matrix::sliced::LANES};
use core::arch::x86_64::*;

/// As [`Arch::pick`](crate::arch::Arch::pick).
///
/// # Safety
/// AVX-512 F, BW, DQ, VL; 31 elements of `x` from each start on, as many words and bytes as starts.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn pick(
    starts: &[u16],
    words: &[[u32; LANES]],
    bytes: &[[u8; LANES]],
    book: &Codebook,
    x: &[f32],
) -> [f32; LANES] {
    // SAFETY: promised by the caller; a codebook has 256 levels.
    unsafe {
        let levels = book.table().as_ptr();
        let (low, high) = (_mm512_loadu_ps(levels), _mm512_loadu_ps(levels.add(16)));
        let mut parts = [_mm512_setzero_ps(); 4];
        for ((&start, words), bytes) in starts.iter().zip(words).zip(bytes) {
            let page = x.as_ptr().add(usize::from(start));
            let (left, right) = (_mm512_loadu_ps(page), _mm512_maskz_loadu_ps(0x7fff, page.add(16)));
            let word = _mm512_loadu_epi32(words.as_ptr().cast());
            let byte = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()));
            // A permutation reads the lowest five bits of each lane.
            let places = [
                word,
                _mm512_srli_epi32::<5>(word),
                _mm512_srli_epi32::<10>(word),
                _mm512_srli_epi32::<15>(word),
            ];
            // a & b | c
            let top = _mm512_ternarylogic_epi32::<0xea>(
                _mm512_srli_epi32::<27>(word),
                _mm512_set1_epi32(0x18),
                _mm512_srli_epi32::<5>(byte),
            );
            let codes = [_mm512_srli_epi32::<20>(word), _mm512_srli_epi32::<25>(word), byte, top];
            for ((part, place), code) in parts.iter_mut().zip(places).zip(codes) {
                let x = _mm512_permutex2var_ps(left, place, right);
                let weight = _mm512_permutex2var_ps(low, code, high);
                *part = _mm512_fmadd_ps(x, weight, *part);
            }
        }
        let [a, b, c, d] = parts;
        let mut sums = [0.0; LANES];
        _mm512_storeu_ps(sums.as_mut_ptr(), _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
        sums
    }
}
