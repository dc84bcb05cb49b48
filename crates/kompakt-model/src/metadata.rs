//! The JSON document under the safetensors metadata key `kompakt`.

use crate::{
    error::CheckpointError,
    graph_json::{graph_from_json, graph_to_json},
    provenance::StageRecord,
};
use kompakt_graph::Graph;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The metadata key. There is one, because safetensors writes several in a random order.
pub(crate) const KEY: &str = "kompakt";
/// The version of the document that this code writes, and the only one that it reads.
pub(crate) const VERSION: u32 = 1;

/// Everything about a model that is not a tensor.
pub(crate) struct Metadata {
    pub(crate) graph: Graph,
    pub(crate) dense_parameters: u64,
    pub(crate) preprocessing: Option<Value>,
    pub(crate) labels: Vec<String>,
    pub(crate) provenance: Vec<StageRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    graph: Value,
    dense_parameters: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preprocessing: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    provenance: Vec<StageRecord>,
}

impl Metadata {
    pub(crate) fn parse(text: &str) -> Result<Self, CheckpointError> {
        let bad = |e: serde_json::Error| CheckpointError::Metadata(format!("key {KEY:?}: {e}"));
        let value: Value = serde_json::from_str(text).map_err(bad)?;
        if let Some(version) = value.get("version").and_then(Value::as_u64)
            && version != u64::from(VERSION)
        {
            return Err(CheckpointError::Metadata(format!(
                "the model is of interchange version {version}, this program reads version {VERSION}"
            )));
        }
        let document: Document = serde_json::from_value(value).map_err(bad)?;
        Ok(Self {
            graph: graph_from_json(&document.graph)?,
            dense_parameters: document.dense_parameters,
            preprocessing: document.preprocessing,
            labels: document.labels,
            provenance: document.provenance,
        })
    }

    pub(crate) fn to_json(&self) -> String {
        let document = Document {
            version: VERSION,
            graph: graph_to_json(&self.graph),
            dense_parameters: self.dense_parameters,
            preprocessing: self.preprocessing.clone(),
            labels: self.labels.clone(),
            provenance: self.provenance.clone(),
        };
        serde_json::to_string(&document).unwrap_or_else(|e| unreachable!("plain data is always JSON: {e}"))
    }
}
