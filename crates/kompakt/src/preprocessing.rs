//! The preprocessing of raw images that `--prep` selects, and the size that images are resized to for it.

use crate::network::{coded, usage};
use anyhow::{Context, Result};
use kompakt_data::{DataError, parse_steps_for};
use kompakt_model::Model;
use kompakt_prep::Pipeline;
use std::path::Path;

/// The preprocessing recorded in the model.
pub(crate) fn recorded(model: &Model) -> Result<Option<Pipeline>> {
    let Some(json) = &model.preprocessing else { return Ok(None) };
    Ok(Some(serde_json::from_value(json.clone()).context("the model's preprocessing")?))
}

/// The size that images are resized to: the input of the steps, or else of the network.
pub(crate) fn picture_dims(steps: Option<&Pipeline>, shape: &[usize]) -> Option<[usize; 3]> {
    let dims = steps.map_or_else(|| shape.to_vec(), |steps| steps.input_shape().dims());
    <[usize; 3]>::try_from(dims.as_slice()).ok().filter(|d| d[0] == 1 || d[0] == 3)
}

/// The steps of `--prep`, or else those recorded in the model, for a network with inputs of `shape`.
pub(crate) fn steps(
    prep: Option<&str>,
    model: &Model,
    shape: &[usize],
    source: &str,
) -> Result<Option<Pipeline>> {
    let recorded = recorded(model)?;
    match prep {
        None => Ok(recorded),
        Some(text) => parse(text, recorded.as_ref(), shape, source).map(Some),
    }
}

/// Steps as the command line gives them: a preset, words, a JSON list, or a file with one. The preset `normalize` is that of
/// the training images of `source`. `recorded` are the steps that the model has, for the shape that they take.
pub(crate) fn parse(
    text: &str,
    recorded: Option<&Pipeline>,
    shape: &[usize],
    source: &str,
) -> Result<Pipeline> {
    let text = match Path::new(text).is_file() {
        true => std::fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?,
        false => text.to_string(),
    };
    let raw = recorded.and_then(|steps| picture_dims(Some(steps), shape));
    parse_steps_for(text.trim(), source, shape, raw).map_err(|e| match e {
        DataError::Steps(_) | DataError::Prep(_) => usage(format!("--prep: {e}")).into(),
        other => coded(other),
    })
}
