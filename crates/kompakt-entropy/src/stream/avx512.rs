//! The slow steps of a sparse tile on AVX-512: 32 gaps or 16 weights at a time.
#![expect(unsafe_code, reason = "vector intrinsics on memory")]

use super::links::List;
use super::rows::{MAX_COLS, Sum};
use crate::rans::avx512::{Avx512, Words};
use core::arch::x86_64::*;

/// As the loop of [`super::rows::columns`], 32 symbols at a time. Returns the symbols that are left, `None` where they
/// lead past the last row.
pub(super) fn columns<'a>(
    _proof: Words,
    symbols: &'a [u8],
    cap: u8,
    n_cols: u32,
    sum: &mut Sum,
    cols: &mut [u32],
    ends: &mut [u32],
) -> Option<&'a [u8]> {
    // SAFETY: the token is proof of AVX-512 F, BW, VBMI2 and POPCNT.
    unsafe { columns_avx512(symbols, cap, n_cols, sum, cols, ends) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn columns_avx512<'a>(
    symbols: &'a [u8],
    cap: u8,
    n_cols: u32,
    sum: &mut Sum,
    cols: &mut [u32],
    ends: &mut [u32],
) -> Option<&'a [u8]> {
    assert!(n_cols <= MAX_COLS, "columns that do not fit");
    let (groups, rest) = symbols.as_chunks::<32>();
    let (cap, one) = (_mm512_set1_epi16(cap.into()), _mm512_set1_epi16(1));
    let width = _mm512_set1_epi16(n_cols as i16);
    let last = _mm512_set1_epi16(31);
    let mut past = _mm512_set1_epi16(sum.past as i16);
    for group in groups {
        // SAFETY: a group has 32 bytes.
        let gaps = _mm512_cvtepu8_epi16(unsafe { _mm256_loadu_si256(group.as_ptr().cast()) });
        let is_kept = _mm512_cmpneq_epu16_mask(gaps, cap);
        // Each symbol speaks for its pruned weights, and for the kept one if it is one.
        let own = running_sum(_mm512_mask_add_epi16(gaps, is_kept, gaps, one));
        let places = _mm512_sub_epi16(_mm512_add_epi16(own, past), one);
        let mut kept = _mm512_maskz_compress_epi16(is_kept, places);
        past = _mm512_add_epi16(past, _mm512_permutexvar_epi16(last, own));
        let n = is_kept.count_ones();
        let mut spoken = _mm512_cvtsi512_si32(past) as u32 & 0xffff;
        // Once a row: those past its end are the next row's.
        while spoken >= n_cols {
            let there = ((1u64 << n) - 1) as u32;
            let is_next = _mm512_mask_cmpge_epu16_mask(there, kept, width);
            sum.end_row(sum.n + (n - is_next.count_ones()) as usize, ends)?;
            kept = _mm512_mask_sub_epi16(kept, is_next, kept, width);
            past = _mm512_sub_epi16(past, width);
            spoken -= n_cols;
        }
        let room = &mut cols[sum.n..sum.n + 32];
        let (low, high) = (_mm512_castsi512_si256(kept), _mm512_extracti64x4_epi64::<1>(kept));
        // SAFETY: there is room for 32.
        unsafe {
            _mm512_storeu_epi32(room.as_mut_ptr().cast(), _mm512_cvtepu16_epi32(low));
            _mm512_storeu_epi32(room.as_mut_ptr().add(16).cast(), _mm512_cvtepu16_epi32(high));
        }
        sum.n += n as usize;
    }
    sum.past = _mm512_cvtsi512_si32(past) as u32 & 0xffff;
    Some(rest)
}

/// Each of 32 lanes plus all lanes below it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn running_sum(x: __m512i) -> __m512i {
    const BELOW: [u16; 32] = {
        let mut lanes = [0; 32];
        let mut lane = 1;
        while lane < 32 {
            lanes[lane] = lane as u16 - 1;
            lane += 1;
        }
        lanes
    };
    let zero = _mm512_setzero_si512();
    // SAFETY: 32 lanes of 2 bytes are there.
    let below = unsafe { _mm512_loadu_si512(BELOW.as_ptr().cast()) };
    let x = _mm512_add_epi16(x, _mm512_maskz_permutexvar_epi16(!1, below, x));
    let x = _mm512_add_epi16(x, _mm512_alignr_epi32::<15>(x, zero));
    let x = _mm512_add_epi16(x, _mm512_alignr_epi32::<14>(x, zero));
    let x = _mm512_add_epi16(x, _mm512_alignr_epi32::<12>(x, zero));
    _mm512_add_epi16(x, _mm512_alignr_epi32::<8>(x, zero))
}

