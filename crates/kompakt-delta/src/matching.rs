//! Finds which unit of the old network each unit of the new one was.
//!
//! Layer by layer, from the input: the rows of a weight are compared with the old rows, whose channels are in the new order
//! already. Of all pairs the nearest are matched first.

use crate::moves::{Moves, reorder};
use kompakt_format::{Decoded, rows_and_cols};
use kompakt_graph::Graph;
use kompakt_numbers::SplitMix64;
use kompakt_pack::hidden_units;

/// Layers of more units than this stay as they are.
const MAX_UNITS: usize = 1024;
/// A row is compared by so many sums of its weights with random signs.
const N_SUMS: usize = 32;

/// The orders that bring the old parameters nearest to the new ones. Parameters are those of one graph; the old ones are
/// `None` where they do not fit.
pub(crate) fn find(graph: &Graph, old: &[Option<Decoded>], new: &[Option<Decoded>]) -> Moves {
    let mut old = old.to_vec();
    let mut moves = Moves { orders: Vec::new(), uses: vec![[0; 2]; graph.params().len()] };
    for index in 0..graph.params().len() {
        let Some(units) = hidden_units(graph, index) else { continue };
        let (rows, cols) = rows_and_cols(&graph.params()[index].shape);
        let (Some(Some(before)), Some(Some(after))) = (old.get(index), new.get(index)) else { continue };
        if !(2..=MAX_UNITS).contains(&rows) {
            continue;
        }
        let order = matched(&sums(before, rows, cols), &sums(after, rows, cols));
        if order.iter().enumerate().all(|(i, &unit)| i == unit as usize) {
            continue;
        }
        if !units.own.iter().chain(&units.readers).all(|&(parameter, _)| old[parameter].is_some()) {
            continue;
        }
        moves.orders.push(order.clone());
        let places = units.own.iter().map(|&(p, _)| (p, 0)).chain(units.readers.iter().map(|&(p, _)| (p, 1)));
        for (parameter, dimension) in places {
            let rows = rows_and_cols(&graph.params()[parameter].shape).0;
            moves.uses[parameter][dimension] = moves.orders.len() as u32;
            if let Some(old) = &mut old[parameter] {
                // An order of a layer's units fits its own parameters and readers.
                let _ = reorder(old, if dimension == 0 { 1 } else { rows }, &order);
            }
        }
    }
    moves
}

/// For every row, sums of its values with random signs: equal for equal rows, and near for near ones.
fn sums(decoded: &Decoded, rows: usize, cols: usize) -> Vec<[f32; N_SUMS]> {
    let values = decoded.to_f32();
    let mut random = SplitMix64::new(1);
    let signs: Vec<u64> = (0..cols).map(|_| random.bits()).collect();
    let of_row = |row: &[f32]| {
        let mut sums = [0.0; N_SUMS];
        for (&value, &signs) in row.iter().zip(&signs).filter(|(value, _)| **value != 0.0) {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += if signs >> i & 1 == 1 { value } else { -value };
            }
        }
        sums
    };
    (0..rows).map(|row| of_row(&values[row * cols..][..cols])).collect()
}

/// For each new unit the old one.
fn matched(old: &[[f32; N_SUMS]], new: &[[f32; N_SUMS]]) -> Vec<u32> {
    let n = new.len();
    let distance = |a: &[f32; N_SUMS], b: &[f32; N_SUMS]| -> f32 {
        a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
    };
    let mut pairs: Vec<(f32, u32, u32)> = Vec::with_capacity(n * n);
    for (i, after) in new.iter().enumerate() {
        pairs.extend(old.iter().enumerate().map(|(j, before)| (distance(before, after), i as u32, j as u32)));
    }
    // Of pairs as near, those that are in place, then those that ascend.
    pairs.sort_by(|a, b| {
        a.0.total_cmp(&b.0).then_with(|| (a.1 != a.2, a.1, a.2).cmp(&(b.1 != b.2, b.1, b.2)))
    });
    let mut order = vec![None; n];
    let mut taken = vec![false; n];
    for (_, i, j) in pairs {
        if order[i as usize].is_none() && !taken[j as usize] {
            order[i as usize] = Some(j);
            taken[j as usize] = true;
        }
    }
    order.into_iter().map(|unit| unit.unwrap_or(0)).collect()
}
