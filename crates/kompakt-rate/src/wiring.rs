//! Connections die where they are worth less than their bits, and are regrown where the gradient is largest.
//!
//! ```text
//! worth of a connection       = curvature / 2 x weight^2 / bits        the least die first
//!                               (bits: its own, and its part of its unit's)
//! promise of a missing one    = gradient^2 / (2 curvature) / bits      the most promising are added, at zero
//! ```
//!
//! The curvature of a connection is the mean square of its gradient (the empirical Fisher information); of a
//! missing one, the product of the mean squares of its input (in a convolution with groups, of all groups) and of its output's gradient. In a
//! chain of layers, rows that read nothing become part of the biases after them; rows that nothing reads are removed.
//!
//! Where connections live and die in [`Blocks`], the worth of a block is that of all of its connections, and so are its bits: one
//! flag, and a level each.

use crate::{
    blocks::{Blocks, Kept},
    code_length::{CodeLengths, Counts},
    layer::{Probe, SparseLayer},
    net::Net,
};

/// The outcome of a change of the connections.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Change {
    /// The price of a bit: a tenth of the remaining blocks are worth less for each of theirs.
    pub(crate) price: f32,
    pub(crate) n_died: usize,
    pub(crate) n_grown: usize,
}

/// The budget of connections, in bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// All of them, by the estimate.
    pub(crate) bits: f64,
    /// The level of a weight that is not shared yet.
    pub(crate) level_bits: f32,
    /// The cost of a unit besides that, shared by the connections that it reads: it affects only which die
    /// first.
    pub(crate) unit_bits: f32,
}

/// Prunes connections until the estimate is within the budget, after adding `n_grow` others.
///
/// `growth` holds the gradient statistics of every weight, and how many may be added. Curvatures are those of
/// steps of `batch` examples.
pub(crate) fn rewire(
    net: &mut Net,
    budget: Budget,
    batch: usize,
    growth: Option<(&[Probe], usize)>,
) -> Change {
    let mut change = Change::default();
    let level_bits = budget.level_bits;
    let last = net.layers.len() - 1;
    let lengths = CodeLengths::of(net, level_bits);
    let kept: Vec<Kept> =
        net.layers.iter().zip(&net.geometry).map(|(l, g)| Blocks::of(net.block, g).kept(l)).collect();
    let mut worth: Vec<(f32, u32, &[u32])> = Vec::with_capacity(net.n_blocks());
    for (l, (layer, bits)) in net.layers.iter().zip(&lengths.of_connections).enumerate() {
        let unit_bits = if l == last { 0.0 } else { budget.unit_bits };
        let rows = layer.row_of();
        for block in kept[l].iter() {
            let (mut gain, mut price) = (0.0, 0.0);
            for i in block.iter().map(|&i| i as usize) {
                let w = layer.weight.latent[i];
                let curvature = layer.weight.second[i] * batch as f32;
                gain += 0.5 * curvature * w * w;
                price += bits[i] + unit_bits / layer.row(rows[i] as usize).len() as f32;
            }
            worth.push((gain / price, l as u32, block));
        }
    }
    // Blocks of a layer are told apart by their first connection.
    worth.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2[0]).cmp(&(b.1, b.2[0]))));
    let new = growth.map_or_else(Vec::new, |(probes, n)| candidates(net, probes, n, level_bits));
    let new_bits: f64 = new.iter().map(|c| f64::from(c.bits) + std::f64::consts::LOG2_E).sum();
    change.n_grown = new.iter().map(|c| c.connections.len()).sum();
    let mut keep: Vec<Vec<bool>> = net.layers.iter().map(|layer| vec![true; layer.len()]).collect();
    let mut total = lengths.total + new_bits;
    let mut n_dead_blocks = 0;
    for &(_, layer, block) in &worth {
        if total <= budget.bits {
            break;
        }
        let mut bits = 0.0;
        for i in block.iter().map(|&i| i as usize) {
            keep[layer as usize][i] = false;
            bits += f64::from(lengths.of_connections[layer as usize][i]);
        }
        total -= bits + std::f64::consts::LOG2_E;
        change.n_died += block.len();
        n_dead_blocks += 1;
    }
    // The tenth part of what remains: those just added are among the least, whatever they will be worth.
    let n_left = worth.len() - n_dead_blocks;
    change.price = worth.get(n_dead_blocks + n_left / 10).map_or(0.0, |w| w.0);
    for (l, keep) in keep.iter().enumerate() {
        let mine = new.iter().filter(|c| c.layer == l);
        let mine: Vec<(u32, u32, f32)> = mine
            .flat_map(|c| c.connections.iter().map(|&(column, latent)| (c.row, column, latent)))
            .collect();
        net.layers[l].rewire(keep, &mine);
    }
    settle_units(net);
    net.refresh();
    change
}

