//! The assignment of slots to symbols for alphabets of at most 16: the alias method, in integers.
//!
//! The 4096 slots are 16 buckets of 256. Bucket `b` belongs to symbol `b` up to its divider and to one other
//! symbol from there on, so 16 dividers and 32 entries suffice, and they fit vector registers:
//!
//! ```text
//! frequencies  0: 700   1: 100   2: 3296          (of 4096; symbols 3 to 15 have none)
//! bucket 0   | 0 0 0 0 0 0 0 0 0 0 0 0 |          256 slots of symbol 0
//! bucket 1   | 1 1 1 1 1 | 2 2 2 2 2 2 |          100 of symbol 1, then 156 lent by symbol 2
//! bucket 2   | 2 2 2 2 2 2 2 2 2 2 2 2 |
//! bucket 3   | 2 2 2 2 …                          symbol 3 has none of its own
//! ```
//!
//! A symbol's slots are numbered, its `rank`s, 0 to its frequency - 1. The lowest are in its own bucket; a
//! lender gives away its highest.

use super::SLOTS;

/// How many buckets there are, and the largest alphabet that they serve.
pub(super) const BUCKETS: usize = 16;
/// Slots of a bucket.
pub(super) const BUCKET_SLOTS: usize = SLOTS / BUCKETS;

/// The slots of an alphabet of at most 16 symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alias {
    /// Slots of bucket `b` from this one on (0 to 255) are `other[b]`'s. A bucket of a single symbol has
    /// divider 0 and is its own other.
    pub(super) dividers: [u8; BUCKETS],
    /// The second symbol of each bucket.
    pub(super) others: [u8; BUCKETS],
    /// The rank of the slot at the divider.
    pub(super) ranks: [u16; BUCKETS],
}

impl Alias {
    /// Rule R-5. `freqs`: at most 16, together 4096.
    pub(super) fn new(freqs: &[u16]) -> Self {
        let mut own = [0usize; BUCKETS];
        for (own, &freq) in own.iter_mut().zip(freqs) {
            *own = freq.into();
        }
        let mut alias =
            Self { dividers: [0; BUCKETS], others: core::array::from_fn(|b| b as u8), ranks: [0; BUCKETS] };
        let (mut short, mut long) = (Stack::default(), Stack::default());
        for (bucket, &n) in own.iter().enumerate() {
            match n {
                0..BUCKET_SLOTS => short.push(bucket),
                BUCKET_SLOTS => {}
                _ => long.push(bucket),
            }
        }
        while let (Some(borrower), Some(lender)) = (short.pop(), long.pop()) {
            own[lender] -= BUCKET_SLOTS - own[borrower];
            alias.dividers[borrower] = own[borrower] as u8;
            alias.others[borrower] = lender as u8;
            alias.ranks[borrower] = own[lender] as u16;
            match own[lender] {
                0..BUCKET_SLOTS => short.push(lender),
                BUCKET_SLOTS => {}
                _ => long.push(lender),
            }
        }
        alias
    }

    /// The symbol and rank of a slot.
    pub(super) fn lookup(&self, slot: usize) -> (u8, u16) {
        let (bucket, place) = (slot / BUCKET_SLOTS % BUCKETS, slot % BUCKET_SLOTS);
        let divider = usize::from(self.dividers[bucket]);
        if place < divider {
            (bucket as u8, place as u16)
        } else {
            (self.others[bucket], self.ranks[bucket] + (place - divider) as u16)
        }
    }
}

/// At most 16 buckets, last in, first out.
#[derive(Default)]
struct Stack {
    items: [u8; BUCKETS],
    len: usize,
}

impl Stack {
    fn push(&mut self, bucket: usize) {
        self.items[self.len] = bucket as u8;
        self.len += 1;
    }

    fn pop(&mut self) -> Option<usize> {
        self.len = self.len.checked_sub(1)?;
        Some(self.items[self.len].into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Histogram;
    use super::*;

    /// Every symbol has exactly its frequency of slots, with every rank once.
    #[test]
    fn slots_are_shared_out_exactly() {
        arbtest::arbtest(|u| {
            let mut counts = [0u64; BUCKETS];
            for n in &mut counts {
                *n = if u.ratio(1, 4)? { 0 } else { 1 << u.int_in_range(0..=14)? };
            }
            let Some(histogram) = Histogram::of_counts(&counts) else { return Ok(()) };
            let alias = Alias::new(histogram.freqs());
            let mut seen = [[false; SLOTS]; BUCKETS];
            for slot in 0..SLOTS {
                let (symbol, rank) = alias.lookup(slot);
                assert!(rank < histogram.freqs()[usize::from(symbol)]);
                assert!(!core::mem::replace(&mut seen[usize::from(symbol)][usize::from(rank)], true));
            }
            Ok(())
        });
    }
}
