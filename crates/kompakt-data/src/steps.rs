//! Preprocessing steps from text.

use crate::{
    dataset::Dataset,
    error::DataError,
    load::{holds_pictures, load_sample},
    split::Split,
    words::{NAMED, Words, alike},
};
use kompakt_prep::{PRESETS, Pipeline, Step, preset};

/// The pipeline that `text` stands for, for raw images such as those of `train`: the name of a preset ([`NAMED`]), words
/// such as `mean=0.5 std=0.25`, or a JSON list of steps. The preset `normalize` takes mean and deviation from `train`.
///
/// Errors: [`DataError::Steps`] for text that is neither, [`DataError::Prep`] for steps that do not fit the images.
pub fn parse_steps(text: &str, train: &Dataset) -> Result<Pipeline, DataError> {
    let dims = train.dims();
    if let Some(words) = Words::parse(text) {
        return words?.pipeline(&dims, Some(&dims));
    }
    if PRESETS.contains(&text) {
        let (mean, std) = if text == "normalize" { train.statistics() } else { (vec![0.0], vec![1.0]) };
        return Ok(preset(text, &dims, &mean, &std)?);
    }
    Ok(Pipeline::new(&dims, list(text)?)?)
}

/// The pipeline that `text` stands for, for a network whose inputs have the shape `network` and for the images of `source`.
/// Pictures are scaled to the shape that the steps take; arrays keep theirs.
///
/// As [`parse_steps`]; in addition, a JSON object with the shape that goes in: `{"input": [3, 256, 256], "steps": [...]}`.
/// `raw` is the input shape where nothing else sets it, if it is not that of the network.
/// Errors: as [`parse_steps`] and [`crate::load`].
pub fn parse_steps_for(
    text: &str,
    source: &str,
    network: &[usize],
    raw: Option<[usize; 3]>,
) -> Result<Pipeline, DataError> {
    let are_pictures = holds_pictures(source);
    let own = <[usize; 3]>::try_from(network).ok().filter(|dims| dims[0] == 1 || dims[0] == 3);
    let sample = |n: usize| load_sample(source, Split::Train, raw.or(own), n);
    if let Some(words) = Words::parse(text) {
        let dims = if are_pictures { None } else { Some(sample(1)?.dims()) };
        return words?.pipeline(network, dims.as_deref());
    }
    if text.starts_with('{') {
        let wrong =
            |e: serde_json::Error| DataError::Steps(format!("the steps are not those of a pipeline: {e}"));
        return serde_json::from_str(text).map_err(wrong);
    }
    if are_pictures && text.starts_with('[') && raw.is_none() {
        let steps = list(text)?;
        if let Some(Step::CenterCrop { .. }) = steps.iter().find(|step| changes_size(step)) {
            let input = Words::parse("resize").transpose()?.unwrap_or_default().pipeline(network, None)?;
            return Ok(Pipeline::new(&input.input_shape().dims(), steps)?);
        }
    }
    parse_steps(text, &sample(if text == "normalize" { usize::MAX } else { 1 })?)
}

fn changes_size(step: &Step) -> bool {
    matches!(step, Step::Resize { .. } | Step::Crop { .. } | Step::CenterCrop { .. } | Step::Gradients { .. })
}

/// A JSON list of steps. A single mean or deviation applies to all channels.
fn list(text: &str) -> Result<Vec<Step>, DataError> {
    let mut steps: Vec<Step> = serde_json::from_str(text).map_err(|e| {
        let presets = NAMED.map(|named| named.name).join(", ");
        DataError::Steps(format!(
            "steps {text:?} are no preset ({presets}), no words (resize=256 mean=... std=...) and no JSON list of steps: {e}"
        ))
    })?;
    for step in &mut steps {
        if let Step::Normalize { mean, std } = step {
            (*mean, *std) = alike(std::mem::take(mean), std::mem::take(std));
        }
    }
    Ok(steps)
}
