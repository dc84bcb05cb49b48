//! Transposes rows to lanes with 512-bit vectors: all sixteen lanes are filled together.
#![expect(unsafe_code, reason = "loads and stores of vectors; sixteen bounds checks cost more than they do")]

use crate::conv::{fill::check_spread, grid::LANES};
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
            // Each quarter is four rows of four elements, to be transposed.
            let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let to = out.as_mut_ptr().add(t * LANES);
            _mm512_storeu_ps(to, _mm512_shuffle_ps::<0x44>(ab_low, cd_low));
            _mm512_storeu_ps(to.add(LANES), _mm512_shuffle_ps::<0xee>(ab_low, cd_low));
            _mm512_storeu_ps(to.add(2 * LANES), _mm512_shuffle_ps::<0x44>(ab_high, cd_high));
            _mm512_storeu_ps(to.add(3 * LANES), _mm512_shuffle_ps::<0xee>(ab_high, cd_high));
        }
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
