//! The order of hidden units: chosen when a model is packed.
//!
//! ```text
//! conv1 [20, 1, 5, 5]   rows in a new order ──┐   relu, pool, batch norm, flatten
//! conv1.bias [20]       likewise              ├──► keep units apart ──► fc1 [500, 20 * 16]
//!                                             │                         columns in the same order, 16 by 16
//! ```
//!
//! The function of the network is unchanged. Where units meet other values (add, concat) or leave the network
//! they stay. Units that are read in blocks stay in these.

use crate::convert;
use kompakt_entropy::{MaskedCodes, order::unit_order};
use kompakt_format::coder_shape;
use kompakt_graph::{Graph, Param, ParamRole, Passage};
use kompakt_model::{Block, Model, Numbers, Parameter};

/// Where the units of a layer are found: parameters that have them along a dimension.
#[derive(Debug, Clone)]
pub struct Units {
    /// Indices of parameters with one entry (or `span`) per unit: weight rows, biases, norms.
    pub own: Vec<(usize, usize)>,
    /// Weights that read the units, with the number of adjacent channels that each becomes.
    pub readers: Vec<(usize, usize)>,
}

/// The hidden units of the layer whose weight is parameter `index`; `None` where their order cannot be changed, or the
/// parameter is no weight.
pub fn hidden_units(graph: &Graph, index: usize) -> Option<Units> {
    let param = graph.params().get(index)?;
    if param.role == ParamRole::Weight { find_units(graph, index) } else { None }
}

/// The order of all hidden units of a network.
#[derive(Debug, Clone)]
pub struct Orders {
    graph: Graph,
    /// Where some units are found, and for each place the unit that comes there.
    all: Vec<(Units, Vec<u32>)>,
}

impl Orders {
    /// The order that codes a model best.
    pub fn best(mut model: Model) -> Self {
        let graph = model.graph.clone();
        let mut all = Vec::new();
        for (index, param) in graph.params().iter().enumerate() {
            if param.role != ParamRole::Weight {
                continue;
            }
            let Some(units) = find_units(&graph, index) else { continue };
            let Some(order) = best_order(&model, &graph, param, &units) else { continue };
            reorder(&mut model, &graph, &units, &order);
            all.push((units, order));
        }
        Self { graph, all }
    }

    /// Puts the units of a model of the same graph into this order.
    pub fn apply(&self, model: &mut Model) {
        self.all.iter().for_each(|(units, order)| reorder(model, &self.graph, units, order));
    }

    /// For each row of parameter `index`, the row that comes there; `None` where all stay.
    pub fn rows(&self, index: usize) -> Option<Vec<u32>> {
        let n_rows = *self.graph.params().get(index)?.shape.first()?;
        let has = |(units, _): &&(Units, Vec<u32>)| units.own.iter().any(|&(own, _)| own == index);
        let (_, order) = self.all.iter().find(has)?;
        let span = (n_rows / order.len().max(1)) as u32;
        Some(order.iter().flat_map(|&unit| unit * span..(unit + 1) * span).collect())
    }
}

/// Puts the hidden units of `model` into the order that codes best. Where codes follow a trellis they stay: another order of
/// rows would have other codes.
pub fn order_units(model: &mut Model) {
    if !model.parameters.values().any(follows_trellis) {
        Orders::best(model.clone()).apply(model);
    }
}

/// Puts units into this order wherever they are found.
fn reorder(model: &mut Model, graph: &Graph, units: &Units, order: &[u32]) {
    let n = order.len();
    for &(parameter, span) in &units.own {
        let name = &graph.params()[parameter].name;
        if let Some(parameter) = model.parameters.get_mut(name) {
            let inner = parameter.len() / n;
            debug_assert!(parameter.shape().len() > 1 || inner == span);
            permute(parameter, 1, order, inner);
        }
    }
    for &(parameter, _) in &units.readers {
        let param = &graph.params()[parameter];
        if let Some(parameter) = model.parameters.get_mut(&param.name) {
            let rows = param.shape[0];
            permute(parameter, rows, order, parameter.len() / rows / n);
        }
    }
}

/// Whether a parameter has codes that follow a [trellis](kompakt_entropy::trellis), row after row in the order that it has, and not by chance.
pub fn follows_trellis(parameter: &Parameter) -> bool {
    matches!(parameter, Parameter::Shared { .. })
        && convert::follows_trellis(&view(parameter, &mut Vec::new()))
}

/// The units of weight `index`, or `None` where their order cannot be changed.
fn find_units(graph: &Graph, index: usize) -> Option<Units> {
    let node = graph.params()[index].node;
    // Each unit of a grouped convolution reads channels of its own group: it cannot move alone.
    if graph.passage(node) != Passage::Weighed {
        return None;
    }
    let of_node = |node: usize| graph.params().iter().enumerate().filter(move |(_, p)| p.node == node);
    let mut units = Units { own: of_node(node).map(|(i, _)| (i, 1)).collect(), readers: Vec::new() };
    let reach = graph.channel_reach(graph.value_of(node))?;
    for reader in &reach.readers {
        let is_weight = |(_, p): &(usize, &Param)| p.role == ParamRole::Weight;
        units.readers.extend(of_node(reader.node).filter(is_weight).map(|(i, _)| (i, reader.span)));
    }
    for &(node, span) in &reach.passed {
        units.own.extend(of_node(node).map(|(i, _)| (i, span)));
    }
    (!units.readers.is_empty()).then_some(units)
}

