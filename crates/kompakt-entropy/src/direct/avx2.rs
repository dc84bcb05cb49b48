//! The columns of a bitmap on AVX2: a byte of the map is looked up, eight columns are written.
#![expect(unsafe_code, reason = "vector intrinsics on memory")]

use crate::{
    rans::avx2::Avx2,
    stream::avx2::{append, order},
};
use core::arch::x86_64::*;

/// Writes the columns of the ones from the map's start on, while there is room for eight. Returns how many there are, and
/// the bytes of the map that were read.
pub(super) fn columns(_proof: Avx2, map: &[u8], cols: &mut [u32]) -> (usize, usize) {
    // SAFETY: the token is proof of AVX2 and POPCNT.
    unsafe { columns_avx2(map, cols) }
}

#[target_feature(enable = "avx2,popcnt")]
fn columns_avx2(map: &[u8], cols: &mut [u32]) -> (usize, usize) {
    let mut lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let mut n = 0;
    for (i, &byte) in map.iter().enumerate() {
        if cols.len() < n + 8 {
            return (n, i);
        }
        append(cols, n, lanes, order(byte));
        n += byte.count_ones() as usize;
        lanes = _mm256_add_epi32(lanes, _mm256_set1_epi32(8));
    }
    (n, map.len())
}
