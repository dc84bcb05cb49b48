//! The slow steps of a sparse tile on AVX2: 16 gaps or 8 weights at a time.
//!
//! As on AVX-512, but lanes are brought together by a permutation looked up by mask.
#![expect(unsafe_code, reason = "vector intrinsics on memory")]

use super::links::List;
use super::rows::{MAX_COLS, Sum};
use crate::rans::avx2::Avx2;
use core::arch::x86_64::*;

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

/// As the loop of [`super::rows::columns`], 16 symbols at a time. Returns the symbols that are left, `None` where they
/// lead past the last row.
pub(super) fn columns<'a>(
    _proof: Avx2,
    symbols: &'a [u8],
    cap: u8,
    n_cols: u32,
    sum: &mut Sum,
    cols: &mut [u32],
    ends: &mut [u32],
) -> Option<&'a [u8]> {
    // SAFETY: the token is proof of AVX2 and POPCNT.
    unsafe { columns_avx2(symbols, cap, n_cols, sum, cols, ends) }
}

#[target_feature(enable = "avx2,popcnt")]
fn columns_avx2<'a>(
    symbols: &'a [u8],
    cap: u8,
    n_cols: u32,
    sum: &mut Sum,
    cols: &mut [u32],
    ends: &mut [u32],
) -> Option<&'a [u8]> {
    assert!(n_cols <= MAX_COLS, "columns that do not fit");
    let (groups, rest) = symbols.as_chunks::<16>();
    let (cap, one) = (_mm256_set1_epi16(cap.into()), _mm256_set1_epi16(1));
    let width = _mm256_set1_epi16(n_cols as i16);
    let mut past = _mm256_set1_epi16(sum.past as i16);
    for group in groups {
        // SAFETY: a group has 16 bytes.
        let gaps = _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(group.as_ptr().cast()) });
        let is_cap = _mm256_cmpeq_epi16(gaps, cap);
        let kept = !lanes_of(is_cap);
        // Each symbol speaks for its pruned weights, and for the kept one if it is one.
        let own = running_sum(_mm256_add_epi16(gaps, _mm256_add_epi16(is_cap, one)));
        let mut places = _mm256_sub_epi16(_mm256_add_epi16(own, past), one);
        past = _mm256_add_epi16(past, last(own));
        let mut spoken = _mm256_cvtsi256_si32(past) as u32 & 0xffff;
        // Once a row: those past its end are the next row's.
        while spoken >= n_cols {
            let is_next = _mm256_cmpeq_epi16(_mm256_max_epu16(places, width), places);
            let n_here = (kept & !lanes_of(is_next)).count_ones();
            sum.end_row(sum.n + n_here as usize, ends)?;
            places = _mm256_sub_epi16(places, _mm256_and_si256(is_next, width));
            past = _mm256_sub_epi16(past, width);
            spoken -= n_cols;
        }
        let halves = [_mm256_castsi256_si128(places), _mm256_extracti128_si256::<1>(places)];
        for (places, kept) in halves.into_iter().zip(kept.to_le_bytes()) {
            append(cols, sum.n, _mm256_cvtepu16_epi32(places), order(kept));
            sum.n += kept.count_ones() as usize;
        }
    }
    sum.past = _mm256_cvtsi256_si32(past) as u32 & 0xffff;
    Some(rest)
}

/// A bit for each of 16 lanes, which are all ones or all zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes_of(lanes: __m256i) -> u16 {
    let bytes = _mm_packs_epi16(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    _mm_movemask_epi8(bytes) as u16
}

/// The highest of 16 lanes of each half, in all lanes of the half.
#[inline]
#[target_feature(enable = "avx2")]
fn last_of_halves(x: __m256i) -> __m256i {
    _mm256_shuffle_epi8(x, _mm256_set1_epi16(0x0f0e))
}

/// The highest of 16 lanes, in all lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn last(x: __m256i) -> __m256i {
    last_of_halves(_mm256_permute4x64_epi64::<0xff>(x))
}

/// Each of 16 lanes plus all lanes below it.
#[inline]
#[target_feature(enable = "avx2")]
fn running_sum(x: __m256i) -> __m256i {
    let x = _mm256_add_epi16(x, _mm256_slli_si256::<2>(x));
    let x = _mm256_add_epi16(x, _mm256_slli_si256::<4>(x));
    let x = _mm256_add_epi16(x, _mm256_slli_si256::<8>(x));
    // The lower half, moved up, above zeros.
    _mm256_add_epi16(x, last_of_halves(_mm256_permute2x128_si256::<0x08>(x, x)))
}

