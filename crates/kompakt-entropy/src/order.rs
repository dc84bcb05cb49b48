//! The order of hidden units that compresses best.
//!
//! A network computes the same for any order of its hidden units, so the order is free: it is not stored, and
//! its information is saved. A coder that uses the row before gains most if similar units are adjacent, so
//! this searches for the path through all units with the largest sum of similarities: greedily from the
//! densest unit, then improved by moving short segments and by reversing segments. Units that keep nothing
//! come last.
//!
//! Integer arithmetic throughout: the same order on every machine.

use crate::{MaskedCodes, likeness::Likeness};
use alloc::{vec, vec::Vec};

/// With more live units than this, only units of similar density are compared, and the path is not improved.
const MAX_ALL_PAIRS: usize = 1024;
/// How many units are then looked at for the next place.
const N_CANDIDATES: usize = 64;
/// The maximum number of improvement passes.
const N_SWEEPS: usize = 20;
/// The longest segment that is moved.
const MAX_PIECE: usize = 3;

/// The best order of the rows of `weights`: entry `i` is the row that should come `i`-th.
///
/// `consumer` is the layer that reads these units, if it is known; its channels are then to be put in the same
/// order. Deterministic; takes time in proportion to the square of the units up to 1024, linear beyond.
///
/// Panics: if the weights are not valid.
pub fn unit_order(weights: &MaskedCodes<'_>, consumer: Option<&MaskedCodes<'_>>) -> Vec<u32> {
    let likeness = Likeness::new(weights, consumer);
    let mut live: Vec<usize> = (0..weights.rows).filter(|&unit| likeness.n_kept(unit) > 0).collect();
    live.sort_by_key(|&unit| (core::cmp::Reverse(likeness.n_kept(unit)), unit));
    let mut path = if live.len() <= MAX_ALL_PAIRS {
        let table = Table::new(&live, &likeness);
        let mut path = table.greedy(live.len());
        for _ in 0..N_SWEEPS {
            let improved = table.move_pieces(&mut path);
            if !(table.turn_pieces(&mut path) || improved) {
                break;
            }
        }
        path.into_iter().map(|i| live[i]).collect()
    } else {
        windowed(&live, &likeness)
    };
    path.extend((0..weights.rows).filter(|&unit| likeness.n_kept(unit) == 0));
    path.into_iter().map(|unit| unit as u32).collect()
}

/// Greedily, among the next units in order of density.
fn windowed(live: &[usize], likeness: &Likeness) -> Vec<usize> {
    let mut path = vec![live[0]];
    let mut waiting: Vec<usize> = Vec::with_capacity(N_CANDIDATES);
    let mut rest = live[1..].iter();
    loop {
        waiting.extend(rest.by_ref().take(N_CANDIDATES - waiting.len()));
        let last = path[path.len() - 1];
        let Some(best) = best(waiting.iter().map(|&unit| likeness.between(last, unit))) else {
            return path;
        };
        path.push(waiting.remove(best));
    }
}

/// The index of the largest; of several, the first.
fn best(gains: impl Iterator<Item = i64>) -> Option<usize> {
    gains.enumerate().max_by_key(|&(i, gain)| (gain, core::cmp::Reverse(i))).map(|(i, _)| i)
}

/// What each unit gains by standing after each other one.
struct Table {
    gains: Vec<i64>,
    n: usize,
}

impl Table {
    fn new(units: &[usize], likeness: &Likeness) -> Self {
        let gains = units.iter().flat_map(|&a| units.iter().map(move |&b| likeness.between(a, b))).collect();
        Self { gains, n: units.len() }
    }

    /// Of `b` standing after `a`; nothing at either end of the path.
    fn gain(&self, a: Option<&usize>, b: Option<&usize>) -> i64 {
        a.zip(b).map_or(0, |(&a, &b)| self.gains[a * self.n + b])
    }

    fn greedy(&self, n: usize) -> Vec<usize> {
        let mut rest: Vec<usize> = (0..n).collect();
        let mut path = Vec::with_capacity(n);
        while !rest.is_empty() {
            let next = best(rest.iter().map(|unit| self.gain(path.last(), Some(unit)))).unwrap_or(0);
            path.push(rest.remove(next));
        }
        path
    }

