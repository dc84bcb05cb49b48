//! What each stage did, in a form by which two runs can be compared.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One stage's line in a model's history.
///
/// It holds what determines the result and what was measured, and nothing else: no path, no clock, no thread
/// count, so that equal work leaves equal bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecord {
    /// The program, such as `kompakt-prune`.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The options that change the content, in canonical form, with defaults filled in.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// The seed, where one is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Hash of the canonical content of the stage's input (see [`crate::Model::content_hash`]); none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Weights that are not zero, over all parameters, after the stage.
    pub n_nonzero: u64,
    /// Figures measured by the stage: `train_loss`, `validation_error` (0..1), …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<String, f64>,
}

impl StageRecord {
    /// A record of this program; fill in the rest.
    pub fn new(program: &str, version: &str) -> Self {
        Self { program: program.to_string(), version: version.to_string(), ..Self::default() }
    }
    /// Adds an option.
    pub fn option(mut self, name: &str, value: impl ToString) -> Self {
        self.options.insert(name.to_string(), value.to_string());
        self
    }
    /// Adds a measured figure; one that is not a number (an empty set's mean) is left out.
    pub fn measure(mut self, name: &str, value: f64) -> Self {
        if value.is_finite() {
            self.measured.insert(name.to_string(), value);
        }
        self
    }
}
