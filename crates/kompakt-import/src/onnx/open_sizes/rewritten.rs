//! The network with open sizes, and the proof that it is what the file has at each.

use crate::onnx::{
    fit::{Fitted, Obstacle, Part},
    import::Imported,
    sample::Sample,
};
use kompakt_graph::{Count, Graph, Node, Op, Place, Size, Sizes};
use kompakt_model::{CheckpointError, Parameter};

/// Checks that the network, rewritten, has at every sample's sizes the operators and shapes that were imported there.
pub(super) fn prove(samples: &[&Sample], sizes: &Sizes, fitted: &Fitted) -> Result<(), Obstacle> {
    let failed = |reason: String| ("network".to_string(), "import", reason);
    let rewritten = Rewritten::new(&samples[0].graph, sizes, fitted).map_err(failed)?;
    for sample in samples {
        let at = rewritten.graph.at_sizes(&sample.sizes).map_err(|error| failed(error.to_string()))?;
        for (index, node) in sample.graph.nodes().iter().enumerate() {
            let value = sample.graph.value_of(index);
            let new = rewritten.new[value];
            let is_replaced = fitted.constants.contains_key(&index) || fitted.gathers.contains_key(&index);
            let is_same = is_replaced || at.producer(new).is_some_and(|new| at.nodes()[new].op == node.op);
            if !is_same || at.shape(new) != sample.graph.shape(value) {
                let reason = format!("at sizes {:?} it is not what the file has there", sample.sizes);
                return Err((node.name.clone(), node.op.name(), reason));
            }
        }
    }
    Ok(())
}

/// A network with open sizes.
struct Rewritten {
    graph: Graph,
    /// The new number of each value.
    new: Vec<usize>,
    /// Constants: the node's old name, the new one, shape and elements.
    constants: Vec<(String, String, Part)>,
}

impl Rewritten {
    fn new(graph: &Graph, sizes: &Sizes, fitted: &Fitted) -> Result<Self, String> {
        let sizes = sizes.clone();
        let n_inputs = graph.inputs().len();
        let mut new: Vec<usize> = (0..n_inputs).collect();
        let mut nodes: Vec<Node> = Vec::new();
        let mut constants = Vec::new();
        // Places of slices that are added: the slice's number, then as in `Fitted`.
        let mut added = Vec::new();
        let names: std::collections::BTreeSet<&str> =
            (0..n_inputs + graph.nodes().len()).map(|value| graph.value_name(value)).collect();
        let free = |name: String| {
            let more = (2..).map(|i| format!("{name}{i}"));
            std::iter::once(name.clone())
                .chain(more)
                .find(|n| !names.contains(n.as_str()))
                .unwrap_or(name.clone())
        };
        for (index, node) in graph.nodes().iter().enumerate() {
            let inputs: Vec<usize> = node.inputs.iter().map(|&value| new[value]).collect();
            let slice = |part: &Part| Op::Slice {
                start: part.start.clone(),
                end: part.end.clone(),
                step: vec![1; part.shape.len()],
            };
            if let Some(part) = fitted.constants.get(&index) {
                let name = free(format!("{}.all", node.name));
                let op = Op::Constant { shape: part.shape.clone() };
                nodes.push(Node { name: name.clone(), op, inputs });
                let value = n_inputs + nodes.len() - 1;
                nodes.push(Node { name: node.name.clone(), op: slice(part), inputs: vec![value] });
                added.push((value + 1, part.places.clone()));
                constants.push((node.name.clone(), name, part.clone()));
            } else if let (Some((_, part)), Op::Gather { axis, .. }) = (fitted.gathers.get(&index), &node.op)
            {
                let name = free(format!("{}.indices", node.name));
                let op = Op::Constant { shape: part.shape.clone() };
                nodes.push(Node { name: name.clone(), op, inputs: vec![0] });
                let value = n_inputs + nodes.len() - 1;
                let used = free(format!("{}.used", node.name));
                nodes.push(Node { name: used, op: slice(part), inputs: vec![value] });
                added.push((value + 1, part.places.clone()));
                let inputs = vec![inputs[0], value + 1];
                nodes.push(Node { name: node.name.clone(), op: Op::Take { axis: *axis }, inputs });
                constants.push((String::new(), name, part.clone()));
            } else {
                nodes.push(Node { inputs, ..node.clone() });
            }
            new.push(n_inputs + nodes.len() - 1);
        }
        let renumber = |size: &Size| match size {
            Size::Rest => Size::Rest,
            Size::Sum { offset, terms } => {
                let count = |count: &Count| match *count {
                    Count::Symbol(symbol) => Count::Symbol(symbol),
                    Count::Dimension { value, axis } => Count::Dimension { value: new[value], axis },
                };
                let terms = terms.iter().map(|(factor, of)| (*factor, count(of))).collect();
                Size::Sum { offset: *offset, terms }
            }
        };
        let mut places = sizes.places;
        for (value, number, size) in &fitted.places {
            places.push(Place { value: new[*value], number: *number, size: renumber(size) });
        }
        for (value, own) in &added {
            for (number, size) in own {
                places.push(Place { value: *value, number: *number, size: renumber(size) });
            }
        }
        places.sort_by_key(|place| (place.value, place.number));
        let outputs = graph.outputs().iter().map(|&value| new[value]).collect();
        let open = Sizes { symbols: sizes.symbols, places };
        let rewritten = Graph::new(graph.inputs().to_vec(), nodes, outputs)
            .and_then(|graph| graph.with_sizes(Some(open)));
        let graph = rewritten.map_err(|error| error.to_string())?;
        Ok(Self { graph, new, constants })
    }
}

/// Puts the network with open sizes in the place of the imported one.
pub(super) fn rewrite(imported: &mut Imported, sizes: Sizes, fitted: Fitted) -> Result<(), String> {
    let rewritten = Rewritten::new(&imported.model.graph, &sizes, &fitted)?;
    let model = &mut imported.model;
    for (old, name, part) in rewritten.constants {
        if !old.is_empty() {
            model.parameters.remove(&format!("{old}.value"));
        }
        let parameter = Parameter::dense(part.shape, part.values);
        model.parameters.insert(format!("{name}.value"), parameter);
    }
    model.graph = rewritten.graph;
    for named in &mut imported.values {
        named.value = rewritten.new[named.value];
    }
    model.check().map_err(|error: CheckpointError| error.to_string())
}