/// A missing block.
struct Candidate {
    promise: f32,
    bits: f32,
    layer: usize,
    row: u32,
    block: u32,
    /// Columns and initial values: next to nothing, in the direction that decreases the loss.
    connections: Vec<(u32, f32)>,
}

/// The most promising missing blocks, of about `n` connections.
fn candidates(net: &Net, probes: &[Probe], n: usize, level_bits: f32) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for (l, ((layer, geometry), probe)) in net.layers.iter().zip(&net.geometry).zip(probes).enumerate() {
        let blocks = Blocks::of(net.block, geometry);
        let counts = Counts::of(geometry, layer, blocks);
        let cols = geometry.cols();
        let mean_column = probe.of_column.iter().sum::<f32>() / cols as f32;
        let mean_row = probe.of_row.iter().sum::<f32>() / layer.live.len().max(1) as f32;
        for &row in &layer.live {
            let mut is_there = vec![false; blocks.in_row()];
            let own = &layer.column[layer.row(row as usize)];
            own.iter().for_each(|&column| is_there[blocks.of_column(column as usize)] = true);
            let gradients = &probe.gradient[row as usize * cols..][..cols];
            let promise_of = |column: usize| {
                let flow = (probe.of_column[column] + 0.05 * mean_column)
                    * (probe.of_row[row as usize] + 0.05 * mean_row);
                gradients[column] * gradients[column] / flow.max(1e-30)
            };
            for block in (0..is_there.len()).filter(|&block| !is_there[block]) {
                if blocks.columns(block).all(|column| gradients[column] == 0.0) {
                    continue;
                }
                let n_levels = blocks.columns(block).count() as f32;
                let bits = counts.bits(row as usize, block, false) + n_levels * level_bits;
                let promise = blocks.columns(block).map(promise_of).fold(0.0, |sum, p| sum + p) / bits;
                let (block, connections) = (block as u32, Vec::new());
                found.push(Candidate { promise, bits, layer: l, row, block, connections });
            }
        }
    }
    let n = n.div_ceil(net.block.n_inputs()).min(found.len());
    if n > 0 {
        found.select_nth_unstable_by(n - 1, |a, b| {
            b.promise.total_cmp(&a.promise).then((a.layer, a.row, a.block).cmp(&(b.layer, b.row, b.block)))
        });
    }
    found.truncate(n);
    for candidate in &mut found {
        let geometry = &net.geometry[candidate.layer];
        let gradients = &probes[candidate.layer].gradient[candidate.row as usize * geometry.cols()..];
        let columns = Blocks::of(net.block, geometry).columns(candidate.block as usize);
        candidate.connections =
            columns.map(|column| (column as u32, -1e-4 * gradients[column].signum())).collect();
    }
    found
}

/// Leaves each hidden layer its `units` strongest rows, by the product of the norms of their input and output
/// weights; the others lose their connections for good.
pub(crate) fn narrow(net: &mut Net, units: &[usize]) {
    for (l, &n) in units.iter().enumerate().take(net.layers.len() - 1) {
        let strength = strengths(net, l);
        let mut order: Vec<usize> = (0..strength.len()).collect();
        order.sort_by(|&a, &b| strength[b].total_cmp(&strength[a]).then(a.cmp(&b)));
        let mut stays = vec![false; strength.len()];
        order.iter().take(n).for_each(|&row| stays[row] = true);
        let keep: Vec<bool> = net.layers[l].row_of().iter().map(|&row| stays[row as usize]).collect();
        net.layers[l].rewire(&keep, &[]);
    }
    settle_units(net);
    net.refresh();
}

