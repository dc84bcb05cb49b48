//! The decoder on AVX2: 8 ways per register.
//!
//! As on AVX-512, but a table of 16 is two registers with a choice between them, and words are spread out by a
//! permutation looked up by mask.
#![expect(unsafe_code, reason = "vector intrinsics on memory")]

use super::SLOTS;
use super::decode::States;
use super::table::{Kind, Small, Table};
use crate::Isa;
use core::arch::x86_64::*;
use kompakt_isa::Level;

/// Proof that the processor has AVX2 and POPCNT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

/// For each mask of 8 lanes, which word each lane takes: as many as lanes below it are set.
static SPREAD: [[u8; 8]; 256] = spread();

const fn spread() -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut lane = 0;
        while lane < 8 {
            table[mask][lane] = (mask & ((1 << lane) - 1)).count_ones() as u8;
            lane += 1;
        }
        mask += 1;
    }
    table
}

impl Avx2 {
    /// The proof, from that of the level.
    pub(crate) fn of(isa: Isa) -> Option<Self> {
        match isa.level() {
            Level::Avx2 | Level::Avx512 => Some(Self(())),
            _ => None,
        }
    }

    /// As [`super::scalar::rounds`], but whole rounds only, and none where there are fewer than 8 ways.
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
                (Kind::Small(small), 8) => small_rounds::<1>(small, states, words, at, out),
                (Kind::Small(small), 16) => small_rounds::<2>(small, states, words, at, out),
                (Kind::Small(small), 32) => small_rounds::<4>(small, states, words, at, out),
                (Kind::Small(small), 64) => small_rounds::<8>(small, states, words, at, out),
                (Kind::Large(large), 8) => large_rounds::<1>(large, states, words, at, out),
                (Kind::Large(large), 16) => large_rounds::<2>(large, states, words, at, out),
                (Kind::Large(large), 32) => large_rounds::<4>(large, states, words, at, out),
                (Kind::Large(large), 64) => large_rounds::<8>(large, states, words, at, out),
                _ => 0,
            }
        }
    }
}

#[target_feature(enable = "avx2,popcnt")]
fn small_rounds<const V: usize>(
    small: &Small,
    states: &mut States,
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let dividers: [__m256i; 2] = core::array::from_fn(|i| load(&small.dividers[8 * i..8 * i + 8]));
    let entries: [__m256i; 4] = core::array::from_fn(|i| load(&small.entries[8 * i..8 * i + 8]));
    let lookup = |state: __m256i| {
        let bucket = _mm256_srli_epi32::<8>(state);
        // Bit 3 of the bucket, bit 11 of the state, where a choice looks for it.
        let upper = _mm256_slli_epi32::<20>(state);
        let of_two = |low, high| {
            let low = _mm256_permutevar8x32_epi32(low, bucket);
            choose(low, _mm256_permutevar8x32_epi32(high, bucket), upper)
        };
        let place = _mm256_slli_epi32::<24>(state);
        let divider = of_two(dividers[0], dividers[1]);
        let is_other = _mm256_cmpeq_epi32(_mm256_max_epu32(place, divider), place);
        choose(of_two(entries[0], entries[1]), of_two(entries[2], entries[3]), is_other)
    };
    each_round::<V>(lookup, states, words, at, out)
}

