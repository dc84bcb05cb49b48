//! What flows between the stages: models as safetensors, graphs and steps as JSON.

use crate::Fixtures;
use kompakt_graph::{Symbol, networks};
use kompakt_model::{Model, Parameter, graph_from_json, graph_to_json};
use kompakt_prep::{Pipeline, preset};
use std::{
    collections::BTreeMap,
    fs,
    io::{Seek, Write},
};

/// A model's file. What is read is sound.
pub(crate) fn model(bytes: &[u8]) {
    let written = tempfile::tempfile().and_then(|mut file| {
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(file)
    });
    let Ok(file) = written else { return };
    if let Ok(model) = Model::read(file, None) {
        assert!(model.check().is_ok(), "a model was read that does not hold together");
        let _ = model.content_hash();
    }
}

/// A JSON document: as a graph, and as steps of preprocessing.
pub(crate) fn json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice(bytes) else { return };
    if let Ok(graph) = graph_from_json(&value) {
        let again = graph_from_json(&graph_to_json(&graph));
        assert!(again.is_ok_and(|again| again == graph), "a graph changes when it is written");
        if let Some(sizes) = graph.sizes() {
            assert!(graph.at(&[]).is_ok(), "a graph is not at the sizes at which it is stored");
            for pick in
                [|s: &Symbol| s.least, |s: &Symbol| s.most, |s: &Symbol| s.most.saturating_add(s.step)]
            {
                let _ = graph.at_sizes(&sizes.symbols.iter().map(pick).collect::<Vec<_>>());
            }
        }
    }
    if let Ok(steps) = serde_json::from_value::<Pipeline>(value) {
        let _ = steps.hash_hex();
    }
}

pub(crate) fn models(_: &Fixtures) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    let Ok(folder) = tempfile::tempdir() else { return inputs };
    let path = folder.path().join("model");
    for is_clustered in [false, true] {
        let Some(model) = small_model(is_clustered) else { continue };
        if model.write(&path).is_ok() {
            inputs.extend(fs::read(&path));
        }
    }
    inputs
}

fn small_model(is_clustered: bool) -> Option<Model> {
    let graph = networks::mlp(&[1, 2, 3], &[4], 2).ok()?;
    let mut parameters = BTreeMap::new();
    for param in graph.params() {
        let n = param.len();
        let mut parameter = Parameter::dense(param.shape.clone(), (0..n).map(|i| i as f32 - 2.5).collect());
        if is_clustered && param.name.ends_with("weight") {
            parameter = Parameter::Shared {
                shape: param.shape.clone(),
                codebook: kompakt_model::Numbers::F32(vec![-1.0, 0.5, 2.0]),
                codes: (0..n).map(|i| if i % 2 == 0 { (i % 3) as u8 } else { 0 }).collect(),
                mask: Some((0..n).map(|i| i % 2 == 0).collect()),
            };
        }
        parameters.insert(param.name.clone(), parameter);
    }
    Model::new(graph, parameters).ok()
}

pub(crate) fn documents(_: &Fixtures) -> Vec<Vec<u8>> {
    let graphs = networks::NAMES.iter().filter_map(|name| networks::by_name(name, &[3, 32, 32], 10)?.ok());
    let graphs = graphs.map(|graph| graph_to_json(&graph).to_string().into_bytes());
    let steps = ["deskew", "features", "normalize"]
        .iter()
        .filter_map(|name| preset(name, &[1, 28, 28], &[0.5], &[0.5]).ok());
    let steps = steps.filter_map(|steps| serde_json::to_vec(&steps).ok());
    graphs.chain(steps).chain([OPEN_SIZES.as_bytes().to_vec()]).collect()
}

/// A graph whose sizes are given when it is about to run: every form of a number that depends on one.
const OPEN_SIZES: &str = r#"{"inputs": [{"name": "x", "shape": [6, 4]}],
 "nodes": [{"op": "scale", "name": "a"}, {"op": "reshape", "shape": [2, 3, 4], "name": "b"},
           {"op": "slice", "start": [0, 0, 0], "end": [2, 2, 4], "step": [1, 1, 1], "name": "c"}],
 "sizes": {"symbols": [{"name": "n", "stored": 6, "least": 4, "most": 12, "step": 2}],
           "places": [{"value": "x", "number": 0, "offset": 0, "terms": [{"factor": 1, "symbol": "n"}]},
                      {"value": "b", "number": 1},
                      {"value": "c", "number": 4, "offset": -1, "terms": [{"factor": 1, "value": "b", "axis": 1}]}]}}"#;
