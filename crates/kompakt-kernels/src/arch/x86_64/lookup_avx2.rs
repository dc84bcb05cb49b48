//! Codebook lookup and sparse rows on AVX2: levels in registers where there are at most 32, else in memory.
#![expect(unsafe_code, reason = "vector loads through pointers; the lengths were compared by the caller")]

use super::{lookup::four, vectors::look_up_8};
use crate::{
    Codebook,
    matrix::rows::{PARTS, add_product, whole as whole_of},
};
use core::arch::x86_64::*;

/// As [`Arch::dot_codes`](crate::arch::Arch::dot_codes).
///
/// # Safety
/// AVX2 and FMA; as many codes as `x`.
#[inline(always)]
pub(super) unsafe fn dot_codes(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    debug_assert!(codes.len() == x.len());
    // SAFETY: promised by the caller.
    unsafe {
        match book.n_levels() {
            _ if book.steps().is_some() => dot::<0>(codes, book, x),
            0..=16 => dot::<16>(codes, book, x),
            17..=32 => dot::<32>(codes, book, x),
            _ => dot::<256>(codes, book, x),
        }
    }
}

/// As [`Arch::dot_sparse`](crate::arch::Arch::dot_sparse).
///
/// # Safety
/// AVX2 and FMA; as many codes as columns.
#[inline(always)]
pub(super) unsafe fn dot_sparse(cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    debug_assert!(codes.len() == cols.len());
    // SAFETY: promised by the caller.
    let largest = unsafe { largest(cols) };
    assert!(cols.is_empty() || (largest as usize) < x.len(), "column {largest} of {}", x.len());
    // SAFETY: promised by the caller, and every column is below that of `x`.
    unsafe {
        match book.n_levels() {
            0..=16 => gathered::<16>(cols, codes, book, x),
            17..=32 => gathered::<32>(cols, codes, book, x),
            _ => gathered::<256>(cols, codes, book, x),
        }
    }
}

/// As [`Arch::look_up`](crate::arch::Arch::look_up).
///
/// # Safety
/// AVX2 and FMA; as many codes as elements.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn look_up(codes: &[u8], book: &Codebook, to: &mut [f32]) {
    let (eights, rest) = if book.steps().is_some() { codes.as_chunks::<8>() } else { (&[][..], codes) };
    let (to, to_rest) = to.split_at_mut(8 * eights.len());
    // SAFETY: eight of each.
    unsafe {
        let levels = Levels::of(book);
        for (codes, to) in eights.iter().zip(to.as_chunks_mut::<8>().0) {
            _mm256_storeu_ps(to.as_mut_ptr(), levels.eight::<0>(codes.as_ptr()));
        }
    }
    to_rest.iter_mut().zip(rest).for_each(|(to, &code)| *to = book.value(code));
}

/// As [`Arch::nonzero`](crate::arch::Arch::nonzero), eight at a time.
///
/// # Safety
/// AVX2 and POPCNT; `active` holds 16 more than `x`.
#[target_feature(enable = "avx2,fma,popcnt")]
pub(super) fn nonzero(x: &[f32], active: &mut [u32]) -> usize {
    let (blocks, rest) = x.as_chunks::<8>();
    let mut n = 0;
    let mut lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for values in blocks {
        let place = &mut active[n..n + 8];
        // SAFETY: `values` are eight floats, a row of the table eight bytes, `place` eight u32.
        let mask = unsafe {
            let values = _mm256_loadu_ps(values.as_ptr());
            let mask = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(values, _mm256_setzero_ps())) as u8;
            let order = _mm256_cvtepu8_epi32(_mm_loadl_epi64(TOGETHER[usize::from(mask)].as_ptr().cast()));
            let index = _mm256_permutevar8x32_epi32(lanes, order);
            _mm256_storeu_si256(place.as_mut_ptr().cast(), index);
            mask
        };
        n += mask.count_ones() as usize;
        lanes = _mm256_add_epi32(lanes, _mm256_set1_epi32(8));
    }
    for (i, &value) in rest.iter().enumerate() {
        active[n] = (blocks.len() * 8 + i) as u32;
        n += usize::from(value != 0.0);
    }
    n
}

/// For each mask of 8 lanes, those that are set, the lowest first.
static TOGETHER: [[u8; 8]; 256] = together();

const fn together() -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut n) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][n] = lane as u8;
                n += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
}

#[target_feature(enable = "avx2")]
fn largest(cols: &[u32]) -> u32 {
    let (groups, rest) = cols.as_chunks::<8>();
    let mut all = _mm256_setzero_si256();
    for group in groups {
        // SAFETY: eight columns are there.
        all = _mm256_max_epu32(all, unsafe { _mm256_loadu_si256(group.as_ptr().cast()) });
    }
    let mut lanes = [0u32; 8];
    // SAFETY: eight numbers are there.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), all) };
    lanes.iter().chain(rest).fold(0, |max, &col| max.max(col))
}