/// As [`super::links::follow_from`] the first.
pub(super) fn follow(_proof: Avx512, list: &List, symbols: &[u8], n_negative: usize, next: &mut [List; 2]) {
    // SAFETY: the token is proof of AVX-512 F and POPCNT.
    let n_done = unsafe { follow_avx512(list, symbols, n_negative, next) };
    super::links::follow_from(n_done, list, symbols, n_negative, next);
}

#[target_feature(enable = "avx512f,popcnt")]
fn follow_avx512(list: &List, symbols: &[u8], n_negative: usize, next: &mut [List; 2]) -> usize {
    let (symbols, _) = symbols.as_chunks::<16>();
    let (ats, _) = list.at[..list.len].as_chunks::<16>();
    let (ends, _) = list.end[..list.len].as_chunks::<16>();
    let (one, border) = (_mm512_set1_epi32(1), _mm512_set1_epi32(n_negative as i32));
    let mut n_done = 0;
    for ((symbols, at), end) in symbols.iter().zip(ats).zip(ends) {
        // SAFETY: 16 bytes are there.
        let symbols = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(symbols.as_ptr().cast()) });
        // SAFETY: 16 lanes of 4 bytes are there.
        let at = unsafe { _mm512_loadu_si512(at.as_ptr().cast()) };
        // SAFETY: as above.
        let end = unsafe { _mm512_loadu_si512(end.as_ptr().cast()) };
        let at = _mm512_add_epi32(at, one);
        let goes_on = _mm512_cmplt_epu32_mask(at, end);
        let is_negative = _mm512_cmplt_epu32_mask(symbols, border);
        let [negative, positive] = next;
        for (list, mask) in [(negative, goes_on & is_negative), (positive, goes_on & !is_negative)] {
            append(&mut list.at, list.len, _mm512_maskz_compress_epi32(mask, at));
            append(&mut list.end, list.len, _mm512_maskz_compress_epi32(mask, end));
            list.len += mask.count_ones() as usize;
        }
        n_done += 16;
    }
    n_done
}

/// Writes 16 lanes from `len` on; a list has slack for those that are too many.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn append(list: &mut [u32], len: usize, lanes: __m512i) {
    let room = &mut list[len..len + 16];
    // SAFETY: there is room for 16.
    unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), lanes) }
}

/// As [`super::links::starts_of_row`].
pub(super) fn starts(
    _proof: Avx512,
    cols: &[u32],
    first: u32,
    reach: u32,
    at: &mut [u32],
    n: usize,
) -> (usize, usize) {
    // SAFETY: the token is proof of AVX-512 F and POPCNT.
    unsafe { starts_avx512(cols, first, reach, at, n) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn starts_avx512(cols: &[u32], first: u32, reach: u32, at: &mut [u32], mut n: usize) -> (usize, usize) {
    let (before, _) = cols.as_chunks::<16>();
    let (here, _) = cols[1..].as_chunks::<16>();
    let reach = _mm512_set1_epi32(reach as i32);
    let next = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    let mut weights = _mm512_add_epi32(_mm512_set1_epi32(first as i32), next);
    let mut n_done = 1;
    for (before, here) in before.iter().zip(here) {
        // SAFETY: 16 lanes of 4 bytes are there.
        let before = unsafe { _mm512_loadu_si512(before.as_ptr().cast()) };
        // SAFETY: as above.
        let here = unsafe { _mm512_loadu_si512(here.as_ptr().cast()) };
        let is_far = _mm512_cmpgt_epu32_mask(_mm512_sub_epi32(here, before), reach);
        append(at, n, _mm512_maskz_compress_epi32(is_far, weights));
        n += is_far.count_ones() as usize;
        weights = _mm512_add_epi32(weights, _mm512_set1_epi32(16));
        n_done += 16;
    }
    (n, n_done)
}
