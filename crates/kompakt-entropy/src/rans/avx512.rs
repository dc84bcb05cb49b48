//! The decoder on AVX-512: 16 ways a register.
//!
//! ```text
//! bucket  = (state >> 8) mod 16                        vpermd reads its index so
//! entry   = state << 24 < dividers[bucket] ? entries[bucket] : entries[16 + bucket]
//! state'  = freq * (state >> 12) + ((state + bias) & 4095)
//! short   = state' < 2^16                              a mask
//! state'' = short ? state' << 16 | next word : state'  the words spread out under the mask
//! ```
#![expect(unsafe_code, reason = "vector intrinsics on memory")]

use super::decode::States;
use super::table::{Kind, Small, Table};
use super::{LOWEST, SLOTS};
use core::arch::x86_64::*;

/// Proof that the processor has AVX-512 F and POPCNT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let has_all = std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("popcnt");
        has_all.then_some(Self(()))
    }

    /// As [`super::scalar::rounds`], but whole rounds only, and none where there are fewer than 16 ways.
    pub(super) fn rounds(
        self,
        table: &Table,
        states: &mut States,
        ways: usize,
        words: &[u8],
        at: &mut usize,
        out: &mut [u8],
    ) -> usize {
        // SAFETY: `self` is proof that the processor has the features that these functions need.
        unsafe {
            match (&table.0, ways) {
                (Kind::Small(small), 16) => small_rounds::<1>(small, states, words, at, out),
                (Kind::Small(small), 32) => small_rounds::<2>(small, states, words, at, out),
                (Kind::Small(small), 64) => small_rounds::<4>(small, states, words, at, out),
                (Kind::Large(large), 16) => large_rounds::<1>(large, states, words, at, out),
                (Kind::Large(large), 32) => large_rounds::<2>(large, states, words, at, out),
                (Kind::Large(large), 64) => large_rounds::<4>(large, states, words, at, out),
                _ => 0,
            }
        }
    }
}

#[target_feature(enable = "avx512f,popcnt")]
fn small_rounds<const V: usize>(
    small: &Small,
    states: &mut States,
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let dividers = load(&small.dividers);
    let (own, others) = small.entries.split_at(16);
    let (own, others) = (load(own), load(others));
    let lookup = |state: __m512i| {
        let bucket = _mm512_srli_epi32::<8>(state);
        let place = _mm512_slli_epi32::<24>(state);
        let is_other = _mm512_cmpge_epu32_mask(place, _mm512_permutexvar_epi32(bucket, dividers));
        let entry = _mm512_permutexvar_epi32(bucket, own);
        _mm512_mask_permutexvar_epi32(entry, is_other, bucket, others)
    };
    each_round::<V>(lookup, states, words, at, out)
}

#[target_feature(enable = "avx512f,popcnt")]
fn large_rounds<const V: usize>(
    entries: &[u32; SLOTS],
    states: &mut States,
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let low = _mm512_set1_epi32(SLOTS as i32 - 1);
    let lookup = |state: __m512i| {
        let slot = _mm512_and_si512(state, low);
        // SAFETY: every slot is below 4096, the number of entries.
        unsafe { _mm512_i32gather_epi32::<4>(slot, entries.as_ptr().cast()) }
    };
    each_round::<V>(lookup, states, words, at, out)
}

#[inline]
#[target_feature(enable = "avx512f,popcnt")]
fn each_round<const V: usize>(
    lookup: impl Fn(__m512i) -> __m512i,
    states: &mut States,
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let (rounds, _) = out.as_chunks_mut::<16>();
    let mut x: [__m512i; V] = core::array::from_fn(|v| load(&states.0[16 * v..16 * v + 16]));
    let low = _mm512_set1_epi32(SLOTS as i32 - 1);
    let lowest = _mm512_set1_epi32(LOWEST as i32);
    let mut n_done = 0;
    let mut next = *at;
    for round in rounds.chunks_exact_mut(V) {
        // V vectors use at most 32 V bytes.
        if words.len() < 32 * V || next > words.len() - 32 * V {
            break;
        }
        for (state, symbols) in x.iter_mut().zip(round) {
            let entry = lookup(*state);
            *symbols = bytes(_mm512_cvtepi32_epi8(entry));
            let rank = _mm512_and_si512(_mm512_add_epi32(*state, _mm512_srli_epi32::<20>(entry)), low);
            let freq = _mm512_and_si512(_mm512_srli_epi32::<8>(entry), low);
            let whole = _mm512_mullo_epi32(freq, _mm512_srli_epi32::<12>(*state));
            let popped = _mm512_add_epi32(whole, rank);
            let is_short = _mm512_cmplt_epu32_mask(popped, lowest);
            // SAFETY: `next + 32 V <= words.len()` before the first of the V vectors, and each of them moves
            // `next` by at most 32.
            let packed = unsafe { _mm256_loadu_si256(words.as_ptr().add(next).cast()) };
            let spread = _mm512_maskz_expand_epi32(is_short, _mm512_cvtepu16_epi32(packed));
            *state = _mm512_mask_or_epi32(popped, is_short, _mm512_slli_epi32::<16>(popped), spread);
            next += 2 * is_short.count_ones() as usize;
        }
        n_done += 16 * V;
    }
    for (v, state) in x.iter().enumerate() {
        store(*state, &mut states.0[16 * v..16 * v + 16]);
    }
    *at = next;
    n_done
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &[u32]) -> __m512i {
    assert_eq!(lanes.len(), 16);
    // SAFETY: 16 lanes of 4 bytes are there.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(vector: __m512i, lanes: &mut [u32]) {
    assert_eq!(lanes.len(), 16);
    // SAFETY: 16 lanes of 4 bytes are there.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn bytes(vector: __m128i) -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: 16 bytes are there.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), vector) }
    bytes
}
