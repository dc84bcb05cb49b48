//! Decoding tables.

use super::alias::{Alias, BUCKETS};
use super::{Histogram, SLOT_BITS, SLOTS};
use crate::Isa;
use alloc::boxed::Box;

/// A histogram prepared for decoding. Any instruction set decodes with any table.
///
/// On the heap: nothing for one symbol; 192 bytes for up to 16 where the instruction set has vectors, else 16 kB.
#[derive(Debug, Clone)]
pub struct Table(pub(super) Kind);

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// One symbol with all slots. It needs no bits and no lookup.
    One(u8),
    /// At most 16 symbols, by bucket.
    Small(Box<Small>),
    /// The entry of every slot.
    Large(Box<[u32; SLOTS]>),
}

/// An [`Alias`] with the frequencies folded in.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Small {
    /// Places of bucket `b` from this one on, in bits 24 to 31, take entry `16 + b`.
    pub(super) dividers: [u32; BUCKETS],
    /// The entries of the buckets' own symbols, then of their others.
    pub(super) entries: [u32; 2 * BUCKETS],
}

/// An entry: the transition of a state.
///
/// ```text
/// bits 0-7    symbol
/// bits 8-19   freq        state' = freq * (state >> 12) + ((state + bias) & 4095)
/// bits 20-31  bias        so that (slot + bias) & 4095 is the slot's rank
/// ```
#[inline]
pub(super) fn entry(symbol: u8, freq: u16, bias: u32) -> u32 {
    u32::from(symbol) | u32::from(freq) << 8 | bias << (32 - SLOT_BITS)
}

impl Table {
    /// The bytes of heap memory that it holds.
    pub fn n_bytes(&self) -> usize {
        match &self.0 {
            Kind::One(_) => 0,
            Kind::Small(small) => size_of_val(&**small),
            Kind::Large(slots) => size_of_val(&**slots),
        }
    }

    /// The table of a histogram, in the form that suits `isa` best.
    pub fn new(histogram: &Histogram, isa: Isa) -> Self {
        let freqs = histogram.freqs();
        if let Some(symbol) = histogram.one_symbol() {
            return Self(Kind::One(symbol));
        }
        if freqs.len() > BUCKETS {
            return Self(Kind::Large(large(histogram)));
        }
        let small = Small::new(freqs);
        // Without vectors, one look-up in 16 kB is faster than two in 192 bytes: 0.54 against 0.36 G symbols/s.
        if !super::decode::has_vectors(isa) {
            Self(Kind::Large(by_slot(|slot| small.lookup(slot))))
        } else {
            Self(Kind::Small(Box::new(small)))
        }
    }

    /// The entry of every slot; one symbol with all of them has frequency 0 there.
    pub(crate) fn slots(&self) -> Box<[u32; SLOTS]> {
        match &self.0 {
            Kind::One(symbol) => by_slot(|_| u32::from(*symbol)),
            Kind::Small(small) => by_slot(|slot| small.lookup(slot)),
            Kind::Large(slots) => slots.clone(),
        }
    }

    /// The only symbol, if there is only one.
    pub fn one_symbol(&self) -> Option<u8> {
        match self.0 {
            Kind::One(symbol) => Some(symbol),
            _ => None,
        }
    }
}

impl Small {
    fn new(freqs: &[u16]) -> Self {
        let alias = Alias::new(freqs);
        let freq = |symbol: u8| freqs.get(usize::from(symbol)).copied().unwrap_or(0);
        let mut small = Self { dividers: [0; BUCKETS], entries: [0; 2 * BUCKETS] };
        for b in 0..BUCKETS {
            let first_slot = (b * SLOTS / BUCKETS) as u32;
            small.dividers[b] = u32::from(alias.dividers[b]) << 24;
            small.entries[b] = entry(b as u8, freq(b as u8), first_slot.wrapping_neg());
            let at_divider = first_slot + u32::from(alias.dividers[b]);
            let other_bias = u32::from(alias.ranks[b]).wrapping_sub(at_divider);
            small.entries[BUCKETS + b] = entry(alias.others[b], freq(alias.others[b]), other_bias);
        }
        small
    }

    /// The entry of the slot that `state` is in.
    #[inline]
    pub(super) fn lookup(&self, state: u32) -> u32 {
        let bucket = (state >> 8) as usize % BUCKETS;
        let other = usize::from(state << 24 >= self.dividers[bucket]);
        self.entries[other * BUCKETS + bucket]
    }
}

fn large(histogram: &Histogram) -> Box<[u32; SLOTS]> {
    let runs = histogram.freqs().iter().zip(histogram.starts()).enumerate();
    let mut entries = runs.flat_map(|(symbol, (&freq, start))| {
        let entry = entry(symbol as u8, freq, u32::from(start).wrapping_neg());
        core::iter::repeat_n(entry, freq.into())
    });
    by_slot(|_| entries.next().unwrap_or(0))
}

/// The entry of every slot, asked for in order.
fn by_slot(mut entry: impl FnMut(u32) -> u32) -> Box<[u32; SLOTS]> {
    let mut entries = Box::new([0; SLOTS]);
    for (slot, place) in entries.iter_mut().enumerate() {
        *place = entry(slot as u32);
    }
    entries
}
