//! AVX2 and AVX-512.
#![expect(unsafe_code, reason = "functions for certain features call generic ones that promise nothing")]

mod integers;
mod lookup;
mod lookup_avx2;
mod pick;
mod spread;
mod vectors;

pub(crate) use integers::{Avx2Pairs, Avx512Vnni, AvxVnni};

use super::Arch;
use crate::{Codebook, Costs, conv::grid::LANES, isa::Job};
use core::arch::x86_64::*;

/// 256-bit vectors with fused multiply-add; sixteen registers.
pub(crate) struct Avx2;

/// 512-bit vectors with masks; thirty-two registers.
pub(crate) struct Avx512;

impl Arch for Avx2 {
    type Narrow = vectors::Avx2x8;
    type Wide = vectors::Avx2x8;
    const COSTS: Costs = Costs {
        sliced_codes: 277.0,
        sliced_values: 221.0,
        page: f64::INFINITY,
        column_weight: 446.0,
        column_input: 39.0,
        dense_codes: [233.0, 232.0, 232.0, 232.0, 232.0],
        dense_steps: 56.0,
        dense_values: 79.0,
        narrow: 8,
        wide: 8,
        tap: 404.0,
        tap_vector: 414.0,
        plane_vector: 655.0,
        panel_codes: [150.0, 200.0],
        panel_steps: 60.0,
        panel_vector: 403.0,
        plane_input: 135.0,
        grid_input: 317.0,
        grid_output: 170.0,
        winograd_input: 1600.0,
        winograd_output: 1700.0,
        winograd_kernel: 1300.0,
        depthwise_vector: 633.0,
    };

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "avx2,fma,popcnt")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<Avx2>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }

    #[inline(always)]
    unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize) {
        // SAFETY: passed on.
        unsafe { transpose(x, x_step, y, y_step) }
    }

    #[inline(always)]
    unsafe fn spread(rows: &[f32], fours: [usize; LANES / 4], step: usize, n: usize, out: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { spread::eights(rows, fours, step, n, out) }
    }

    #[inline(always)]
    unsafe fn collect(sums: &[f32], n: usize, fours: [usize; LANES / 4], y: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { spread::collect_eights(sums, n, fours, y) }
    }

    #[inline(always)]
    unsafe fn dot_codes(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
        // SAFETY: passed on.
        unsafe { lookup_avx2::dot_codes(codes, book, x) }
    }

    #[inline(always)]
    unsafe fn dot_sparse(cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
        // SAFETY: passed on.
        unsafe { lookup_avx2::dot_sparse(cols, codes, book, x) }
    }

    #[inline(always)]
    unsafe fn look_up(codes: &[u8], book: &Codebook, to: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { lookup_avx2::look_up(codes, book, to) }
    }

    #[inline(always)]
    unsafe fn nonzero(x: &[f32], active: &mut [u32]) -> usize {
        // SAFETY: passed on.
        unsafe { lookup_avx2::nonzero(x, active) }
    }
}

impl Arch for Avx512 {
    type Narrow = vectors::Avx512x8;
    type Wide = vectors::Avx512x16;
    const PICKS: bool = true;
    const COSTS: Costs = Costs {
        sliced_codes: 195.0,
        sliced_values: 188.0,
        page: 2400.0,
        column_weight: 443.0,
        column_input: 49.0,
        dense_codes: [42.0, 43.0, 70.0, 121.0, 205.0],
        dense_steps: 46.0,
        dense_values: 68.0,
        narrow: 8,
        wide: 16,
        tap: 221.0,
        tap_vector: 198.0,
        plane_vector: 526.0,
        panel_codes: [52.0, 103.0],
        panel_steps: 41.0,
        panel_vector: 145.0,
        plane_input: 104.0,
        grid_input: 231.0,
        grid_output: 120.0,
        winograd_input: 1322.0,
        winograd_output: 696.0,
        winograd_kernel: 1305.0,
        depthwise_vector: 340.0,
    };

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<Avx512>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }

    #[inline(always)]
    unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize) {
        // SAFETY: passed on.
        unsafe { transpose(x, x_step, y, y_step) }
    }

    #[inline(always)]
    unsafe fn spread(rows: &[f32], fours: [usize; LANES / 4], step: usize, n: usize, out: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { spread::sixteen(rows, fours, step, n, out) }
    }

    #[inline(always)]
    unsafe fn collect(sums: &[f32], n: usize, fours: [usize; LANES / 4], y: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { spread::collect_sixteen(sums, n, fours, y) }
    }

    #[inline(always)]
    unsafe fn dot_codes(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
        // SAFETY: passed on.
        unsafe { lookup::dot_codes(codes, book, x) }
    }

    #[inline(always)]
    unsafe fn dot_sparse(cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
        // SAFETY: passed on.
        unsafe { lookup::dot_sparse(cols, codes, book, x) }
    }

    #[inline(always)]
    unsafe fn look_up(codes: &[u8], book: &Codebook, to: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { lookup::look_up(codes, book, to) }
    }

    #[inline(always)]
    unsafe fn nonzero(x: &[f32], active: &mut [u32]) -> usize {
        // SAFETY: passed on.
        unsafe { nonzero(x, active) }
    }

    #[inline(always)]
    unsafe fn pick(
        starts: &[u16],
        words: &[[u32; LANES]],
        bytes: &[[u8; LANES]],
        book: &Codebook,
        x: &[f32],
    ) -> [f32; LANES] {
        // SAFETY: passed on.
        unsafe { pick::pick(starts, words, bytes, book, x) }
    }
}

/// As [`Arch::transpose`].
///
/// # Safety
/// Four elements at each place; SSE, which every x86-64 has.
#[inline(always)]
unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let (a, b) = (_mm_loadu_ps(x), _mm_loadu_ps(x.add(x_step)));
        let (c, d) = (_mm_loadu_ps(x.add(2 * x_step)), _mm_loadu_ps(x.add(3 * x_step)));
        let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        _mm_storeu_ps(y, _mm_movelh_ps(ab_low, cd_low));
        _mm_storeu_ps(y.add(y_step), _mm_movehl_ps(cd_low, ab_low));
        _mm_storeu_ps(y.add(2 * y_step), _mm_movelh_ps(ab_high, cd_high));
        _mm_storeu_ps(y.add(3 * y_step), _mm_movehl_ps(cd_high, ab_high));
    }
}

/// As [`Arch::nonzero`], sixteen at a time.
#[target_feature(enable = "avx512f")]
fn nonzero(x: &[f32], active: &mut [u32]) -> usize {
    let mut n = 0;
    let lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let (blocks, rest) = x.as_chunks::<16>();
    for (block, values) in blocks.iter().enumerate() {
        let place = &mut active[n..n + 16];
        // SAFETY: `values` are sixteen floats; `place` are sixteen u32.
        let kept = unsafe {
            let kept = _mm512_cmpneq_ps_mask(_mm512_loadu_ps(values.as_ptr()), _mm512_setzero_ps());
            let index = _mm512_add_epi32(lane, _mm512_set1_epi32(block as i32 * 16));
            // Compressing to a register and storing all of it: compressing to memory is slow on some machines.
            _mm512_storeu_epi32(place.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(kept, index));
            kept
        };
        n += kept.count_ones() as usize;
    }
    for (i, &value) in rest.iter().enumerate() {
        active[n] = (blocks.len() * 16 + i) as u32;
        n += usize::from(value != 0.0);
    }
    n
}
