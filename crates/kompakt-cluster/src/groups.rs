//! Several codebooks for one layer: its rows in groups, each a layer of its own.
//!
//! ```text
//! x ──► fc1 [300 rows] ──►        x ─┬► fc1.0 [100 rows] ─┐
//!                           is       ├► fc1.1 [100 rows] ─┼► fc1 (concat) ──►
//!                                    └► fc1.2 [100 rows] ─┘
//! ```
//!
//! The function is unchanged. Groups are of adjacent rows and as equal in size as possible. The first groups
//! are one row longer where the rows do not divide evenly.

use crate::error::ClusterError;
use kompakt_graph::{Graph, Node, Op};
use kompakt_model::{Model, Numbers, Parameter};
use std::ops::Range;

/// The model with every layer's rows in that many groups, in the order of [`Graph::weights`]; a layer of one group
/// is unchanged.
///
/// Errors: not one number per layer; 0, or more groups than rows; grouped convolutions, and layers whose
/// results are not a list of rows; weights that are shared already.
pub fn in_groups(model: &Model, n_groups: &[usize]) -> Result<Model, ClusterError> {
    let weights: Vec<_> = model.graph.weights().cloned().collect();
    if weights.len() != n_groups.len() {
        return Err(ClusterError::GroupCount { found: n_groups.len(), expected: weights.len() });
    }
    let mut groups: Vec<Vec<Range<usize>>> = vec![Vec::new(); model.graph.nodes().len()];
    for (weight, &n) in weights.iter().zip(n_groups) {
        let fail = |problem| Err(ClusterError::Groups { name: weight.name.clone(), found: n, problem });
        let (node, rows) = (&model.graph.nodes()[weight.node], weight.shape[0]);
        let shape = model.graph.shape(model.graph.value_of(weight.node));
        if n == 1 {
            continue;
        } else if n == 0 || n > rows {
            return fail(format!("from 1 to its {rows} rows are possible"));
        } else if matches!(node.op, Op::Conv2d { groups: 2.., .. }) {
            return fail("a grouped convolution stays whole".to_string());
        } else if shape[0] != rows {
            return fail(format!("its result {shape:?} is no list of {rows} rows"));
        }
        groups[weight.node] = parts(rows, n);
    }
    let mut grouped = model.clone();
    for (node, groups) in model.graph.nodes().iter().zip(&groups).filter(|(_, groups)| !groups.is_empty()) {
        for kind in ["weight", "bias"] {
            if let Some(parameter) = grouped.parameters.remove(&format!("{}.{kind}", node.name)) {
                for (i, rows) in groups.iter().enumerate() {
                    let name = format!("{}.{kind}", part_name(&node.name, i));
                    grouped.parameters.insert(name.clone(), rows_of(&name, &parameter, rows)?);
                }
            }
        }
    }
    grouped.graph = split(&model.graph, &groups)?;
    Ok(grouped)
}

fn part_name(layer: &str, part: usize) -> String {
    format!("{layer}.{part}")
}

/// `0..rows` in `n` parts.
fn parts(rows: usize, n: usize) -> Vec<Range<usize>> {
    let begin = |i: usize| i * (rows / n) + i.min(rows % n);
    (0..n).map(|i| begin(i)..begin(i + 1)).collect()
}

/// Some rows of a dense parameter.
fn rows_of(name: &str, parameter: &Parameter, rows: &Range<usize>) -> Result<Parameter, ClusterError> {
    let Parameter::Dense { shape, values, mask } = parameter else {
        return Err(ClusterError::AlreadyShared { name: name.to_string() });
    };
    let a_row: usize = shape[1..].iter().product();
    let span = rows.start * a_row..rows.end * a_row;
    let mut shape = shape.clone();
    shape[0] = rows.len();
    let values = Numbers::F32(values.to_f32()[span.clone()].to_vec());
    Ok(Parameter::Dense { shape, values, mask: mask.as_ref().map(|m| m[span].to_vec()) })
}

/// The graph with a node for each part, and under the layer's old name their concatenation.
fn split(graph: &Graph, groups: &[Vec<Range<usize>>]) -> Result<Graph, ClusterError> {
    let (inputs, nodes, outputs) = graph.clone().into_parts();
    let mut new: Vec<usize> = (0..inputs.len()).collect();
    let mut all: Vec<Node> = Vec::new();
    for (mut node, groups) in nodes.into_iter().zip(groups) {
        node.inputs.iter_mut().for_each(|value| *value = new[*value]);
        let first = inputs.len() + all.len();
        for (i, rows) in groups.iter().enumerate() {
            let mut part = Node { name: part_name(&node.name, i), ..node.clone() };
            if let Op::Linear { out_features: n, .. } | Op::Conv2d { out_channels: n, .. } = &mut part.op {
                *n = rows.len();
            }
            all.push(part);
        }
        if !groups.is_empty() {
            node = Node { name: node.name, op: Op::Concat, inputs: (first..first + groups.len()).collect() };
        }
        all.push(node);
        new.push(inputs.len() + all.len() - 1);
    }
    let outputs = outputs.into_iter().map(|value| new[value]).collect();
    let sizes = graph.sizes().map(|sizes| sizes.renumbered(&new));
    let graph = Graph::new(inputs, all, outputs).and_then(|graph| graph.with_sizes(sizes));
    graph.map_err(|error| ClusterError::Graph(error.to_string()))
}
