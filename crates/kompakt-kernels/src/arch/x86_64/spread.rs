//! Transposes rows to lanes and back: with 512-bit vectors all sixteen lanes together, with 256-bit vectors eight.
#![expect(unsafe_code, reason = "loads and stores of vectors; sixteen bounds checks cost more than they do")]

use crate::conv::{
    fill::{check_collect, check_spread},
    grid::LANES,
};
use core::arch::x86_64::*;

/// As [`Arch::spread`](crate::arch::Arch::spread).
///
/// # Safety
/// AVX-512 F, DQ.
#[inline(always)]
pub(super) unsafe fn sixteen(
    rows: &[f32],
    fours: [usize; LANES / 4],
    step: usize,
    n: usize,
    out: &mut [f32],
) {
    let n = n.next_multiple_of(4);
    check_spread(rows, fours, step, n, out);
    for t in (0..n).step_by(4) {
        // SAFETY: `check_spread` compared the last of the elements with both lengths.
        unsafe {
            let from = rows.as_ptr().add(t);
            let a = four(from, fours);
            let b = four(from.add(step), fours);
            let c = four(from.add(2 * step), fours);
            let d = four(from.add(3 * step), fours);
            let to = out.as_mut_ptr().add(t * LANES);
            for (i, v) in transpose_quarters([a, b, c, d]).into_iter().enumerate() {
                _mm512_storeu_ps(to.add(i * LANES), v);
            }
        }
    }
}

/// As [`Arch::collect`](crate::arch::Arch::collect).
///
/// # Safety
/// AVX-512 F, DQ.
#[inline(always)]
pub(super) unsafe fn collect_sixteen(sums: &[f32], n: usize, fours: [usize; LANES / 4], y: &mut [f32]) {
    check_collect(sums, n, fours, y);
    let mut t = 0;
    loop {
        // SAFETY: `check_collect` compared the last of the elements with both lengths.
        unsafe {
            let from = sums.as_ptr().add(t * LANES);
            let v = [0, 1, 2, 3].map(|i| _mm512_loadu_ps(from.add(i * LANES)));
            let lanes = transpose_quarters(v);
            let y = y.as_mut_ptr().add(t);
            // Quarter by quarter: what is written past a lane's end is overwritten by the next lane.
            store_quarters::<0>(lanes, y.add(fours[0]), n);
            store_quarters::<1>(lanes, y.add(fours[1]), n);
            store_quarters::<2>(lanes, y.add(fours[2]), n);
            store_quarters::<3>(lanes, y.add(fours[3]), n);
        }
        if t + 4 >= n {
            break;
        }
        // The last four start earlier rather than end later: the elements after them are already written.
        t = (t + 4).min(n - 4);
    }
}

/// As [`Arch::spread`](crate::arch::Arch::spread).
///
/// # Safety
/// AVX.
#[inline(always)]
pub(super) unsafe fn eights(rows: &[f32], fours: [usize; LANES / 4], step: usize, n: usize, out: &mut [f32]) {
    let n = n.next_multiple_of(4);
    check_spread(rows, fours, step, n, out);
    for (half, fours) in fours.as_chunks::<2>().0.iter().enumerate() {
        for t in (0..n).step_by(4) {
            // SAFETY: `check_spread` compared the last of the elements with both lengths.
            unsafe {
                let from = rows.as_ptr().add(t);
                let v = [0, 1, 2, 3].map(|i| {
                    let low = _mm256_castps128_ps256(_mm_loadu_ps(from.add(fours[0] + i * step)));
                    _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(from.add(fours[1] + i * step)))
                });
                let to = out.as_mut_ptr().add(t * LANES + half * LANES / 2);
                for (i, v) in transpose_halves(v).into_iter().enumerate() {
                    _mm256_storeu_ps(to.add(i * LANES), v);
                }
            }
        }
    }
}

/// As [`Arch::collect`](crate::arch::Arch::collect).
///
/// # Safety
/// AVX.
#[inline(always)]
pub(super) unsafe fn collect_eights(sums: &[f32], n: usize, fours: [usize; LANES / 4], y: &mut [f32]) {
    check_collect(sums, n, fours, y);
    for (half, fours) in fours.as_chunks::<2>().0.iter().enumerate() {
        let mut t = 0;
        loop {
            // SAFETY: `check_collect` compared the last of the elements with both lengths.
            unsafe {
                let from = sums.as_ptr().add(t * LANES + half * LANES / 2);
                let lanes = transpose_halves([0, 1, 2, 3].map(|i| _mm256_loadu_ps(from.add(i * LANES))));
                let y = y.as_mut_ptr().add(t);
                // The first half before the second: as above.
                for (i, lane) in lanes.into_iter().enumerate() {
                    _mm_storeu_ps(y.add(fours[0] + i * n), _mm256_castps256_ps128(lane));
                }
                for (i, lane) in lanes.into_iter().enumerate() {
                    _mm_storeu_ps(y.add(fours[1] + i * n), _mm256_extractf128_ps::<1>(lane));
                }
            }
            if t + 4 >= n {
                break;
            }
            t = (t + 4).min(n - 4);
        }
    }
}

/// Each half is four rows of four elements, which are transposed.
///
/// # Safety
/// AVX.
#[inline(always)]
unsafe fn transpose_halves([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    // SAFETY: promised by the caller.
    unsafe {
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(ab_low, cd_low),
            _mm256_shuffle_ps::<0xee>(ab_low, cd_low),
            _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    }
}

/// Quarter `I` of each vector, `step` floats apart.
///
/// # Safety
/// AVX-512 F, DQ; four floats at each place.
#[inline(always)]
unsafe fn store_quarters<const I: i32>(lanes: [__m512; 4], y: *mut f32, step: usize) {
    for (q, lane) in lanes.into_iter().enumerate() {
        // SAFETY: promised by the caller.
        unsafe { _mm_storeu_ps(y.add(q * step), _mm512_extractf32x4_ps::<I>(lane)) }
    }
}

/// Each quarter is four rows of four elements, which are transposed.
///
/// # Safety
/// AVX-512 F.
#[inline(always)]
unsafe fn transpose_quarters([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
    // SAFETY: promised by the caller.
    unsafe {
        let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        [
            _mm512_shuffle_ps::<0x44>(ab_low, cd_low),
            _mm512_shuffle_ps::<0xee>(ab_low, cd_low),
            _mm512_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm512_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    }
}

/// Four elements from each of four places.
///
/// # Safety
/// AVX-512; four floats at each place.
#[inline(always)]
unsafe fn four(x: *const f32, at: [usize; 4]) -> __m512 {
    // SAFETY: promised by the caller.
    unsafe {
        let v = _mm512_castps128_ps512(_mm_loadu_ps(x.add(at[0])));
        let v = _mm512_insertf32x4::<1>(v, _mm_loadu_ps(x.add(at[1])));
        let v = _mm512_insertf32x4::<2>(v, _mm_loadu_ps(x.add(at[2])));
        _mm512_insertf32x4::<3>(v, _mm_loadu_ps(x.add(at[3])))
    }
}
