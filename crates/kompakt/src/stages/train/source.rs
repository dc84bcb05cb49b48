//! The network to train: a name or a graph file.

use crate::{input::read_graph, process::Failure};
use anyhow::{Context, Result, bail};
use kompakt_graph::{Graph, networks};
use std::path::Path;

/// Refuses, before anything else is done, anything that is neither the name of a network nor a file.
pub(super) fn is_there(net: &str) -> Result<(), Failure> {
    if networks::NAMES.contains(&net) || Path::new(net).exists() {
        return Ok(());
    }
    let names = networks::NAMES.join(", ");
    Err(Failure::usage(format!("--net {net}: neither a network ({names}) nor a graph file that is there")))
}

/// The network called `net`, or the one in the graph file of that path, for inputs of shape `input`.
///
/// `hidden` replaces the widths of the hidden layers of `mlp` and `lenet-300-100`.
///
/// Errors: an unknown name, a file that is not a graph, a graph that does not fit the data.
pub(super) fn graph_of(net: &str, hidden: &[usize], input: &[usize], classes: usize) -> Result<Graph> {
    if !hidden.is_empty() {
        if !matches!(net, "mlp" | "lenet-300-100") {
            bail!(Failure::usage(format!(
                "--hidden belongs to mlp and lenet-300-100; for {net} write a graph file"
            )));
        }
        return Ok(networks::mlp(input, hidden, classes)?);
    }
    if let Some(graph) = networks::by_name(net, input, classes) {
        return graph.with_context(|| format!("{net} on inputs of shape {input:?}"));
    }
    is_there(net)?;
    let graph = read_graph(Path::new(net))?;
    if graph.shape(0) != input {
        let message =
            format!("{net} takes inputs of shape {:?}; the data, prepared, have {input:?}", graph.shape(0));
        bail!(Failure::input(message));
    }
    Ok(graph)
}
