//! The reference decoder: one way after the other.

use super::table::{Kind, Table};
use super::{LOWEST, SLOT_BITS, SLOTS};

/// Decodes rounds of `states.len()` symbols into `out`, a whole number of rounds or less than one, for as long
/// as `words` has two bytes for each way at `at`. Returns how many symbols were decoded.
pub(super) fn rounds(
    table: &Table,
    states: &mut [u32],
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    match &table.0 {
        Kind::One(symbol) => {
            out.fill(*symbol);
            out.len()
        }
        Kind::Small(small) => each_round(|state| small.lookup(state), states, words, at, out),
        Kind::Large(entries) => each_round(|state| entries[state as usize % SLOTS], states, words, at, out),
    }
}

#[inline]
fn each_round(
    lookup: impl Fn(u32) -> u32,
    states: &mut [u32],
    words: &[u8],
    at: &mut usize,
    out: &mut [u8],
) -> usize {
    let mut n_done = 0;
    for round in out.chunks_mut(states.len()) {
        let Some(window) = words.get(*at..*at + 2 * states.len()) else {
            break;
        };
        let mut n_used = 0;
        for (symbol, state) in round.iter_mut().zip(states.iter_mut()) {
            let entry = lookup(*state);
            *symbol = entry as u8;
            let rank = state.wrapping_add(entry >> (32 - SLOT_BITS)) % SLOTS as u32;
            let next = (entry >> 8) % SLOTS as u32 * (*state >> SLOT_BITS) + rank;
            // Always read: a select is cheaper than a branch.
            let word = match window.get(n_used..n_used + 2) {
                Some(&[low, high]) => u32::from(u16::from_le_bytes([low, high])),
                _ => 0,
            };
            let is_short = next < LOWEST;
            *state = if is_short { next << 16 | word } else { next };
            n_used += 2 * usize::from(is_short);
        }
        *at += n_used;
        n_done += round.len();
    }
    n_done
}
