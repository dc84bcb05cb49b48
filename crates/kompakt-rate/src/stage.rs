//! The complete stage: examples are made, the network is trained, the model is exported.

use crate::{
    error::RateError,
    net::Net,
    options::Options,
    supply::{Supply, Teacher},
    train::{Report, Run},
    validate::error,
};
use kompakt_data::{Augmentation, DataError, Dataset, Feed, Values};
use kompakt_model::Model;
use kompakt_prep::Pipeline;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, path::PathBuf};

/// Training and validation data.
pub struct Data<'a> {
    /// Training images, as stored.
    pub training: Dataset,
    /// Validation images, as stored; none: nothing is measured.
    pub validation: Option<Dataset>,
    /// How training images are augmented.
    pub augmentation: Augmentation,
    /// Number of augmented copies of the training images.
    pub copies: usize,
    /// Networks to learn from.
    pub teachers: &'a [Model],
    /// A folder that caches examples for other runs on the same ones.
    pub cache: Option<PathBuf>,
    /// A file from which a killed run resumes.
    pub checkpoint: Option<PathBuf>,
}

/// The result of the training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The original network, on validation data.
    pub error_before: Option<f64>,
    /// The ensemble of teachers, on validation data.
    pub error_of_teachers: Option<f64>,
    /// The last report.
    pub report: Report,
}

/// Trains `model` for its target; afterwards its weights are shared and its dead units removed.
///
/// `say` is called with messages before training, `tell` with reports of the training.
/// Errors: networks of operators that this stage does not know, data that do not fit, invalid options.
pub fn run(
    model: &mut Model,
    options: &Options,
    data: Data<'_>,
    say: &mut dyn FnMut(&str),
    tell: &mut dyn FnMut(&Report),
) -> Result<Outcome, RateError> {
    let mut net = Net::of_model(model)?;
    net.block = options.block;
    net.refresh();
    options.check(net.layers.len())?;
    if net.stages.is_some() && !options.first_units.is_empty() {
        let problem = "a number of units to begin with is for chains of layers; this network has other paths"
            .to_string();
        return Err(RateError::Option { name: "--first-units", problem });
    }
    let steps = steps_of(model, &data.training, &net)?;
    let plain =
        |set: &Dataset, steps: &Pipeline| feed(set.clone(), steps, Augmentation::default(), options.seed);
    let validation = data.validation.as_ref().map(|set| plain(set, &steps)).transpose()?;
    let error_before = validation.as_ref().map(|feed| error(&net, feed).0);
    let key = key(model, options, &data);
    let (supply, error_of_teachers) = supply(&net, &steps, options, &data, say)?;
    let run = Run {
        options,
        template: model,
        supply: &supply,
        validation: validation.as_ref(),
        checkpoint: data.checkpoint.clone(),
        key,
    };
    let (result, report) = run.run(net, tell)?;
    *model = result;
    Ok(Outcome { error_before, error_of_teachers, report })
}

/// The examples: from the cache, or generated.
fn supply(
    net: &Net,
    steps: &Pipeline,
    options: &Options,
    data: &Data<'_>,
    say: &mut dyn FnMut(&str),
) -> Result<(Supply, Option<f64>), RateError> {
    let student = feed(data.training.clone(), steps, data.augmentation, options.seed)?;
    let (mut teachers, mut wrong) = (Vec::new(), None);
    let is_plain = steps.steps().is_empty();
    for model in data.teachers {
        let net_of_teacher = Net::of_model(model)?;
        let steps = steps_of(model, &data.training, &net_of_teacher)?;
        if net_of_teacher.n_classes() != net.n_classes() {
            return Err(RateError::Data("a teacher has another number of classes".to_string()));
        }
        if let Some(set) = &data.validation {
            let feed = feed(set.clone(), &steps, Augmentation::default(), options.seed)?;
            let (found, _) = error(&net_of_teacher, &feed);
            let is_bare = model.preprocessing.is_none() && !is_plain;
            let hint =
                if is_bare { "; it carries no preprocessing: raw images (--prep gives it)" } else { "" };
            say(&format!("a teacher: validation error {:.2} %{hint}", 100.0 * found));
            wrong = Some(wrong.map_or(found, |w: f64| w.min(found)));
        }
        let feed = feed(data.training.clone(), &steps, data.augmentation, options.seed)?;
        teachers.push(Teacher { net: net_of_teacher, feed });
    }
    let copies = if data.augmentation.is_none() { 1 } else { data.copies.max(1) };
    let key = supply_key(steps, options.seed, copies, data);
    let path = data.cache.as_ref().map(|folder| folder.join(format!("examples-{}.bin", &key[..16])));
    let kept = path.as_ref().and_then(|path| Supply::read(&key, path));
    let mut supply = match kept {
        Some(supply) => supply,
        None => {
            let tell = |n| say(&format!("examples: copy {n} of {copies}"));
            let made = Supply::make(&student, net.n_classes(), &teachers, copies, options.seed, tell)?;
            if let Some(path) = &path {
                let what = || format!("cannot write {}", path.display());
                made.write(&key, path).map_err(|source| RateError::Io { what: what(), source })?;
            }
            made
        }
    };
    supply.soften(options.distillation.temperature);
    Ok((supply, wrong))
}

fn feed(set: Dataset, steps: &Pipeline, augmentation: Augmentation, seed: u64) -> Result<Feed, RateError> {
    Feed::new(set, steps, augmentation, seed).map_err(|e: DataError| RateError::Data(e.to_string()))
}

/// The preprocessing steps of a model, or none for images as `set` has them; they produce what `net` reads.
fn steps_of(model: &Model, set: &Dataset, net: &Net) -> Result<Pipeline, RateError> {
    let steps = match &model.preprocessing {
        Some(json) => serde_json::from_value(json.clone())
            .map_err(|e| RateError::Data(format!("the model's preprocessing is not readable: {e}")))?,
        None => Pipeline::new(&set.dims(), vec![]).map_err(|e| RateError::Data(e.to_string()))?,
    };
    let n = steps.output_shape().len();
    if n != net.n_inputs {
        let problem = format!("an image has {n} numbers, the network reads {}", net.n_inputs);
        return Err(RateError::Data(problem));
    }
    Ok(steps)
}

/// A key for the examples, from everything that they depend on.
fn supply_key(steps: &Pipeline, seed: u64, copies: usize, data: &Data<'_>) -> String {
    let mut text = format!("{} {seed} {copies} {}", steps.hash_hex(), data.augmentation);
    data.teachers.iter().for_each(|t| text += &format!(" {}", t.content_hash()));
    text += &format!(" {:?} {}", data.training.dims(), digest(&bytes_of(data.training.values())));
    digest(text.as_bytes())
}

/// A key for a run, from everything that it depends on.
fn key(model: &Model, options: &Options, data: &Data<'_>) -> String {
    let steps = model.preprocessing.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("{} {options:?} {} {steps}", model.content_hash(), data.copies);
    text += &format!(" {} {}", data.augmentation, digest(&bytes_of(data.training.values())));
    data.teachers.iter().for_each(|t| text += &format!(" {}", t.content_hash()));
    digest(text.as_bytes())
}

/// The pixels of a data set as bytes.
fn bytes_of(values: &Values) -> Cow<'_, [u8]> {
    match values {
        Values::Bytes(bytes) => Cow::Borrowed(bytes),
        Values::Scaled { bytes, low, step } => {
            Cow::Owned([&low.to_le_bytes(), &step.to_le_bytes(), &bytes[..]].concat())
        }
        Values::Floats(floats) => Cow::Owned(floats.iter().flat_map(|x| x.to_le_bytes()).collect()),
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
