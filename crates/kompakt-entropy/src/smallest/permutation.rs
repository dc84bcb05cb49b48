//! An order of things: mostly runs that ascend or descend by one, and jumps between them.

use super::{binary::Coder, counter::Counter};
use alloc::vec::Vec;

const LIMIT: u32 = 60;

/// The models of orders; they live as long as a stream.
#[derive(Debug, Clone)]
pub(crate) struct PermutationModel {
    /// Whether the next is one more than the last, and whether it is one less: by the two flags before.
    up: [Counter; 4],
    down: [Counter; 4],
}

impl PermutationModel {
    pub(crate) fn new() -> Self {
        Self { up: [Counter::NEW; 4], down: [Counter::NEW; 4] }
    }

    /// Codes `order`, a permutation of 0 to its length less 1; a reader fills one in, whatever it reads.
    pub(crate) fn code<C: Coder>(&mut self, coder: &mut C, order: &mut [u32]) {
        let mut rest: Vec<u32> = (0..order.len() as u32).collect();
        // So that an order that begins with 0 begins with a step up.
        let (mut last, mut ups, mut downs) = (u32::MAX, 0, 0);
        for slot in order.iter_mut() {
            let find = |rest: &[u32], wanted: u32| rest.binary_search(&wanted).ok();
            let (up, down) = (find(&rest, last.wrapping_add(1)), find(&rest, last.wrapping_sub(1)));
            let mut index = None;
            if let Some(i) = up {
                let is_up = bit(coder, &mut self.up[ups], *slot == rest[i]);
                ups = (ups << 1 | usize::from(is_up)) & 3;
                index = is_up.then_some(i);
            }
            if let (Some(i), None) = (down, index) {
                let is_down = bit(coder, &mut self.down[downs], *slot == rest[i]);
                downs = (downs << 1 | usize::from(is_down)) & 3;
                index = is_down.then_some(i);
            }
            let index = index.unwrap_or_else(|| {
                let wanted = find(&rest, *slot).unwrap_or(0);
                even(coder, wanted, rest.len())
            });
            last = rest.remove(index);
            *slot = last;
        }
    }
}

fn bit<C: Coder>(coder: &mut C, counter: &mut Counter, bit: bool) -> bool {
    let bit = coder.code(bit, (counter.p() >> 6).clamp(1, 65535));
    counter.learn(bit, LIMIT);
    bit
}

/// A number below `n`, at least 1, all as likely: by halves.
fn even<C: Coder>(coder: &mut C, wanted: usize, n: usize) -> usize {
    let (mut lo, mut hi) = (0, n);
    while hi - lo > 1 {
        let middle = usize::midpoint(lo, hi);
        let p = (((hi - middle) << 16) / (hi - lo)).clamp(1, 65535) as u32;
        if coder.code(wanted >= middle, p) { lo = middle } else { hi = middle }
    }
    lo
}