/// The strength of each row of layer `l`: the product of the norms of its input and output weights.
fn strengths(net: &Net, l: usize) -> Vec<f32> {
    let (layer, reader) = (&net.layers[l], &net.layers[l + 1]);
    let spread = net.geometry[l + 1].cols() / layer.rows();
    let mut squares = vec![(0.0f32, 0.0f32); layer.rows()];
    for (row, w) in layer.row_of().iter().zip(&layer.weight.latent) {
        squares[*row as usize].0 += w * w;
    }
    for (column, w) in reader.column.iter().zip(&reader.weight.latent) {
        squares[*column as usize / spread].1 += w * w;
    }
    squares.into_iter().map(|(read, said)| (read * said).sqrt()).collect()
}

/// Rows that nothing reads lose their connections; the output of rows without connections moves into the
/// biases after them.
fn settle_units(net: &mut Net) {
    if let Some(stages) = &net.stages {
        let rows = stages.rows_read(&net.geometry, &net.layers);
        net.layers.iter_mut().zip(rows).for_each(|(layer, is_read)| silence(layer, &is_read));
        return;
    }
    loop {
        let mut has_changed = false;
        for l in 0..net.layers.len() - 1 {
            let spread = net.geometry[l + 1].cols() / net.geometry[l].rows();
            let n_rows = net.layers[l].rows();
            let mut is_read = vec![false; n_rows];
            net.layers[l + 1].column.iter().for_each(|&c| is_read[c as usize / spread] = true);
            let is_empty = |r: usize| net.layers[l].row(r).is_empty();
            let unread: Vec<bool> = (0..n_rows).map(|r| !is_read[r] && !is_empty(r)).collect();
            // The connections of one that a block reads stay: a part of a block would go.
            let may_fold = net.block.is_single();
            let constant: Vec<bool> = (0..n_rows).map(|r| may_fold && is_read[r] && is_empty(r)).collect();
            if unread.contains(&true) {
                has_changed = true;
                let rows = net.layers[l].row_of();
                let keep: Vec<bool> = rows.iter().map(|&r| !unread[r as usize]).collect();
                net.layers[l].rewire(&keep, &[]);
            }
            if constant.contains(&true) {
                has_changed = true;
                let has_relu = net.steps.iter().any(|step| step.layer == l && step.relu);
                fold(net, l, spread, &constant, has_relu);
            }
        }
        if !has_changed {
            return;
        }
    }
}

/// Takes connections and bias from the rows that nothing reads.
fn silence(layer: &mut SparseLayer, is_read: &[bool]) {
    let keep: Vec<bool> = layer.row_of().iter().map(|&row| is_read[row as usize]).collect();
    if keep.contains(&false) {
        layer.rewire(&keep, &[]);
    }
    for (row, _) in is_read.iter().enumerate().filter(|(_, is_read)| !**is_read) {
        (layer.bias.latent[row], layer.bias_value[row]) = (0.0, 0.0);
        (layer.bias.first[row], layer.bias.second[row]) = (0.0, 0.0);
    }
}

/// Moves the output of constant rows of layer `l` into the biases of the next.
fn fold(net: &mut Net, l: usize, spread: usize, constant: &[bool], has_relu: bool) {
    let said: Vec<f32> =
        net.layers[l].bias_value.iter().map(|&b| if has_relu { b.max(0.0) } else { b }).collect();
    let reader = &mut net.layers[l + 1];
    let rows = reader.row_of();
    let mut keep = vec![true; reader.len()];
    for i in 0..reader.len() {
        let unit = reader.column[i] as usize / spread;
        if constant[unit] {
            let row = rows[i] as usize;
            reader.bias.latent[row] += reader.value[i] * said[unit];
            reader.bias_value[row] += reader.value[i] * said[unit];
            keep[i] = false;
        }
    }
    reader.rewire(&keep, &[]);
    for (unit, _) in constant.iter().enumerate().filter(|(_, c)| **c) {
        net.layers[l].bias.latent[unit] = 0.0;
        net.layers[l].bias_value[unit] = 0.0;
    }
}
