//! Nodes as CBOR, by the table of operators; `kompakt_format` reads them back.

use crate::{cbor::Cbor, error::PackError};
use kompakt_graph::{Node, table::Value};

/// Writes one node; `value` is the index of the value it produces.
pub(crate) fn node(cbor: &mut Cbor, node: &Node, value: usize) -> Result<(), PackError> {
    let operator = node.op.operator();
    let Some(code) = operator.code else {
        let problem = format!("a container has no operator {}", operator.name);
        return Err(PackError::unsupported(format!("node {:?}", node.name), problem));
    };
    let mut attributes = node.op.attributes();
    // Trailing attributes at their default are left out.
    while let Some((last, before)) = attributes.split_last() {
        let default = operator.attributes[before.len()].default_value(before);
        if default.as_ref() != Some(last) {
            break;
        }
        attributes.pop();
    }
    let distances: Vec<usize> = node.inputs.iter().map(|&input| value - input).collect();
    let listed = distances != [1];
    let n_attributes: usize =
        attributes.iter().map(|a| if matches!(a, Value::Floats(_)) { 2 } else { 1 }).sum();
    let n = usize::from(listed) + 1 + n_attributes;
    if n > 1 {
        cbor.array(n);
    }
    if listed {
        cbor.sizes(&distances);
    }
    cbor.uint(code);
    attributes.iter().for_each(|value| write(cbor, value));
    Ok(())
}

fn write(cbor: &mut Cbor, value: &Value) {
    match value {
        Value::Size(n) => cbor.size(*n),
        Value::Bool(b) => cbor.bool(*b),
        Value::Float(x) => cbor.float(f64::from(*x)),
        Value::Floats([v, h]) => cbor.float(f64::from(*v)).float(f64::from(*h)),
        Value::Pair(pair) => cbor.pair(*pair),
        Value::Padding(padding) => cbor.padding(*padding),
        Value::Dims(list) | Value::Indices(list) => cbor.sizes(list),
    };
}
