//! The slow steps of a sparse tile on AVX-512: 16 gaps, columns or weights at a time.
#![expect(unsafe_code, reason = "vector intrinsics on memory")]

use super::links::List;
use super::rows::Sum;
use crate::rans::avx512::Avx512;
use core::arch::x86_64::*;

/// As the loop of [`super::rows::places`], as far as 16 symbols and room for 16 places are left. Returns the
/// symbols that are left.
pub(super) fn places<'a>(
    _proof: Avx512,
    symbols: &'a [u8],
    cap: u8,
    sum: &mut Sum,
    places: &mut [u32],
) -> &'a [u8] {
    // SAFETY: the token is proof of AVX-512 F and POPCNT.
    unsafe { places_avx512(symbols, cap, sum, places) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn places_avx512<'a>(symbols: &'a [u8], cap: u8, sum: &mut Sum, places: &mut [u32]) -> &'a [u8] {
    let (groups, rest) = symbols.as_chunks::<16>();
    let (cap, one) = (_mm512_set1_epi32(cap.into()), _mm512_set1_epi32(1));
    let mut past = _mm512_set1_epi32(sum.past as i32);
    for (i, group) in groups.iter().enumerate() {
        let Some(room) = places.get_mut(sum.n..).and_then(|room| room.first_chunk_mut::<16>()) else {
            sum.past = _mm512_cvtsi512_si32(past) as u32;
            return &symbols[16 * i..];
        };
        // SAFETY: a group has 16 bytes.
        let gaps = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(group.as_ptr().cast()) });
        let is_kept = _mm512_cmpneq_epu32_mask(gaps, cap);
        // Each symbol speaks for its pruned weights, and for the kept one if it is one.
        let own = _mm512_mask_add_epi32(gaps, is_kept, gaps, one);
        let ends = _mm512_add_epi32(running_sum(own), past);
        let kept = _mm512_maskz_compress_epi32(is_kept, _mm512_sub_epi32(ends, one));
        // SAFETY: there is room for 16.
        unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), kept) };
        sum.n += is_kept.count_ones() as usize;
        past = _mm512_permutexvar_epi32(_mm512_set1_epi32(15), ends);
    }
    sum.past = _mm512_cvtsi512_si32(past) as u32;
    rest
}

/// Each lane plus all lanes below it.
#[inline]
#[target_feature(enable = "avx512f")]
fn running_sum(x: __m512i) -> __m512i {
    let zero = _mm512_setzero_si512();
    let x = _mm512_add_epi32(x, _mm512_alignr_epi32::<15>(x, zero));
    let x = _mm512_add_epi32(x, _mm512_alignr_epi32::<14>(x, zero));
    let x = _mm512_add_epi32(x, _mm512_alignr_epi32::<12>(x, zero));
    _mm512_add_epi32(x, _mm512_alignr_epi32::<8>(x, zero))
}

/// As [`super::rows::columns`].
pub(super) fn columns(_proof: Avx512, places: &[u32], start: u32, end: u32, cols: &mut [u32]) -> usize {
    // SAFETY: the token is proof of AVX-512 F and POPCNT.
    unsafe { columns_avx512(places, start, end, cols) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn columns_avx512(places: &[u32], start: u32, end: u32, cols: &mut [u32]) -> usize {
    let (first, past) = (_mm512_set1_epi32(start as i32), _mm512_set1_epi32(end as i32));
    let len = places.len().min(cols.len());
    let mut n = 0;
    // Whole vectors without masks, which are slow to store; what is written past the row's end is the next row's.
    while n + 16 <= len {
        // SAFETY: 16 lanes are in both slices.
        let in_row = unsafe {
            let places = _mm512_loadu_epi32(places.as_ptr().add(n).cast());
            _mm512_storeu_epi32(cols.as_mut_ptr().add(n).cast(), _mm512_sub_epi32(places, first));
            _mm512_cmplt_epu32_mask(places, past)
        };
        if in_row != 0xffff {
            return n + in_row.count_ones() as usize;
        }
        n += 16;
    }
    while n < len {
        let there = if len - n >= 16 { 0xffff } else { (1 << (len - n)) - 1 };
        // SAFETY: only lanes that are in both slices are touched.
        let places = unsafe { _mm512_maskz_loadu_epi32(there, places.as_ptr().add(n).cast()) };
        let in_row = _mm512_mask_cmplt_epu32_mask(there, places, past);
        // SAFETY: as above.
        unsafe {
            _mm512_mask_storeu_epi32(
                cols.as_mut_ptr().add(n).cast(),
                in_row,
                _mm512_sub_epi32(places, first),
            );
        }
        n += in_row.count_ones() as usize;
        if in_row != 0xffff {
            break;
        }
    }
    n
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
fn append(list: &mut [u32], len: usize, lanes: __m512i) {
    let room = &mut list[len..len + 16];
    // SAFETY: there is room for 16.
    unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), lanes) }
}
