//! The graph as JSON, for files written by hand and for the interchange's metadata.
//!
//! ```json
//! {"inputs": [{"name": "input", "shape": [1, 28, 28]}],
//!  "nodes": [{"op": "flatten"}, {"op": "linear", "out_features": 10, "name": "head"}],
//!  "outputs": ["head"]}
//! ```
//!
//! A node without `inputs` works on the value before it; one without `name` gets its default name; without
//! `outputs` the last value is the output. Open sizes are the member `sizes`, see spec/interchange.md. What is written is always in full except for default attributes.

use crate::{error::CheckpointError, sizes_json};
use kompakt_graph::{Graph, Input, Node, Op, default_names};
use serde_json::{Map, Value, json};

/// Reads a graph. Errors name the node and the attribute.
pub fn graph_from_json(value: &Value) -> Result<Graph, CheckpointError> {
    let object = value.as_object().ok_or_else(|| bad("the graph must be a JSON object".into()))?;
    if let Some(key) = object.keys().find(|k| !["inputs", "nodes", "outputs", "sizes"].contains(&k.as_str()))
    {
        return Err(bad(format!("unknown member {key:?}; a graph has inputs, nodes, outputs and sizes")));
    }
    let inputs = list(object, "inputs")?.iter().map(read_input).collect::<Result<Vec<_>, _>>()?;
    let entries = list(object, "nodes")?;
    let parsed = entries.iter().enumerate().map(|(i, e)| Entry::read(i, e)).collect::<Result<Vec<_>, _>>()?;
    let defaults = default_names(parsed.iter().map(|e| &e.op));
    let names: Vec<String> = parsed.iter().zip(defaults).map(|(e, d)| e.name.clone().unwrap_or(d)).collect();

    let value_names: Vec<&str> =
        inputs.iter().map(|i| i.name.as_str()).chain(names.iter().map(String::as_str)).collect();
    let find = |wanted: &str, before: usize, who: &str| {
        value_names[..before]
            .iter()
            .position(|n| *n == wanted)
            .ok_or_else(|| bad(format!("{who} refers to {wanted:?}, which is no earlier input or node")))
    };
    let mut nodes = Vec::with_capacity(parsed.len());
    for (i, entry) in parsed.iter().enumerate() {
        let before = inputs.len() + i;
        let operands = match &entry.inputs {
            None => vec![before.saturating_sub(1)],
            Some(list) => list
                .iter()
                .map(|name| find(name, before, &format!("node {:?}", names[i])))
                .collect::<Result<_, _>>()?,
        };
        nodes.push(Node { name: names[i].clone(), op: entry.op.clone(), inputs: operands });
    }
    let outputs = match object.get("outputs") {
        None => vec![value_names.len().saturating_sub(1)],
        Some(v) => strings(v, "outputs")?
            .iter()
            .map(|name| find(name, value_names.len(), "outputs"))
            .collect::<Result<_, _>>()?,
    };
    let graph = Graph::new(inputs, nodes, outputs)?;
    let sizes = object.get("sizes").map(|sizes| sizes_json::read(sizes, &graph)).transpose().map_err(bad)?;
    Ok(graph.with_sizes(sizes)?)
}

/// Writes a graph; [`graph_from_json`] reads it back.
pub fn graph_to_json(graph: &Graph) -> Value {
    let inputs: Vec<Value> =
        graph.inputs().iter().map(|i| json!({"name": i.name, "shape": i.shape})).collect();
    let nodes: Vec<Value> = graph
        .nodes()
        .iter()
        .map(|node| {
            let Ok(Value::Object(op)) = serde_json::to_value(&node.op) else {
                unreachable!("operators are written as objects");
            };
            let mut object = Map::from_iter([("name".to_string(), Value::from(node.name.clone()))]);
            object.extend(op);
            let names: Vec<&str> = node.inputs.iter().map(|&v| graph.value_name(v)).collect();
            object.insert("inputs".into(), names.into());
            Value::Object(object)
        })
        .collect();
    let outputs: Vec<&str> = graph.outputs().iter().map(|&v| graph.value_name(v)).collect();
    let mut object = json!({"inputs": inputs, "nodes": nodes, "outputs": outputs});
    if let Some(sizes) = graph.sizes() {
        object["sizes"] = sizes_json::write(sizes, graph);
    }
    object
}

struct Entry {
    name: Option<String>,
    inputs: Option<Vec<String>>,
    op: Op,
}

impl Entry {
    fn read(index: usize, value: &Value) -> Result<Self, CheckpointError> {
        let mut rest =
            value.as_object().cloned().ok_or_else(|| bad(format!("node {index} must be a JSON object")))?;
        let name = match rest.remove("name") {
            None => None,
            Some(Value::String(name)) => Some(name),
            Some(other) => return Err(bad(format!("node {index}: name must be text, not {other}"))),
        };
        let who = name.clone().map_or_else(|| format!("node {index}"), |n| format!("node {n:?}"));
        let inputs = rest.remove("inputs").map(|v| strings(&v, &who)).transpose()?;
        let members: Vec<String> = rest.keys().cloned().collect();
        let op: Op = serde_json::from_value(Value::Object(rest)).map_err(|e| bad(format!("{who}: {e}")))?;
        // Serde accepts any members of a variant that has no fields.
        let operator = op.operator();
        let is_known = |key: &str| key == "op" || operator.attributes.iter().any(|a| a.name == key);
        if let Some(unknown) = members.iter().find(|key| !is_known(key)) {
            return Err(bad(format!("{who}: unknown attribute {unknown:?} of {}", operator.name)));
        }
        Ok(Self { name, inputs, op })
    }
}

fn bad(problem: String) -> CheckpointError {
    CheckpointError::Metadata(format!("graph: {problem}"))
}

fn list<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a Vec<Value>, CheckpointError> {
    object.get(key).and_then(Value::as_array).ok_or_else(|| bad(format!("{key:?} must be a list")))
}

fn strings(value: &Value, who: &str) -> Result<Vec<String>, CheckpointError> {
    serde_json::from_value(value.clone())
        .map_err(|_| bad(format!("{who}: expected a list of names, got {value}")))
}

fn read_input(value: &Value) -> Result<Input, CheckpointError> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        name: String,
        shape: Vec<usize>,
    }
    let Entry { name, shape } =
        serde_json::from_value(value.clone()).map_err(|e| bad(format!("inputs: {e} in {value}")))?;
    Ok(Input { name, shape })
}
