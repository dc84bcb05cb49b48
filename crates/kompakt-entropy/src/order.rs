//! The order of hidden units that codes best.
//!
//! A network computes the same whatever the order of its hidden units, so the order may be chosen: it is not
//! stored, and what it could have said is saved.

use crate::Weights;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// The best order of the rows of `weights`: entry `i` is the row that should come `i`-th.
///
/// `consumer` is the layer that reads these units, if it is known; its channels are then to be put in the same
/// order. Deterministic; rows that are equal in everything keep their order.
///
/// Panics: if the weights are not valid.
pub fn unit_order(weights: &Weights<'_>, consumer: Option<&Weights<'_>>) -> Vec<u32> {
    let row_len = weights.row_len();
    let kept = |row: usize| (row * row_len..(row + 1) * row_len).filter(|&i| weights.is_kept(i)).count();
    let read = |row: usize| consumer.map_or(0, |c| channel_count(c, row, weights.rows));
    let mut order: Vec<(Reverse<usize>, Reverse<usize>, usize)> =
        (0..weights.rows).map(|row| (Reverse(kept(row)), Reverse(read(row)), row)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, row)| row as u32).collect()
}

/// How many weights of `consumer` read unit `unit` of `n_units`: each feeds the same number of channels.
fn channel_count(consumer: &Weights<'_>, unit: usize, n_units: usize) -> usize {
    let span = consumer.row_len() / n_units.max(1);
    (0..consumer.rows)
        .flat_map(|row| (0..span).map(move |i| row * consumer.row_len() + unit * span + i))
        .filter(|&i| consumer.is_kept(i))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_rows_come_first() {
        let mask = [false, false, true, false, true, true];
        let weights = Weights {
            rows: 3,
            channels: 2,
            taps: 1,
            mask: Some(&mask),
            codes: &[0; 6],
            n_levels: 1,
            n_negative: 0,
        };
        assert_eq!(unit_order(&weights, None), [2, 1, 0]);
    }
}