fn best_order(model: &Model, graph: &Graph, param: &Param, units: &Units) -> Option<Vec<u32>> {
    let weights = model.parameters.get(&param.name)?;
    // Nothing is gained where all units look alike.
    if weights.mask().is_none() && !matches!(weights, Parameter::Shared { .. }) {
        return None;
    }
    let reader = units.readers.first().and_then(|(i, _)| model.parameters.get(&graph.params()[*i].name));
    let mut blank = (Vec::new(), Vec::new());
    let reader = reader.map(|p| view(p, &mut blank.0));
    let order = unit_order(&view(weights, &mut blank.1), reader.as_ref());
    let order = in_blocks(order, n_together(model, graph, units));
    let is_changed = order.iter().enumerate().any(|(i, &unit)| i != unit as usize);
    is_changed.then_some(order)
}

/// How many units one block of a reader has, 1 where weights are pruned one by one.
fn n_together(model: &Model, graph: &Graph, units: &Units) -> usize {
    let together = |&(parameter, span): &(usize, usize)| {
        let param = &graph.params()[parameter];
        let mask = model.parameters.get(&param.name)?.mask()?;
        let n = Block::of_mask(&param.shape, mask).n_inputs();
        // Powers of two.
        Some(n >> span.trailing_zeros().min(n.trailing_zeros()))
    };
    units.readers.iter().filter_map(together).max().unwrap_or(1)
}

/// An order that leaves each `n` neighbours together: they come where they would have come on average, those that are fewer last.
fn in_blocks(order: Vec<u32>, n: usize) -> Vec<u32> {
    if n <= 1 {
        return order;
    }
    let mut places = vec![0; order.len()];
    (0..).zip(&order).for_each(|(place, &unit)| places[unit as usize] = place);
    let mut units: Vec<u32> = (0..order.len() as u32).collect();
    let mut blocks: Vec<&mut [u32]> = units.chunks_mut(n).collect();
    blocks.iter_mut().for_each(|block| block.sort_by_key(|&unit| places[unit as usize]));
    blocks.sort_by_key(|block| {
        let sum: usize = block.iter().map(|&unit| places[unit as usize]).sum();
        (block.len() < n, sum, block[0])
    });
    blocks.into_iter().flat_map(|block| block.iter().copied()).collect()
}

/// A parameter as the coders see it; `blank` holds the codes of a parameter without any.
fn view<'a>(parameter: &'a Parameter, blank: &'a mut Vec<u8>) -> MaskedCodes<'a> {
    let [rows, channels, taps] = coder_shape(parameter.shape());
    let mask = parameter.mask();
    match parameter {
        Parameter::Shared { codebook, codes, .. } => {
            let n_negative = codebook.to_f32().iter().filter(|v| **v < 0.0).count();
            MaskedCodes {
                rows,
                channels,
                taps,
                mask,
                block: 1,
                trellis: false,
                codes,
                n_levels: codebook.len(),
                n_negative,
            }
        }
        Parameter::Dense { .. } => {
            blank.resize(parameter.len(), 0);
            MaskedCodes {
                rows,
                channels,
                taps,
                mask,
                block: 1,
                trellis: false,
                codes: blank,
                n_levels: 1,
                n_negative: 0,
            }
        }
    }
}

/// Reorders the middle dimension of `[outer, order.len(), inner]`.
fn permute(parameter: &mut Parameter, outer: usize, order: &[u32], inner: usize) {
    let mask = match parameter {
        Parameter::Shared { codes, mask, .. } => {
            permute_list(codes, outer, order, inner);
            mask
        }
        Parameter::Dense { values, mask, .. } => {
            match values {
                Numbers::F32(v) => permute_list(v, outer, order, inner),
                Numbers::F16(v) => permute_list(v, outer, order, inner),
                Numbers::Scaled { integers, .. } => permute_list(integers, outer, order, inner),
            }
            mask
        }
    };
    if let Some(mask) = mask {
        permute_list(mask, outer, order, inner);
    }
}

fn permute_list<T: Copy>(list: &mut [T], outer: usize, order: &[u32], inner: usize) {
    let block = order.len() * inner;
    debug_assert_eq!(list.len(), outer * block);
    let mut before = Vec::with_capacity(block);
    for block in list.chunks_exact_mut(block) {
        before.clear();
        before.extend_from_slice(block);
        for (to, &unit) in block.chunks_exact_mut(inner).zip(order) {
            to.copy_from_slice(&before[unit as usize * inner..][..inner]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::in_blocks;

    #[test]
    fn blocks_of_units_move_whole() {
        assert_eq!(in_blocks(vec![9, 7, 5, 3, 1, 0, 2, 4, 6, 8], 4), [3, 1, 0, 2, 7, 5, 4, 6, 9, 8]);
        assert_eq!(in_blocks(vec![2, 0, 1], 1), [2, 0, 1]);
    }
}