/// The permutation that brings the lanes of a mask together.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn order(mask: u8) -> __m256i {
    // SAFETY: a row of the table has 8 bytes.
    _mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(TOGETHER[usize::from(mask)].as_ptr().cast()) })
}

/// Writes 8 lanes in that order from `len` on; there is slack for those that are too many.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn append(list: &mut [u32], len: usize, lanes: __m256i, order: __m256i) {
    let room = &mut list[len..len + 8];
    // SAFETY: there is room for 8.
    unsafe { _mm256_storeu_si256(room.as_mut_ptr().cast(), _mm256_permutevar8x32_epi32(lanes, order)) }
}

/// As [`super::links::follow_from`] the first.
pub(super) fn follow(_proof: Avx2, list: &List, symbols: &[u8], n_negative: usize, next: &mut [List; 2]) {
    // SAFETY: the token is proof of AVX2 and POPCNT.
    let n_done = unsafe { follow_avx2(list, symbols, n_negative, next) };
    super::links::follow_from(n_done, list, symbols, n_negative, next);
}

#[target_feature(enable = "avx2,popcnt")]
fn follow_avx2(list: &List, symbols: &[u8], n_negative: usize, next: &mut [List; 2]) -> usize {
    let (symbols, _) = symbols.as_chunks::<8>();
    let (ats, _) = list.at[..list.len].as_chunks::<8>();
    let (ends, _) = list.end[..list.len].as_chunks::<8>();
    let (one, border) = (_mm256_set1_epi32(1), _mm256_set1_epi32(n_negative as i32));
    let mut n_done = 0;
    for ((symbols, at), end) in symbols.iter().zip(ats).zip(ends) {
        // SAFETY: 8 bytes are there.
        let symbols = _mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(symbols.as_ptr().cast()) });
        let (at, end) = (_mm256_add_epi32(load(at), one), load(end));
        // All are below 2^24.
        let goes_on = mask_of(_mm256_cmpgt_epi32(end, at));
        let is_negative = mask_of(_mm256_cmpgt_epi32(border, symbols));
        let [negative, positive] = next;
        for (list, mask) in [(negative, goes_on & is_negative), (positive, goes_on & !is_negative)] {
            let order = order(mask);
            append(&mut list.at, list.len, at, order);
            append(&mut list.end, list.len, end, order);
            list.len += mask.count_ones() as usize;
        }
        n_done += 8;
    }
    n_done
}

/// As [`super::links::starts_of_row`].
pub(super) fn starts(
    _proof: Avx2,
    cols: &[u32],
    first: u32,
    reach: u32,
    at: &mut [u32],
    n: usize,
) -> (usize, usize) {
    // SAFETY: the token is proof of AVX2 and POPCNT.
    unsafe { starts_avx2(cols, first, reach, at, n) }
}

#[target_feature(enable = "avx2,popcnt")]
fn starts_avx2(cols: &[u32], first: u32, reach: u32, at: &mut [u32], mut n: usize) -> (usize, usize) {
    let (before, _) = cols.as_chunks::<8>();
    let (here, _) = cols[1..].as_chunks::<8>();
    let reach = _mm256_set1_epi32(reach as i32);
    let mut weights =
        _mm256_add_epi32(_mm256_set1_epi32(first as i32), _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8));
    let mut n_done = 1;
    for (before, here) in before.iter().zip(here) {
        let is_far = mask_of(_mm256_cmpgt_epi32(_mm256_sub_epi32(load(here), load(before)), reach));
        append(at, n, weights, order(is_far));
        n += is_far.count_ones() as usize;
        weights = _mm256_add_epi32(weights, _mm256_set1_epi32(8));
        n_done += 8;
    }
    (n, n_done)
}

/// A bit for each of 8 lanes, which are all ones or all zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn mask_of(lanes: __m256i) -> u8 {
    _mm256_movemask_ps(_mm256_castsi256_ps(lanes)) as u8
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &[u32; 8]) -> __m256i {
    // SAFETY: 8 lanes of 4 bytes are there.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}
