//! The sums of one slice with AVX2 and AVX-512.
#![expect(
    unsafe_code,
    reason = "indexed loads without bounds checks: columns were checked when the form was built"
)]

use super::{FILLER, LANES};
use crate::{Codebook, isa::Level, rows::PARTS};
use core::arch::x86_64::*;

/// Sixteen sums over codes below 32 or [`FILLER`]; the first `full` steps have no filler.
///
/// The caller vouches that every `idx` is below `x.len()`: `SlicedMatrix` checks columns when it is built and the
/// length of `x` before every call.
pub(super) fn sums_codes(
    level: Level,
    idx: &[u16],
    codes: &[u8],
    full: usize,
    book: &Codebook,
    x: &[f32],
) -> [f32; LANES] {
    debug_assert!(idx.iter().all(|&i| usize::from(i) < x.len()));
    assert!(codes.len() == idx.len() && idx.len().is_multiple_of(LANES) && full * LANES <= idx.len());
    match level {
        // SAFETY: the level proves the features; columns are below `x.len()`.
        Level::Avx512 => unsafe { codes_avx512(idx, codes, full, book, x) },
        // SAFETY: as above.
        _ => unsafe { codes_avx2(idx, codes, book, x) },
    }
}

/// As [`sums_codes`], over values; fillers are zero.
pub(super) fn sums_values(level: Level, idx: &[u16], values: &[f32], x: &[f32]) -> [f32; LANES] {
    debug_assert!(idx.iter().all(|&i| usize::from(i) < x.len()));
    assert!(values.len() == idx.len() && idx.len().is_multiple_of(LANES));
    match level {
        // SAFETY: the level proves the features; columns are below `x.len()`.
        Level::Avx512 => unsafe { values_avx512(idx, values, x) },
        // SAFETY: as above.
        _ => unsafe { values_avx2(idx, values, x) },
    }
}

/// `x` at the four columns at `idx`.
///
/// # Safety
/// Four readable columns, each a valid index at `x`; AVX.
#[inline(always)]
pub(crate) unsafe fn four(idx: *const u16, x: *const f32) -> __m128 {
    // SAFETY: promised by the caller. One load of eight bytes and shifts: loads are what this kernel runs out of.
    unsafe {
        let columns = idx.cast::<u64>().read_unaligned();
        let a = _mm_load_ss(x.add((columns & 0xffff) as usize));
        let b = _mm_load_ss(x.add((columns >> 16 & 0xffff) as usize));
        let c = _mm_load_ss(x.add((columns >> 32 & 0xffff) as usize));
        let d = _mm_load_ss(x.add((columns >> 48) as usize));
        _mm_insert_ps(_mm_insert_ps(_mm_insert_ps(a, b, 0x10), c, 0x20), d, 0x30)
    }
}

/// # Safety
/// Eight readable columns, each a valid index at `x`; AVX.
#[inline(always)]
unsafe fn eight(idx: *const u16, x: *const f32) -> __m256 {
    // SAFETY: promised by the caller.
    unsafe { _mm256_insertf128_ps(_mm256_castps128_ps256(four(idx, x)), four(idx.add(4), x), 1) }
}

/// # Safety
/// Sixteen readable columns, each a valid index at `x`; AVX-512 DQ.
#[inline(always)]
unsafe fn sixteen(idx: *const u16, x: *const f32) -> __m512 {
    // SAFETY: promised by the caller.
    unsafe { _mm512_insertf32x8(_mm512_castps256_ps512(eight(idx, x)), eight(idx.add(8), x), 1) }
}

/// Lanes of as many steps as there are parts.
const FOUR: usize = PARTS * LANES;

/// The parts of sixteen sums: the next product goes to the first, which then is the last.
#[derive(Clone, Copy)]
struct Parts(__m512, __m512, __m512, __m512);

