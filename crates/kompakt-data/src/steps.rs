//! Steps as people write them.

use crate::{dataset::Dataset, error::DataError};
use kompakt_prep::{PRESETS, Pipeline, Step, preset};

/// The pipeline that `text` stands for, for raw images such as those of `train`: the name of a preset, or a JSON
/// list of steps. The preset `normalize` takes mean and deviation from `train`.
///
/// Errors: [`DataError::Steps`] for text that is neither, [`DataError::Prep`] for steps that do not fit the images.
pub fn parse_steps(text: &str, train: &Dataset) -> Result<Pipeline, DataError> {
    let dims = train.dims();
    if PRESETS.contains(&text) {
        let (mean, std) = if text == "normalize" { train.statistics() } else { (vec![0.0], vec![1.0]) };
        return Ok(preset(text, &dims, &mean, &std)?);
    }
    let steps: Vec<Step> = serde_json::from_str(text).map_err(|e| {
        let presets = PRESETS.join(", ");
        DataError::Steps(format!("steps {text:?} are no preset ({presets}) and no JSON list of steps: {e}"))
    })?;
    Ok(Pipeline::new(&dims, steps)?)
}
