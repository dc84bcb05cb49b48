//! A model between two stages.

use crate::{
    error::CheckpointError, graph_json::graph_to_json, parameter::Parameter, provenance::StageRecord,
};
use kompakt_graph::Graph;
use kompakt_numbers::Numbers;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A network with its weights and its history.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The network.
    pub graph: Graph,
    /// One entry per parameter of the graph, by name (`conv1.weight`).
    pub parameters: BTreeMap<String, Parameter>,
    /// Parameters of the network as it entered the pipeline: the numerator of every compression ratio, times 4
    /// bytes.
    pub dense_parameters: u64,
    /// What is done to a raw input before the network sees it: a `kompakt_prep` pipeline as JSON.
    pub preprocessing: Option<serde_json::Value>,
    /// Names of the classes, or empty.
    pub labels: Vec<String>,
    /// One entry per stage, oldest first.
    pub provenance: Vec<StageRecord>,
}

impl Model {
    /// A model that enters the pipeline here: its own size is the dense size.
    ///
    /// Errors: as [`Model::check`].
    pub fn new(graph: Graph, parameters: BTreeMap<String, Parameter>) -> Result<Self, CheckpointError> {
        let model = Self {
            dense_parameters: graph.n_parameters() as u64,
            graph,
            parameters,
            preprocessing: None,
            labels: Vec::new(),
            provenance: Vec::new(),
        };
        model.check()?;
        Ok(model)
    }

    /// Checks that graph and parameters fit each other: all there, none left over, shapes equal, masks and codes
    /// as [`Parameter`] says. Reading and writing do so by themselves.
    pub fn check(&self) -> Result<(), CheckpointError> {
        for param in self.graph.params() {
            let Some(found) = self.parameters.get(&param.name) else {
                return Err(CheckpointError::tensor(&param.name, "missing; the graph asks for it"));
            };
            if found.shape() != param.shape {
                let problem = format!("shape {:?}, the graph asks for {:?}", found.shape(), param.shape);
                return Err(CheckpointError::tensor(&param.name, problem));
            }
            found.check(&param.name)?;
        }
        match self.parameters.keys().find(|name| self.graph.param(name).is_none()) {
            Some(name) => Err(CheckpointError::tensor(name, "no node of the graph asks for it")),
            None => Ok(()),
        }
    }

    /// The parameters in the graph's order, with their names.
    pub fn in_order(&self) -> impl Iterator<Item = (&str, &Parameter)> {
        self.graph.params().iter().filter_map(|p| Some((p.name.as_str(), self.parameters.get(&p.name)?)))
    }

    /// Weights that are kept, over all parameters.
    pub fn n_nonzero(&self) -> u64 {
        self.parameters.values().map(|p| p.n_kept() as u64).sum()
    }

    /// Bytes of the network as it entered the pipeline, at 4 bytes per parameter.
    pub fn dense_bytes(&self) -> u64 {
        self.dense_parameters * 4
    }

    /// Whether any weight has been replaced by codes.
    pub fn is_clustered(&self) -> bool {
        self.parameters.values().any(|p| matches!(p, Parameter::Shared { .. }))
    }

    /// The seed of the latest stage that used one: the default of later stages.
    pub fn seed(&self) -> Option<u64> {
        self.provenance.iter().rev().find_map(|record| record.seed)
    }

    /// SHA-256 over the canonical content: graph, preprocessing, labels, then shape, mask and values of each
    /// parameter in the graph's order. History does not count, so equal networks have equal hashes.
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(graph_to_json(&self.graph).to_string());
        hash.update(self.preprocessing.as_ref().map(ToString::to_string).unwrap_or_default());
        for label in &self.labels {
            hash.update((label.len() as u64).to_le_bytes());
            hash.update(label);
        }
        for (name, parameter) in self.in_order() {
            hash.update(name);
            hash_parameter(&mut hash, parameter);
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Appends a stage's record, filling in the hash of what came in and the count of what is left.
    pub fn record(&mut self, mut record: StageRecord, input: Option<String>) {
        record.input = input;
        record.n_nonzero = self.n_nonzero();
        self.provenance.push(record);
    }
}

fn hash_parameter(hash: &mut Sha256, parameter: &Parameter) {
    for &dim in parameter.shape() {
        hash.update((dim as u64).to_le_bytes());
    }
    match parameter {
        Parameter::Dense { values, .. } => hash_numbers(hash, b'd', values),
        Parameter::Shared { codebook, codes, .. } => {
            hash_numbers(hash, b's', codebook);
            hash.update(codes);
        }
    }
    if let Some(mask) = parameter.mask() {
        hash.update(b"m");
        let bytes: Vec<u8> = mask.iter().map(|&kept| u8::from(kept)).collect();
        hash.update(&bytes);
    }
}

fn hash_numbers(hash: &mut Sha256, kind: u8, numbers: &Numbers) {
    hash.update([kind]);
    match numbers {
        Numbers::F32(v) => v.iter().for_each(|x| hash.update(x.to_le_bytes())),
        Numbers::F16(v) => v.iter().for_each(|x| hash.update(x.to_le_bytes())),
        Numbers::Scaled { scale, integers } => {
            hash.update(scale.to_le_bytes());
            integers.iter().for_each(|x| hash.update(x.to_le_bytes()));
        }
    }
}