impl Parts {
    /// # Safety
    /// AVX-512 F.
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: promised by the caller.
        let zero = unsafe { _mm512_setzero_ps() };
        Self(zero, zero, zero, zero)
    }

    /// # Safety
    /// AVX-512 F.
    #[inline(always)]
    unsafe fn add(self, x: __m512, weight: __m512) -> Self {
        // SAFETY: promised by the caller.
        Self(self.1, self.2, self.3, unsafe { _mm512_fmadd_ps(x, weight, self.0) })
    }

    /// The same where `kept`.
    ///
    /// # Safety
    /// AVX-512 F.
    #[inline(always)]
    unsafe fn add_kept(self, x: __m512, weight: __m512, kept: __mmask16) -> Self {
        // SAFETY: promised by the caller.
        Self(self.1, self.2, self.3, unsafe { _mm512_mask3_fmadd_ps(x, weight, self.0, kept) })
    }

    /// The sums after `n` products.
    ///
    /// # Safety
    /// AVX-512 F.
    #[inline(always)]
    unsafe fn whole(mut self, n: usize) -> __m512 {
        for _ in 0..n.wrapping_neg() % 4 {
            self = Self(self.1, self.2, self.3, self.0);
        }
        // SAFETY: promised by the caller.
        unsafe { _mm512_add_ps(_mm512_add_ps(self.0, self.1), _mm512_add_ps(self.2, self.3)) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn codes_avx512(idx: &[u16], codes: &[u8], full: usize, book: &Codebook, x: &[f32]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    // SAFETY: 32 values are in the table; `at + 16` stays within idx and codes, whose lengths the caller checked to
    // be equal multiples of 16; columns are valid.
    unsafe {
        let low = _mm512_loadu_ps(book.table().as_ptr());
        let high = _mm512_loadu_ps(book.table().as_ptr().add(16));
        let mut parts = Parts::zero();
        for at in (0..full * LANES).step_by(LANES) {
            let code = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().add(at).cast()));
            let weight = _mm512_permutex2var_ps(low, code, high);
            parts = parts.add(sixteen(idx.as_ptr().add(at), x.as_ptr()), weight);
        }
        for at in (full * LANES..idx.len()).step_by(LANES) {
            let code = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().add(at).cast()));
            let kept = _mm512_cmpneq_epu32_mask(code, _mm512_set1_epi32(i32::from(FILLER)));
            let weight = _mm512_permutex2var_ps(low, code, high);
            parts = parts.add_kept(sixteen(idx.as_ptr().add(at), x.as_ptr()), weight, kept);
        }
        _mm512_storeu_ps(out.as_mut_ptr(), parts.whole(idx.len() / LANES));
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn values_avx512(idx: &[u16], values: &[f32], x: &[f32]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    // SAFETY: as in `codes_avx512`.
    unsafe {
        let mut parts = Parts::zero();
        // Four at a time, after which the parts are where they were.
        for four in (0..idx.len() / FOUR * FOUR).step_by(FOUR) {
            for at in [four, four + LANES, four + 2 * LANES, four + 3 * LANES] {
                let weight = _mm512_loadu_ps(values.as_ptr().add(at));
                parts = parts.add(sixteen(idx.as_ptr().add(at), x.as_ptr()), weight);
            }
        }
        for at in (idx.len() / FOUR * FOUR..idx.len()).step_by(LANES) {
            let weight = _mm512_loadu_ps(values.as_ptr().add(at));
            parts = parts.add(sixteen(idx.as_ptr().add(at), x.as_ptr()), weight);
        }
        _mm512_storeu_ps(out.as_mut_ptr(), parts.whole(idx.len() / LANES));
    }
    out
}

/// Adds up the parts of sixteen sums.
///
/// # Safety
/// AVX.
#[inline(always)]
unsafe fn store_whole(parts: [[__m256; 2]; PARTS], out: &mut [f32; LANES]) {
    let [a, b, c, d] = parts;
    // SAFETY: promised by the caller; two times eight floats are there.
    unsafe {
        let low = _mm256_add_ps(_mm256_add_ps(a[0], b[0]), _mm256_add_ps(c[0], d[0]));
        let high = _mm256_add_ps(_mm256_add_ps(a[1], b[1]), _mm256_add_ps(c[1], d[1]));
        _mm256_storeu_ps(out.as_mut_ptr(), low);
        _mm256_storeu_ps(out.as_mut_ptr().add(8), high);
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn values_avx2(idx: &[u16], values: &[f32], x: &[f32]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    // SAFETY: as in `codes_avx512`.
    unsafe {
        let mut parts = [[_mm256_setzero_ps(); 2]; PARTS];
        for (step, at) in (0..idx.len()).step_by(LANES).enumerate() {
            let (i, v) = (idx.as_ptr().add(at), values.as_ptr().add(at));
            let [low, high] = &mut parts[step % PARTS];
            *low = _mm256_fmadd_ps(eight(i, x.as_ptr()), _mm256_loadu_ps(v), *low);
            *high = _mm256_fmadd_ps(eight(i.add(8), x.as_ptr()), _mm256_loadu_ps(v.add(8)), *high);
        }
        store_whole(parts, &mut out);
    }
    out
}

/// Eight values of codes below 32; a filler gives zero.
///
/// # Safety
/// Eight readable codes; AVX2.
#[inline(always)]
unsafe fn eight_values(codes: *const u8, table: [__m256; 4]) -> __m256 {
    // SAFETY: promised by the caller.
    unsafe {
        let code = _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.cast()));
        // Bits 3 and 4 of a code choose one of four tables of eight; blends look at the sign bit.
        let bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(code, 28));
        let bit4 = _mm256_castsi256_ps(_mm256_slli_epi32(code, 27));
        let pick = |t| _mm256_permutevar8x32_ps(t, code);
        let lower = _mm256_blendv_ps(pick(table[0]), pick(table[1]), bit3);
        let upper = _mm256_blendv_ps(pick(table[2]), pick(table[3]), bit3);
        let value = _mm256_blendv_ps(lower, upper, bit4);
        let filler = _mm256_cmpeq_epi32(code, _mm256_set1_epi32(i32::from(FILLER)));
        _mm256_andnot_ps(_mm256_castsi256_ps(filler), value)
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn codes_avx2(idx: &[u16], codes: &[u8], book: &Codebook, x: &[f32]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    // SAFETY: as in `codes_avx512`.
    unsafe {
        let part = |i: usize| _mm256_loadu_ps(book.table().as_ptr().add(8 * i));
        let table = [part(0), part(1), part(2), part(3)];
        let mut parts = [[_mm256_setzero_ps(); 2]; PARTS];
        for (step, at) in (0..idx.len()).step_by(LANES).enumerate() {
            let (i, c) = (idx.as_ptr().add(at), codes.as_ptr().add(at));
            let [low, high] = &mut parts[step % PARTS];
            *low = _mm256_fmadd_ps(eight(i, x.as_ptr()), eight_values(c, table), *low);
            *high = _mm256_fmadd_ps(eight(i.add(8), x.as_ptr()), eight_values(c.add(8), table), *high);
        }
        store_whole(parts, &mut out);
    }
    out
}
