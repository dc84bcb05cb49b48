//! Units with no input or no output leave the graph; the function stays.
//!
//! - A unit that no kept weight reads is dropped.
//! - A unit with no kept weight of its own is a constant, its bias, at every position. What the constant adds to
//!   its readers moves into their biases, and the unit is dropped. Where that is not exact (a reader without
//!   bias, zero padding around a non-zero image) the unit stays.
//!
//! Where weights are kept or dropped in blocks of input channels, the units that one block reads are dropped together or stay, so
//! that blocks are what they were.
//!
//! Dropping units can leave others without a reader, so this is repeated until nothing changes. One unit per
//! layer always stays, and so does every unit that passes an add, a concat or the output.

use crate::{error::PruneError, reach};
use kompakt_graph::{Graph, Op, Padding, Reader};
use kompakt_model::{Block, Model, Numbers, Parameter};
use std::collections::BTreeSet;

/// How many units a layer lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The layer's node.
    pub layer: String,
    /// Units or channels removed.
    pub n_units: usize,
}

/// Removes dead units from a model, exactly (up to the rounding of biases); returns the layers that lost
/// some, in order.
///
/// Errors: weights that are shared already; the model being inconsistent to begin with.
pub fn remove_dead_units(model: &mut Model, block: Block) -> Result<Vec<Removed>, PruneError> {
    if let Some((name, _)) = model.in_order().find(|(_, p)| matches!(p, Parameter::Shared { .. })) {
        return Err(PruneError::AlreadyShared { name: name.to_string() });
    }
    let mut lost = vec![0; model.graph.nodes().len()];
    let mut has_changed = true;
    while has_changed {
        has_changed = false;
        for (node, lost) in lost.iter_mut().enumerate() {
            let n = remove_from(model, node, block)?;
            *lost += n;
            has_changed |= n > 0;
        }
    }
    model.check()?;
    let nodes = model.graph.nodes().iter().zip(lost).filter(|(_, n)| *n > 0);
    Ok(nodes.map(|(node, n_units)| Removed { layer: node.name.clone(), n_units }).collect())
}

/// Removes the dead units of one layer and returns their number.
fn remove_from(model: &mut Model, node: usize, block: Block) -> Result<usize, PruneError> {
    let Some(readers) = reach::readers(&model.graph, node) else { return Ok(0) };
    let n_units = model.graph.shape(model.graph.value_of(node))[0];
    let mut is_read = vec![false; n_units];
    for reader in &readers {
        is_read.iter_mut().zip(sums_by_unit(model, reader, f64::abs)).for_each(|(read, sums)| {
            *read |= sums.iter().any(|s| *s > 0.0);
        });
    }
    let has_input = rows_alive(model, node);
    let constants: Vec<Option<Vec<f64>>> = (0..n_units)
        .map(|unit| {
            let is_constant = is_read[unit] && !has_input[unit];
            if is_constant { constants(model, node, unit, &readers) } else { None }
        })
        .collect();
    let mut keep: Vec<bool> = (0..n_units).map(|u| is_read[u] && constants[u].is_none()).collect();
    if !keep.contains(&true) {
        keep[0] = true;
    }
    let together = |reader: &Reader| block.n_inputs() / gcd(block.n_inputs(), reader.span);
    let n_together = readers.iter().map(together).max().unwrap_or(1);
    for units in keep.chunks_mut(n_together) {
        let any = units.contains(&true);
        units.fill(any);
    }
    if !keep.contains(&false) {
        return Ok(0);
    }
    for (i, reader) in readers.iter().enumerate() {
        let by_unit = (0..n_units).map(|u| match &constants[u] {
            Some(constants) if !keep[u] => constants[i],
            _ => 0.0,
        });
        fold(model, reader, &by_unit.collect::<Vec<f64>>());
    }
    shrink(model, node, &readers, &keep)?;
    Ok(keep.iter().filter(|kept| !**kept).count())
}

/// Which rows of a layer hold a non-zero weight.
fn rows_alive(model: &Model, node: usize) -> Vec<bool> {
    let weight = &model.parameters[&name(&model.graph, node, "weight")];
    let row: usize = weight.shape()[1..].iter().product();
    weight.to_f32().chunks_exact(row).map(|row| row.iter().any(|w| *w != 0.0)).collect()
}

