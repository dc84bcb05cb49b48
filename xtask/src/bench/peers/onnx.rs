//! A graph as a list of ONNX nodes, in JSON, and its dense weights as a row of f32: what `rivals.py` makes a file from.

use anyhow::{Result, bail};
use kompakt_graph::{Graph, Op, Padding, Pair};
use kompakt_model::Model;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// Writes `model.json` and `weights.f32` into the folder.
pub(crate) fn write(model: &Model, folder: &Path) -> Result<()> {
    let mut weights = BufWriter::new(File::create(folder.join("weights.f32"))?);
    let mut parameters = Vec::new();
    for (name, parameter) in model.in_order() {
        let mut bytes = Vec::with_capacity(parameter.len() * 4);
        parameter.to_f32().iter().for_each(|v| bytes.extend(v.to_le_bytes()));
        weights.write_all(&bytes)?;
        parameters.push(json!({ "name": name, "shape": parameter.shape() }));
    }
    weights.flush()?;
    let graph = &model.graph;
    let nodes = (0..graph.nodes().len()).map(|i| node(graph, i)).collect::<Result<Vec<_>>>()?;
    let (input, output) = (0, graph.outputs()[0]);
    let text = json!({
        "input": { "name": value(input), "shape": graph.shape(input) },
        "output": { "name": value(output), "shape": graph.shape(output) },
        "nodes": nodes,
        "parameters": parameters,
    });
    std::fs::write(folder.join("model.json"), text.to_string())?;
    Ok(())
}

fn value(id: usize) -> String {
    format!("v{id}")
}

fn node(graph: &Graph, index: usize) -> Result<Value> {
    let node = &graph.nodes()[index];
    let mut inputs: Vec<String> = node.inputs.iter().map(|&v| value(v)).collect();
    inputs.extend(graph.params().iter().filter(|p| p.node == index).map(|p| p.name.clone()));
    let (op, attributes) = match &node.op {
        Op::Linear { .. } => ("Gemm", json!({ "transB": 1 })),
        Op::Conv2d { kernel, stride, padding, dilation, groups, .. } => (
            "Conv",
            json!({ "kernel_shape": pair(*kernel), "strides": pair(*stride), "pads": pads(padding),
                    "dilations": pair(*dilation), "group": groups }),
        ),
        Op::MaxPool { kernel, stride, padding, ceil_mode } => (
            "MaxPool",
            json!({ "kernel_shape": pair(*kernel), "strides": pair(*stride), "pads": pads(padding),
                    "ceil_mode": i32::from(*ceil_mode) }),
        ),
        Op::GlobalAvgPool => ("GlobalAveragePool", json!({})),
        Op::Relu => ("Relu", json!({})),
        Op::Add => ("Add", json!({})),
        Op::Flatten => ("Flatten", json!({ "axis": 1 })),
        other => bail!("the bench does not write {} as ONNX", other.name()),
    };
    Ok(json!({ "op": op, "name": node.name, "inputs": inputs, "output": value(graph.value_of(index)),
               "attributes": attributes }))
}

fn pair(p: Pair) -> [usize; 2] {
    [p.h, p.w]
}

fn pads(p: &Padding) -> [usize; 4] {
    [p.top, p.left, p.bottom, p.right]
}
