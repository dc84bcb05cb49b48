//! The encoder: scalar, and backwards, because rANS is last in, first out.

use super::alias::{Alias, BUCKETS};
use super::{Histogram, LOWEST, MAX_LOG2_WAYS, SLOT_BITS, SLOTS};
use alloc::{vec, vec::Vec};

/// A histogram prepared for encoding: the slots of each symbol.
#[derive(Debug, Clone)]
pub struct Slots {
    freqs: Vec<u16>,
    /// Where the slots of each symbol start in `slots`.
    starts: Vec<u16>,
    /// For each symbol, for each rank, the slot.
    slots: Vec<u16>,
}

impl Slots {
    /// The slots of a histogram.
    pub fn new(histogram: &Histogram) -> Self {
        let freqs = histogram.freqs().to_vec();
        let starts = histogram.starts();
        let mut slots: Vec<u16> = (0..SLOTS as u16).collect();
        // A lone symbol's slots stay in order, so that coding it leaves the state as it is.
        if freqs.len() <= BUCKETS && histogram.one_symbol().is_none() {
            let alias = Alias::new(&freqs);
            for slot in 0..SLOTS {
                let (symbol, rank) = alias.lookup(slot);
                slots[usize::from(starts[usize::from(symbol)] + rank)] = slot as u16;
            }
        }
        Self { freqs, starts, slots }
    }
}

/// Codes runs of symbols, the **last run first**: [`push`](Self::push) them in the reverse of the order in which
/// they will be decoded.
#[derive(Debug, Clone)]
pub struct Encoder {
    states: Vec<u32>,
    /// The words, last first.
    words: Vec<u16>,
}

impl Encoder {
    /// An encoder with `1 << log2_ways` ways; at most [`MAX_LOG2_WAYS`].
    pub fn new(log2_ways: u32) -> Self {
        Self { states: vec![LOWEST; 1 << log2_ways.min(MAX_LOG2_WAYS)], words: Vec::new() }
    }

    /// Prepends a run of symbols to those pushed so far.
    ///
    /// Panics: if a symbol has no slot in the histogram that `slots` was made from.
    pub fn push(&mut self, slots: &Slots, symbols: &[u8]) {
        let ways = self.states.len();
        for (i, &symbol) in symbols.iter().enumerate().rev() {
            let state = &mut self.states[i % ways];
            let freq = u32::from(slots.freqs[usize::from(symbol)]);
            assert!(freq > 0, "symbol {symbol} has no slot");
            if u64::from(*state) >= u64::from(freq) << (32 - SLOT_BITS) {
                self.words.push(*state as u16);
                *state >>= 16;
            }
            let rank = usize::from(slots.starts[usize::from(symbol)]) + (*state % freq) as usize;
            *state = (*state / freq) << SLOT_BITS | u32::from(slots.slots[rank]);
        }
    }

    /// The stream: the state of each way, 4 bytes each, then the words, 2 bytes each.
    pub fn finish(self) -> Vec<u8> {
        let states = self.states.iter().flat_map(|state| state.to_le_bytes());
        let words = self.words.iter().rev().flat_map(|word| word.to_le_bytes());
        states.chain(words).collect()
    }
}