    /// Moves each segment of up to [`MAX_PIECE`] units to its best position. Returns whether anything moved.
    fn move_pieces(&self, path: &mut Vec<usize>) -> bool {
        let mut moved = false;
        for len in 1..=MAX_PIECE {
            for from in 0..(path.len() + 1).saturating_sub(len) {
                let piece: Vec<usize> = path.drain(from..from + len).collect();
                let to = self.place(path, &piece, from);
                moved |= to != from;
                path.splice(to..to, piece);
            }
        }
        moved
    }

    /// The best position of a segment in `path`; `from` if no other is better.
    fn place(&self, path: &[usize], piece: &[usize], from: usize) -> usize {
        let gain = |at: usize| {
            let (before, after) = (at.checked_sub(1).and_then(|i| path.get(i)), path.get(at));
            self.gain(before, piece.first()) + self.gain(piece.last(), after) - self.gain(before, after)
        };
        let (mut to, mut most) = (from, gain(from));
        for at in 0..=path.len() {
            if gain(at) > most {
                (to, most) = (at, gain(at));
            }
        }
        to
    }

    /// Reverses each segment that fits better reversed. Returns whether any did.
    fn turn_pieces(&self, path: &mut [usize]) -> bool {
        let mut turned = false;
        for from in 0..path.len() {
            // Along the segment as it is, and reversed.
            let (mut forth, mut back) = (0, 0);
            for to in from + 1..path.len() {
                forth += self.gain(Some(&path[to - 1]), Some(&path[to]));
                back += self.gain(Some(&path[to]), Some(&path[to - 1]));
                let (before, after) = (from.checked_sub(1).map(|i| &path[i]), path.get(to + 1));
                let now = self.gain(before, Some(&path[from])) + forth + self.gain(Some(&path[to]), after);
                let then = self.gain(before, Some(&path[to])) + back + self.gain(Some(&path[from]), after);
                if then > now {
                    path[from..=to].reverse();
                    core::mem::swap(&mut forth, &mut back);
                    turned = true;
                }
            }
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(mask: &[bool], rows: usize) -> MaskedCodes<'_> {
        static CODES: [u8; 64] = [0; 64];
        let channels = mask.len() / rows;
        let codes = &CODES[..mask.len()];
        MaskedCodes {
            rows,
            channels,
            taps: 1,
            mask: Some(mask),
            block: 1,
            trellis: false,
            codes,
            n_levels: 1,
            n_negative: 0,
        }
    }

    #[test]
    fn dead_units_come_last_and_alike_ones_stand_together() {
        let rows = ["##......", "....##..", "........", "##......", "....##..", "###....."];
        let mask: Vec<bool> = rows.concat().bytes().map(|b| b == b'#').collect();
        let order = unit_order(&weights(&mask, 6), None);
        assert_eq!(order[5], 2);
        let place = |unit: u32| order.iter().position(|&u| u == unit).unwrap();
        assert!(place(0).abs_diff(place(3)) == 1 && place(1).abs_diff(place(4)) == 1, "{order:?}");
    }

    #[test]
    fn every_order_is_a_permutation() {
        arbtest::arbtest(|u| {
            let rows = u.int_in_range(1..=8)?;
            let mask: Vec<bool> = (0..rows * 8).map(|_| u.arbitrary()).collect::<Result<_, _>>()?;
            let layer = weights(&mask, rows);
            let mut order = unit_order(&layer, Some(&weights(&mask[..rows * 3], 3)));
            order.sort_unstable();
            assert!(order.into_iter().eq(0..rows as u32));
            Ok(())
        });
    }

    #[test]
    fn a_window_does_as_well_with_few_units() {
        let mask: Vec<bool> = (0..64).map(|i| i % 3 == 0 || i % 5 == 0).collect();
        let likeness = Likeness::new(&weights(&mask, 8), None);
        let live: Vec<usize> = (0..8).collect();
        let path = Table::new(&live, &likeness).greedy(8);
        assert_eq!(path, windowed(&live, &likeness));
    }
}