/// The first 32 levels, in registers, and all of them; and the steps, where codes are numbers of them.
#[derive(Clone, Copy)]
struct Levels<'a> {
    first: [__m256; 4],
    all: &'a [f32; 256],
    size: __m256,
    least: __m256i,
}

impl<'a> Levels<'a> {
    /// # Safety
    /// AVX2.
    #[inline(always)]
    unsafe fn of(book: &'a Codebook) -> Self {
        let all = book.table();
        // SAFETY: 32 floats are in the table.
        let first = [0, 1, 2, 3].map(|i| unsafe { _mm256_loadu_ps(all.as_ptr().add(8 * i)) });
        let (size, least) = book.steps().map_or((0.0, 0), |steps| (steps.size, steps.least));
        // SAFETY: promised by the caller.
        let (size, least) = unsafe { (_mm256_set1_ps(size), _mm256_set1_epi32(least)) };
        Self { first, all, size, least }
    }

    /// The levels of eight codes, which are below `N`; with `N` = 0, numbers of steps.
    ///
    /// # Safety
    /// Eight readable codes; AVX2.
    #[inline(always)]
    unsafe fn eight<const N: usize>(self, codes: *const u8) -> __m256 {
        // SAFETY: promised by the caller; a byte is an index of 256 levels.
        unsafe {
            match N {
                0 => {
                    let steps =
                        _mm256_add_epi32(_mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.cast())), self.least);
                    _mm256_mul_ps(_mm256_cvtepi32_ps(steps), self.size)
                }
                16 => {
                    let code = _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.cast()));
                    let pick = |t| _mm256_permutevar8x32_ps(t, code);
                    let bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(code, 28));
                    _mm256_blendv_ps(pick(self.first[0]), pick(self.first[1]), bit3)
                }
                32 => look_up_8::<false>(codes, self.first),
                _ => {
                    let codes = codes.cast::<u64>().read_unaligned();
                    let level =
                        |i: u32| _mm_load_ss(self.all.as_ptr().add((codes >> (8 * i)) as u8 as usize));
                    let half = |i: u32| {
                        let low = _mm_insert_ps(level(i), level(i + 1), 0x10);
                        _mm_insert_ps(_mm_insert_ps(low, level(i + 2), 0x20), level(i + 3), 0x30)
                    };
                    _mm256_insertf128_ps(_mm256_castps128_ps256(half(0)), half(4), 1)
                }
            }
        }
    }
}

/// # Safety
/// As many codes as columns, each column a valid index at `x`; AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn gathered<const N: usize>(cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    let whole = cols.len() / 8 * 8;
    let mut out = [0.0; PARTS];
    // SAFETY: `i + 8` is at most the length.
    unsafe {
        let levels = Levels::of(book);
        let mut parts = _mm_setzero_ps();
        for i in (0..whole).step_by(8) {
            let weight = levels.eight::<N>(codes.as_ptr().add(i));
            let col = cols.as_ptr().add(i);
            parts = _mm_fmadd_ps(four(col, x.as_ptr()), _mm256_castps256_ps128(weight), parts);
            parts = _mm_fmadd_ps(four(col.add(4), x.as_ptr()), _mm256_extractf128_ps(weight, 1), parts);
        }
        _mm_storeu_ps(out.as_mut_ptr(), parts);
    }
    for (i, (&col, &code)) in cols[whole..].iter().zip(&codes[whole..]).enumerate() {
        let part = &mut out[i % PARTS];
        *part = add_product(true, x[col as usize], book.value(code), *part);
    }
    whole_of(out)
}

/// # Safety
/// As many codes as `x`; AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn dot<const N: usize>(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
    let mut lanes = [0f32; 8];
    let whole = codes.len() / 8 * 8;
    // SAFETY: `i + 32` and `i + 8` are at most the length.
    unsafe {
        let levels = Levels::of(book);
        let mut sums = [_mm256_setzero_ps(); 4];
        let mut i = 0;
        while i + 32 <= whole {
            for (u, sum) in sums.iter_mut().enumerate() {
                let at = i + 8 * u;
                let weights = levels.eight::<N>(codes.as_ptr().add(at));
                *sum = _mm256_fmadd_ps(weights, _mm256_loadu_ps(x.as_ptr().add(at)), *sum);
            }
            i += 32;
        }
        while i < whole {
            let weights = levels.eight::<N>(codes.as_ptr().add(i));
            sums[0] = _mm256_fmadd_ps(weights, _mm256_loadu_ps(x.as_ptr().add(i)), sums[0]);
            i += 8;
        }
        let [a, b, c, d] = sums;
        _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
    }
    let rest = codes[whole..].iter().zip(&x[whole..]);
    let rest = rest.fold(0.0, |sum, (&code, &x)| add_product(true, book.value(code), x, sum));
    rest + lanes.iter().sum::<f32>()
}
