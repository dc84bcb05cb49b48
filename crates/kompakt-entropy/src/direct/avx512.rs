//! The columns of a bitmap on AVX-512: two bytes of the map are a mask, and sixteen columns are compressed under it.
#![expect(unsafe_code, reason = "vector intrinsics on memory")]

use crate::{rans::avx512::Avx512, stream::avx512::append};
use core::arch::x86_64::*;

/// Writes the columns of the ones from the map's start on, while there is room for sixteen. Returns how many there are, and
/// the bytes of the map that were read.
pub(super) fn columns(_proof: Avx512, map: &[u8], cols: &mut [u32]) -> (usize, usize) {
    // SAFETY: the token is proof of AVX-512 F and POPCNT.
    unsafe { columns_avx512(map, cols) }
}

#[target_feature(enable = "avx512f,popcnt")]
fn columns_avx512(map: &[u8], cols: &mut [u32]) -> (usize, usize) {
    let mut lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut n = 0;
    let (pairs, _) = map.as_chunks::<2>();
    for (i, pair) in pairs.iter().enumerate() {
        if cols.len() < n + 16 {
            return (n, 2 * i);
        }
        let mask = u16::from_le_bytes(*pair);
        append(cols, n, _mm512_maskz_compress_epi32(mask, lanes));
        n += mask.count_ones() as usize;
        lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(16));
    }
    (n, 2 * pairs.len())
}
