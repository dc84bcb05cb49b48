//! Bytes that are much like other bytes: most are found at a place that moves along in those.
//!
//! ```text
//! like    a4 01 48 00 … 02 81 04 …
//!                       ↑ place: the byte expected next
//! bytes   a4 01 48 00 … 02 81 07        hit, hit, …, miss: the byte itself
//! ```
//!
//! After a miss the place is the one after the last occurrence of the four bytes before, if they occur; else one further.

use super::{
    binary::Coder,
    counter::Counter,
    tables::{TRUST_8, squash, stretch},
};
use alloc::{collections::BTreeMap, vec, vec::Vec};

/// Bytes that a place is found by.
const N_FOUND_BY: usize = 4;
const LIMIT: u32 = 250;

/// The models of bytes; they live as long as a stream.
#[derive(Debug, Clone)]
pub(crate) struct ByteModel {
    /// By the last six hits and misses.
    hit: Vec<Counter>,
    /// Trees of eight bits: one for all, and by the byte before.
    all: Vec<Counter>,
    after: Vec<Counter>,
}

impl ByteModel {
    pub(crate) fn new() -> Self {
        Self {
            hit: vec![Counter::seen(3_900_000, 4); 64],
            all: vec![Counter::NEW; 256],
            after: vec![Counter::NEW; 256 * 256],
        }
    }

    /// Codes `bytes`; a reader fills them in.
    pub(crate) fn code<C: Coder>(&mut self, coder: &mut C, bytes: &mut [u8], like: &[u8]) {
        let places: BTreeMap<&[u8], usize> =
            like.windows(N_FOUND_BY).enumerate().map(|(i, four)| (four, i + N_FOUND_BY)).collect();
        let (mut place, mut history) = (0, 63);
        for i in 0..bytes.len() {
            let mut is_hit = false;
            if let Some(&expected) = like.get(place) {
                let counter = &mut self.hit[history];
                is_hit = coder.code(bytes[i] == expected, (counter.p() >> 6).clamp(1, 65535));
                counter.learn(is_hit, LIMIT);
                history = (history << 1 | usize::from(is_hit)) & 63;
                if is_hit {
                    bytes[i] = expected;
                }
            }
            place += 1;
            if !is_hit {
                let before = i.checked_sub(1).map_or(0, |i| bytes[i]);
                bytes[i] = self.literal(coder, bytes[i], before);
                let last = (i + 1).checked_sub(N_FOUND_BY).map(|from| &bytes[from..=i]);
                place = last.and_then(|four| places.get(four).copied()).unwrap_or(place);
            }
        }
    }

    fn literal<C: Coder>(&mut self, coder: &mut C, byte: u8, before: u8) -> u8 {
        let mut node = 1;
        for i in (0..8).rev() {
            let (all, after) = (&mut self.all[node], &mut self.after[usize::from(before) << 8 | node]);
            let base = stretch(all.p());
            let p = squash(base + after.evidence(base, &TRUST_8));
            let bit = coder.code(byte >> i & 1 == 1, p);
            all.learn(bit, LIMIT);
            after.learn(bit, LIMIT);
            node = node << 1 | usize::from(bit);
        }
        node as u8
    }
}
