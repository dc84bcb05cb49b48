//! The JSON form of a pipeline.

use crate::{error::PrepError, pipeline::Pipeline, step::Step};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The members of a pipeline's JSON object; not checked yet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineJson {
    input: Vec<usize>,
    steps: Vec<Step>,
}

impl TryFrom<PipelineJson> for Pipeline {
    type Error = PrepError;
    fn try_from(json: PipelineJson) -> Result<Self, PrepError> {
        Self::new(&json.input, json.steps)
    }
}

impl From<Pipeline> for PipelineJson {
    fn from(pipeline: Pipeline) -> Self {
        Self { input: pipeline.input_shape().dims(), steps: pipeline.steps().to_vec() }
    }
}
