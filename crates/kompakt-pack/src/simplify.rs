//! The graph as a container stores it: without nodes that do nothing when the network runs.

use crate::error::PackError;
use kompakt_graph::{Graph, Op};

/// Removes dropout and identity. Other nodes keep their names, so parameters keep theirs.
pub(crate) fn without_idle_nodes(graph: Graph) -> Result<Graph, PackError> {
    let n_inputs = graph.inputs().len();
    let sizes = graph.sizes().cloned();
    let (inputs, nodes, outputs) = graph.into_parts();
    // For each old value the new one.
    let mut renamed: Vec<usize> = (0..n_inputs).collect();
    let mut kept = Vec::new();
    for mut node in nodes {
        node.inputs = node.inputs.iter().map(|&v| renamed[v]).collect();
        if matches!(node.op, Op::Dropout { .. } | Op::Identity) {
            renamed.push(node.inputs[0]);
        } else {
            renamed.push(n_inputs + kept.len());
            kept.push(node);
        }
    }
    let graph = Graph::new(inputs, kept, outputs.iter().map(|&v| renamed[v]).collect())?;
    Ok(graph.with_sizes(sizes.map(|sizes| sizes.renumbered(&renamed)))?)
}
