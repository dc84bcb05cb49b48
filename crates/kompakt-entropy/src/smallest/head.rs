//! The head of a compact stream: the bytes of a directory, each bit from the bytes before it.
//!
//! ```text
//! order 0   all bytes so far        ─► moves even odds
//! order 1   those after this byte   ─► moves that
//! order 2   … after these two       ─► and so on, to order 4
//! ```

use super::{
    binary::Coder,
    counter::Counter,
    tables::{TRUST_8, squash},
};
use alloc::{vec, vec::Vec};

/// Contexts of 0 to 4 bytes.
const N_ORDERS: usize = 5;
/// Counters of an order, 2 to this; contexts find theirs by a hash.
const SLOT_BITS: u32 = 13;
const LIMIT: u32 = 250;

/// The models of a directory's bytes.
#[derive(Debug, Clone)]
pub(crate) struct HeadModel {
    orders: [Vec<Counter>; N_ORDERS],
    /// The last four bytes, the latest lowest.
    before: u32,
}

impl HeadModel {
    pub(crate) fn new() -> Self {
        Self { orders: core::array::from_fn(|_| vec![Counter::NEW; 1 << SLOT_BITS]), before: 0 }
    }

    /// Begins another directory.
    pub(crate) fn restart(&mut self) {
        self.before = 0;
    }

    /// Codes the next byte.
    pub(crate) fn byte<C: Coder>(&mut self, coder: &mut C, byte: u8) -> u8 {
        let mut node = 1;
        for i in (0..8).rev() {
            let slots: [usize; N_ORDERS] = core::array::from_fn(|order| slot(order, self.before, node));
            let mut logit = 0;
            for (counters, slot) in self.orders.iter().zip(slots) {
                logit += counters[slot].evidence(logit, &TRUST_8);
            }
            let bit = coder.code(byte >> i & 1 == 1, squash(logit));
            for (counters, slot) in self.orders.iter_mut().zip(slots) {
                counters[slot].learn(bit, LIMIT);
            }
            node = node << 1 | u32::from(bit);
        }
        self.before = self.before << 8 | (node & 255);
        node as u8
    }
}

/// Where the context of the last `order` bytes and of a node of the byte's tree has its counter.
fn slot(order: usize, before: u32, node: u32) -> usize {
    let context = (u64::from(before) & ((1 << (8 * order)) - 1)) as u32;
    let both = context.wrapping_mul(0x9E37_79B1) ^ node.wrapping_mul(0x85EB_CA6B);
    (both.wrapping_mul(0x9E37_79B1) >> (32 - SLOT_BITS)) as usize
}
