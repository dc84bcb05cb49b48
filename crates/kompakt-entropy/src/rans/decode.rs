//! The decoder: parses the stream and dispatches rounds to an instruction set.

use super::{LOWEST, MAX_LOG2_WAYS, MAX_WAYS, Table, scalar};
use crate::{EntropyError, Isa};

/// Decodes one stream, run by run.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    /// Each at least `LOWEST`; so they stay, whatever the words.
    states: States,
    /// 1 to `MAX_WAYS`, a power of 2.
    ways: usize,
    bytes: &'a [u8],
    /// Where the next word is in `bytes`; at most its length.
    at: usize,
    isa: Isa,
}

/// The states of all ways, aligned as vectors like it.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct States(pub(super) [u32; MAX_WAYS]);

impl<'a> Decoder<'a> {
    /// A decoder of `bytes`, which have `1 << log2_ways` ways.
    ///
    /// Errors: rules R-1 (the ways), R-2 (the states are not all there or out of range).
    pub fn new(bytes: &'a [u8], log2_ways: u32, isa: Isa) -> Result<Self, EntropyError> {
        Self::starting_at(0, bytes, log2_ways, isa)
    }

    /// The same, of the stream that starts at byte `at`; so that errors tell where they are in all of `bytes`.
    pub(crate) fn starting_at(
        at: usize,
        bytes: &'a [u8],
        log2_ways: u32,
        isa: Isa,
    ) -> Result<Self, EntropyError> {
        if log2_ways > MAX_LOG2_WAYS {
            return Err(broken(at, "R-1", "more than 64 ways"));
        }
        let ways = 1 << log2_ways;
        let Some(stored) = bytes.get(at..).and_then(|stream| stream.get(..4 * ways)) else {
            return Err(broken(bytes.len(), "R-2", "the stream ends within its states"));
        };
        let mut states = States([LOWEST; MAX_WAYS]);
        for (way, (state, stored)) in states.0.iter_mut().zip(stored.chunks_exact(4)).enumerate() {
            *state = stored.iter().rev().fold(0, |state, &byte| state << 8 | u32::from(byte));
            if *state < LOWEST {
                return Err(broken(at + 4 * way, "R-2", "a state is below 2^16"));
            }
        }
        Ok(Self { states, ways, bytes, at: at + 4 * ways, isa })
    }

    /// Decodes the next `symbols.len()` symbols.
    ///
    /// Errors: rule R-3 where words are missing; `symbols` then holds anything, and so does the decoder.
    pub fn decode(&mut self, table: &Table, symbols: &mut [u8]) -> Result<(), EntropyError> {
        let n_done = self.rounds(table, self.bytes, symbols);
        if n_done == symbols.len() {
            return Ok(());
        }
        // Fewer than two bytes are left for each way. Zero padding lets the vector code read them uniformly;
        // if any of it is used, words are missing.
        let mut end = [0; 4 * MAX_WAYS];
        let rest = &self.bytes[self.at..];
        end[..rest.len()].copy_from_slice(rest);
        let (start, n_rest) = (self.at, rest.len());
        self.at = 0;
        let ways = self.ways;
        let n_more = self.rounds(table, &end[..4 * ways], &mut symbols[n_done..]);
        if self.at > n_rest || n_done + n_more < symbols.len() {
            self.at = self.bytes.len();
            return Err(broken(self.at, "R-3", "the stream ends before its last symbol"));
        }
        self.at += start;
        Ok(())
    }

    /// Checks that the stream was decoded to its end and that the end is right.
    ///
    /// Errors: rule R-4.
    pub fn finish(self) -> Result<(), EntropyError> {
        if self.at != self.bytes.len() {
            return Err(broken(self.at, "R-4", "words are left after the last symbol"));
        }
        if self.states.0.iter().any(|&state| state != LOWEST) {
            return Err(broken(self.at, "R-4", "a state is not 2^16 after the last symbol"));
        }
        Ok(())
    }

    /// Decodes while `words` has two bytes for each way at `self.at`. Returns how many symbols.
    fn rounds(&mut self, table: &Table, words: &[u8], symbols: &mut [u8]) -> usize {
        let Self { states, ways, at, isa, .. } = self;
        let ways = *ways;
        #[cfg(target_arch = "x86_64")]
        let n_done = {
            use super::{avx2::Avx2, avx512::Avx512};
            // Eight ways fill half a register of sixteen: the narrower registers are faster then.
            match (Avx512::of(*isa).filter(|_| ways >= 16), Avx2::of(*isa)) {
                (Some(avx512), _) => avx512.rounds(table, states, ways, words, at, symbols),
                (None, Some(avx2)) => avx2.rounds(table, states, ways, words, at, symbols),
                (None, None) => 0,
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        let n_done = {
            let _ = isa;
            0
        };
        n_done + scalar::rounds(table, &mut states.0[..ways], words, at, &mut symbols[n_done..])
    }
}

#[inline(always)]
fn broken(offset: usize, rule: &'static str, problem: &'static str) -> EntropyError {
    EntropyError::stream(offset, rule, problem)
}

/// Whether symbols are decoded with vectors there, and not one way after the other.
pub(super) fn has_vectors(isa: Isa) -> bool {
    #[cfg(target_arch = "x86_64")]
    return super::avx2::Avx2::of(isa).is_some();
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        false
    }
}
