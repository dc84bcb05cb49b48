//! The decoder on AVX-512: 16 ways per register.
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
use crate::Isa;
use core::arch::x86_64::*;
use kompakt_isa::Level;

/// Proof that the processor has AVX-512 F and POPCNT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512 {
    words: Option<Words>,
    has_fast_gather: bool,
}

/// Proof that it has AVX-512 BW and VBMI2 as well: 16-bit lanes, and their compress and expand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words(());

impl Avx512 {
    /// The proof, from that of the level.
    pub(crate) fn of(isa: Isa) -> Option<Self> {
        match isa.level() {
            Level::Avx512 => Some(Self {
                words: isa.has_vbmi2().then_some(Words(())),
                has_fast_gather: isa.has_fast_gather(),
            }),
            _ => None,
        }
    }

    /// The proof of what older processors lack, if this one has it.
    pub(crate) fn words(self) -> Option<Words> {
        self.words
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
                (Kind::Large(large), 16 | 32 | 64) if self.has_fast_gather => match ways {
                    16 => large_rounds::<1, true>(large, states, words, at, out),
                    32 => large_rounds::<2, true>(large, states, words, at, out),
                    _ => large_rounds::<4, true>(large, states, words, at, out),
                },
                (Kind::Large(large), 16) => large_rounds::<1, false>(large, states, words, at, out),
                (Kind::Large(large), 32) => large_rounds::<2, false>(large, states, words, at, out),
                (Kind::Large(large), 64) => large_rounds::<4, false>(large, states, words, at, out),
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
fn large_rounds<const V: usize, const GATHER: bool>(
    entries: &[u32; SLOTS],
    states: &mut States,
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let low = _mm512_set1_epi32(SLOTS as i32 - 1);
    let lookup = |state: __m512i| {
        let slots = _mm512_and_si512(state, low);
        // SAFETY: every slot is below 4096, the number of entries.
        unsafe {
            if GATHER {
                _mm512_i32gather_epi32::<4>(slots, entries.as_ptr().cast())
            } else {
                gather(slots, entries.as_ptr().cast())
            }
        }
    };
    each_round::<V>(lookup, states, words, at, out)
}

/// Sixteen entries, looked up one by one and combined: on many processors that is faster than the gather instruction.
///
/// # Safety
/// Every slot is that of an entry.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gather(slots: __m512i, entries: *const f32) -> __m512i {
    let slots = _mm512_cvtepi32_epi16(slots);
    let low = _mm256_castsi256_si128(slots);
    let high = _mm256_extracti128_si256::<1>(slots);
    // SAFETY: slots are those of entries.
    unsafe {
        let a = eight(_mm_cvtsi128_si64(low) as u64, _mm_extract_epi64::<1>(low) as u64, entries);
        let b = eight(_mm_cvtsi128_si64(high) as u64, _mm_extract_epi64::<1>(high) as u64, entries);
        let both = _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(_mm256_castps_pd(a)), _mm256_castps_pd(b));
        _mm512_castpd_si512(both)
    }
}

/// The entries of eight slots of 16 bits.
///
/// # Safety
/// As for [`gather`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn eight(low: u64, high: u64, entries: *const f32) -> __m256 {
    // SAFETY: promised by the caller.
    unsafe { _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(four(low, entries)), four(high, entries)) }
}

/// The entries of four slots of 16 bits.
///
/// # Safety
/// As for [`gather`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn four(slots: u64, entries: *const f32) -> __m128 {
    // SAFETY: promised by the caller.
    unsafe {
        let a = _mm_load_ss(entries.add((slots & 0xffff) as usize));
        let b = _mm_load_ss(entries.add((slots >> 16 & 0xffff) as usize));
        let c = _mm_load_ss(entries.add((slots >> 32 & 0xffff) as usize));
        let d = _mm_load_ss(entries.add((slots >> 48) as usize));
        _mm_insert_ps::<0x30>(_mm_insert_ps::<0x20>(_mm_insert_ps::<0x10>(a, b), c), d)
    }
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
    let mut x: [__m512i; V] = core::array::from_fn(|v| load(&states.0[16 * v..16 * v + 16]));
    let mut n_done = 0;
    let mut next = *at;
    // V vectors use at most 32 V bytes.
    let has_words = |next: usize, n_vectors: usize| next + 32 * n_vectors <= words.len();
    for round in out.as_chunks_mut::<16>().0.chunks_exact_mut(V) {
        if !has_words(next, V) {
            break;
        }
        for (state, symbols) in x.iter_mut().zip(round) {
            // SAFETY: `next + 32 V <= words.len()` before the first of the V vectors, and each of them moves
            // `next` by at most 32.
            let (entry, popped) = unsafe { pop(&lookup, *state, 0xffff, words, &mut next) };
            *symbols = bytes(_mm512_cvtepi32_epi8(entry));
            *state = popped;
        }
        n_done += 16 * V;
    }
    for (v, state) in x.iter().enumerate() {
        store(*state, &mut states.0[16 * v..16 * v + 16]);
    }
    // Less than a round: only the first ways.
    let rest = &mut out[n_done..];
    if rest.len() < 16 * V && has_words(next, rest.len().div_ceil(16)) {
        for (symbols, states) in rest.chunks_mut(16).zip(states.0.chunks_exact_mut(16)) {
            let lanes: __mmask16 = 0xffff >> (16 - symbols.len());
            let state = load(states);
            // SAFETY: as above.
            let (entry, popped) = unsafe { pop(&lookup, state, lanes, words, &mut next) };
            // SAFETY: only the bytes of these lanes are written, one for each symbol.
            unsafe { _mm512_mask_cvtepi32_storeu_epi8(symbols.as_mut_ptr().cast(), lanes, entry) };
            store(_mm512_mask_mov_epi32(state, lanes, popped), states);
            n_done += symbols.len();
        }
    }
    *at = next;
    n_done
}

/// Pops a symbol from each state of some lanes: the entries, and the states after them.
///
/// # Safety
/// At `next`, which moves past the words that are used, `words` has two bytes for each of sixteen lanes.
#[inline]
#[target_feature(enable = "avx512f,popcnt")]
unsafe fn pop(
    lookup: impl Fn(__m512i) -> __m512i,
    state: __m512i,
    lanes: __mmask16,
    words: &[u8],
    next: &mut usize,
) -> (__m512i, __m512i) {
    let low = _mm512_set1_epi32(SLOTS as i32 - 1);
    let entry = lookup(state);
    let rank = _mm512_and_si512(_mm512_add_epi32(state, _mm512_srli_epi32::<20>(entry)), low);
    let freq = _mm512_and_si512(_mm512_srli_epi32::<8>(entry), low);
    let whole = _mm512_mullo_epi32(freq, _mm512_srli_epi32::<12>(state));
    let popped = _mm512_add_epi32(whole, rank);
    let is_short = _mm512_mask_cmplt_epu32_mask(lanes, popped, _mm512_set1_epi32(LOWEST as i32));
    // SAFETY: promised by the caller.
    let packed = unsafe { _mm256_loadu_si256(words.as_ptr().add(*next).cast()) };
    let spread = _mm512_maskz_expand_epi32(is_short, _mm512_cvtepu16_epi32(packed));
    *next += 2 * is_short.count_ones() as usize;
    (entry, _mm512_mask_or_epi32(popped, is_short, _mm512_slli_epi32::<16>(popped), spread))
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