/// For every unit the sums of `term` over the weights by which each row of the reader uses it:
/// `[units][rows]`.
fn sums_by_unit(model: &Model, reader: &Reader, term: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    let weight = &model.parameters[&name(&model.graph, reader.node, "weight")];
    let (rows, columns) = (weight.shape()[0], weight.shape()[1]);
    let taps: usize = weight.shape()[2..].iter().product();
    let mut sums = vec![vec![0.0; rows]; columns / reader.span];
    for (row, weights) in weight.to_f32().chunks_exact(columns * taps).enumerate() {
        for (sums, mine) in sums.iter_mut().zip(weights.chunks_exact(reader.span * taps)) {
            sums[row] = mine.iter().map(|&w| term(f64::from(w))).sum();
        }
    }
    sums
}

/// The contribution of a unit without input to each reader, or `None` if it cannot go into the reader's bias.
fn constants(model: &Model, node: usize, unit: usize, readers: &[Reader]) -> Option<Vec<f64>> {
    let graph = &model.graph;
    let vector = |node: usize, suffix: &str| {
        model.parameters.get(&name(graph, node, suffix)).map_or(0.0, |p| f64::from(p.to_f32()[unit]))
    };
    let bias = vector(node, "bias");
    let at_reader = |reader: &Reader| {
        let constant = reach::constant(graph, &reader.path, bias, vector)?;
        let can_take = match graph.nodes()[reader.node].op {
            Op::Linear { bias, .. } => bias,
            Op::Conv2d { bias, padding, .. } => bias && padding == Padding::default(),
            _ => false,
        };
        (constant == 0.0 || can_take).then_some(constant)
    };
    readers.iter().map(at_reader).collect()
}

/// Adds to a reader's bias the contribution of units that are constant everywhere.
fn fold(model: &mut Model, reader: &Reader, constants: &[f64]) {
    if constants.iter().all(|c| *c == 0.0) {
        return;
    }
    let sums = sums_by_unit(model, reader, |w| w);
    let bias_name = name(&model.graph, reader.node, "bias");
    if let Some(Parameter::Dense { values, mask, .. }) = model.parameters.get_mut(&bias_name) {
        let added = |row: usize| constants.iter().zip(&sums).map(|(c, sums)| c * sums[row]).sum::<f64>();
        let bias = values.to_f32().into_iter().enumerate().map(|(row, b)| (f64::from(b) + added(row)) as f32);
        *values = Numbers::F32(bias.collect());
        *mask = None;
    }
}

/// Removes rows from the layer, channels from the nodes in between, and columns from the readers.
fn shrink(model: &mut Model, node: usize, readers: &[Reader], keep: &[bool]) -> Result<(), PruneError> {
    let graph = model.graph.clone();
    for suffix in ["weight", "bias"] {
        retain(model, &name(&graph, node, suffix), 0, 1, keep);
    }
    let between: BTreeSet<usize> =
        readers.iter().flat_map(|r| r.path.iter().map(|&(node, _)| node)).collect();
    for node in between {
        for suffix in ["weight", "bias", "running_mean", "running_var"] {
            retain(model, &name(&graph, node, suffix), 0, 1, keep);
        }
    }
    for reader in readers {
        retain(model, &name(&graph, reader.node, "weight"), 1, reader.span, keep);
    }
    let sizes = graph.sizes().cloned();
    let (inputs, mut nodes, outputs) = graph.into_parts();
    if let Op::Linear { out_features: n, .. } | Op::Conv2d { out_channels: n, .. } = &mut nodes[node].op {
        *n = keep.iter().filter(|k| **k).count();
    }
    let graph = Graph::new(inputs, nodes, outputs).and_then(|graph| graph.with_sizes(sizes));
    model.graph = graph.map_err(kompakt_model::CheckpointError::from)?;
    Ok(())
}

/// Keeps the units selected by `keep` along one dimension of a parameter, each `spread` elements wide.
fn retain(model: &mut Model, name: &str, dimension: usize, spread: usize, keep: &[bool]) {
    let Some(Parameter::Dense { shape, values, mask }) = model.parameters.get_mut(name) else { return };
    let outer: usize = shape[..dimension].iter().product();
    let inner: usize = shape[dimension + 1..].iter().product::<usize>() * spread;
    let unit = |k: &bool| std::iter::repeat_n(*k, inner);
    let kept: Vec<bool> = (0..outer).flat_map(|_| keep.iter().flat_map(unit)).collect();
    values.retain(&kept);
    if let Some(mask) = mask {
        let mut kept = kept.iter();
        mask.retain(|_| kept.next() == Some(&true));
    }
    shape[dimension] = keep.iter().filter(|k| **k).count() * spread;
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn name(graph: &Graph, node: usize, suffix: &str) -> String {
    format!("{}.{suffix}", graph.nodes()[node].name)
}