#[target_feature(enable = "avx2,popcnt")]
fn large_rounds<const V: usize>(
    entries: &[u32; SLOTS],
    states: &mut States,
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let low = _mm256_set1_epi32(SLOTS as i32 - 1);
    let lookup = |state: __m256i| {
        let slot = _mm256_and_si256(state, low);
        // SAFETY: every slot is below 4096, the number of entries.
        unsafe { _mm256_i32gather_epi32::<4>(entries.as_ptr().cast(), slot) }
    };
    each_round::<V>(lookup, states, words, at, out)
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn each_round<const V: usize>(
    lookup: impl Fn(__m256i) -> __m256i,
    states: &mut States,
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let mut x: [__m256i; V] = core::array::from_fn(|v| load(&states.0[8 * v..8 * v + 8]));
    let all = _mm256_set1_epi32(-1);
    let mut n_done = 0;
    let mut next = *at;
    // V vectors use at most 16 V bytes.
    let has_words = |next: usize, n_vectors: usize| next + 16 * n_vectors <= words.len();
    for round in out.as_chunks_mut::<8>().0.chunks_exact_mut(V) {
        if !has_words(next, V) {
            break;
        }
        for (state, symbols) in x.iter_mut().zip(round) {
            // SAFETY: `next + 16 V <= words.len()` before the first of the V vectors, and each of them moves
            // `next` by at most 16.
            let (entry, popped) = unsafe { pop(&lookup, *state, all, words, &mut next) };
            *symbols = low_bytes(entry);
            *state = popped;
        }
        n_done += 8 * V;
    }
    for (v, state) in x.iter().enumerate() {
        store(*state, &mut states.0[8 * v..8 * v + 8]);
    }
    // Less than a round: only the first ways.
    let rest = &mut out[n_done..];
    if rest.len() < 8 * V && has_words(next, rest.len().div_ceil(8)) {
        let places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        for (symbols, states) in rest.chunks_mut(8).zip(states.0.chunks_exact_mut(8)) {
            let lanes = _mm256_cmpgt_epi32(_mm256_set1_epi32(symbols.len() as i32), places);
            let state = load(states);
            // SAFETY: as above.
            let (entry, popped) = unsafe { pop(&lookup, state, lanes, words, &mut next) };
            symbols.iter_mut().zip(low_bytes(entry)).for_each(|(symbol, byte)| *symbol = byte);
            store(_mm256_blendv_epi8(state, popped, lanes), states);
            n_done += symbols.len();
        }
    }
    *at = next;
    n_done
}

/// Pops a symbol from each state of the lanes whose bits are set: the entries, and the states after them.
///
/// # Safety
/// At `next`, which moves past the words that are used, `words` has two bytes for each of eight lanes.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
unsafe fn pop(
    lookup: impl Fn(__m256i) -> __m256i,
    state: __m256i,
    lanes: __m256i,
    words: &[u8],
    next: &mut usize,
) -> (__m256i, __m256i) {
    let low = _mm256_set1_epi32(SLOTS as i32 - 1);
    let entry = lookup(state);
    let rank = _mm256_and_si256(_mm256_add_epi32(state, _mm256_srli_epi32::<20>(entry)), low);
    let freq = _mm256_and_si256(_mm256_srli_epi32::<8>(entry), low);
    let whole = _mm256_mullo_epi32(freq, _mm256_srli_epi32::<12>(state));
    let popped = _mm256_add_epi32(whole, rank);
    let is_short = _mm256_cmpeq_epi32(_mm256_srli_epi32::<16>(popped), _mm256_setzero_si256());
    let is_short = _mm256_and_si256(is_short, lanes);
    let mask = _mm256_movemask_ps(_mm256_castsi256_ps(is_short)) as u8;
    // SAFETY: promised by the caller.
    let packed = unsafe { _mm_loadu_si128(words.as_ptr().add(*next).cast()) };
    // SAFETY: a row of the table has 8 bytes.
    let order = unsafe { _mm_loadl_epi64(SPREAD[usize::from(mask)].as_ptr().cast()) };
    let order = _mm256_cvtepu8_epi32(order);
    let spread = _mm256_permutevar8x32_epi32(_mm256_cvtepu16_epi32(packed), order);
    let longer = _mm256_or_si256(_mm256_slli_epi32::<16>(popped), spread);
    *next += 2 * mask.count_ones() as usize;
    (entry, _mm256_blendv_epi8(popped, longer, is_short))
}

/// Lane by lane, `yes` where the highest bit of `choice` is set.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(no: __m256i, yes: __m256i, choice: __m256i) -> __m256i {
    let (no, yes, choice) = (_mm256_castsi256_ps(no), _mm256_castsi256_ps(yes), _mm256_castsi256_ps(choice));
    _mm256_castps_si256(_mm256_blendv_ps(no, yes, choice))
}

/// The lowest byte of each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn low_bytes(lanes: __m256i) -> [u8; 8] {
    let lowest = _mm256_set1_epi32(0x0c08_0400);
    let packed = _mm256_shuffle_epi8(lanes, lowest);
    let low = _mm256_extract_epi32::<0>(packed) as u32;
    let high = _mm256_extract_epi32::<4>(packed) as u32;
    (u64::from(high) << 32 | u64::from(low)).to_le_bytes()
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &[u32]) -> __m256i {
    assert_eq!(lanes.len(), 8);
    // SAFETY: 8 lanes of 4 bytes are there.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(vector: __m256i, lanes: &mut [u32]) {
    assert_eq!(lanes.len(), 8);
    // SAFETY: 8 lanes of 4 bytes are there.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) }
}
