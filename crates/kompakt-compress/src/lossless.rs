//! Lossless compression: weights that take few distinct values become codes.

use crate::{
    compress::Compressed,
    error::CompressError,
    images::Images,
    int8, network,
    report::reports,
    search::Candidate,
    target::{Options, Outcome, Target, record},
};
use kompakt_model::{Model, Numbers, Parameter};

/// Bits of a value that is not one of few: the fewest that a coder is likely to reach.
const DENSE_BITS: f64 = 8.0;
/// The share of the zeroth-order entropy that a coder may get down to.
const CODED: f64 = 0.5;

/// A network and its target.
pub(crate) struct Lossless<'l> {
    pub(crate) model: &'l Model,
    pub(crate) options: &'l Options,
    pub(crate) validation: Option<&'l Images>,
    /// Number of calibration images.
    pub(crate) n_images: usize,
    /// Inputs that ranges of values are taken from, if the file is to hold some.
    pub(crate) ranged: Option<&'l Images>,
}

impl Lossless<'_> {
    /// The lossless network, if that takes at most `bytes`.
    pub(crate) fn within(&self, bytes: u64) -> Result<Option<Compressed>, CompressError> {
        let (model, bits) = shared(self.model);
        // Coding it takes time: skipped where it cannot succeed.
        if CODED * bits.iter().sum::<f64>() > 8.0 * bytes as f64 {
            return Ok(None);
        }
        let mut outcome = Outcome { met: true, ..Outcome::default() };
        let (ranges, answers) = int8::measured(self.model, self.ranged, self.validation)?;
        if let (Some(images), Some(answers)) = (self.validation, answers) {
            let original = match self.ranged {
                Some(_) => network::answers(self.model, images)?,
                None => answers.clone(),
            };
            let shape = network::output_shape(self.model);
            outcome.compare(&original, &answers, images, self.options.metric, shape);
            // Integers may answer otherwise than the same weights in floats.
            outcome.met = self.ranged.is_none() || self.options.excess(&outcome) <= 0.0;
        }
        let mut model = model;
        model.record(record(self.options, &outcome, self.n_images), Some(self.model.content_hash()));
        let packed = network::packed_with(&model, self.options.tier, ranges)?;
        outcome.bytes = packed.len() as u64;
        if outcome.bytes > bytes {
            return Ok(None);
        }
        let per_weight: Vec<f64> =
            bits.iter().zip(model.graph.weights()).map(|(b, p)| b / p.len().max(1) as f64).collect();
        let layers = reports(&model.graph, &model, &vec![0.0; bits.len()], &per_weight);
        Ok(Some(Compressed { model, packed, outcome, layers, scan: None }))
    }

    /// The lossless network, if it is hardly larger than a lossy one, and within the size that is asked for: nothing is lost for a
    /// two-hundredth of the bytes.
    pub(crate) fn no_larger_than(&self, candidate: &Candidate) -> Result<Option<Compressed>, CompressError> {
        if candidate.outcome.noise == 0.0 {
            return Ok(None);
        }
        let near = candidate.outcome.bytes + candidate.outcome.bytes / 200;
        let limit = match self.options.target {
            Target::Bytes(most) => Some(most),
            _ => self.options.most_bytes,
        };
        self.within(match limit {
            Some(most) if candidate.outcome.met => near.min(most),
            Some(most) => most,
            None => near,
        })
    }
}

/// The unchanged network, weights of at most 256 distinct values besides zero as codes.
pub fn without_loss(model: &Model) -> Model {
    shared(model).0
}

/// The model with codes for weights of at most 256 values besides zero, and about how many bits each weight
/// layer takes, by the frequency of each value.
fn shared(model: &Model) -> (Model, Vec<f64>) {
    let mut changed = model.clone();
    let mut bits = Vec::new();
    for param in model.graph.weights() {
        let few = model.parameters.get(&param.name).and_then(few_valued);
        bits.push(few.as_ref().map_or(DENSE_BITS * param.len() as f64, bits_by_frequency));
        if let Some(few) = few {
            changed.parameters.insert(param.name.clone(), few);
        }
    }
    (changed, bits)
}

/// A parameter as codes, if it takes few values.
fn few_valued(parameter: &Parameter) -> Option<Parameter> {
    let Parameter::Dense { shape, values, mask } = parameter else { return Some(parameter.clone()) };
    let values = values.to_f32();
    let mut entries: Vec<f32> = Vec::new();
    for &v in values.iter().filter(|v| **v != 0.0) {
        let at = entries.partition_point(|&e| e < v);
        if entries.get(at) != Some(&v) {
            if entries.len() == 256 {
                return None;
            }
            entries.insert(at, v);
        }
    }
    let code = |v: &f32| entries.partition_point(|e| e < v).min(entries.len().saturating_sub(1)) as u8;
    let codes: Vec<u8> = values.iter().map(code).collect();
    let kept: Vec<bool> =
        values.iter().enumerate().map(|(i, v)| *v != 0.0 && mask.as_ref().is_none_or(|m| m[i])).collect();
    let single = Numbers::F32(if entries.is_empty() { vec![1.0] } else { entries });
    let half = single.to_f16();
    let entries = if half.to_f32() == single.to_f32() { half } else { single };
    let mask = kept.contains(&false).then_some(kept);
    Some(Parameter::shared(shape.clone(), &entries, &codes, mask.as_deref()))
}

/// Bits of codes and mask, each weight coded independently, and of the codebook.
fn bits_by_frequency(parameter: &Parameter) -> f64 {
    let Parameter::Shared { codebook, codes, mask, .. } = parameter else { return 0.0 };
    let mut counts = vec![0usize; codebook.len() + 1];
    for (i, &code) in codes.iter().enumerate() {
        let kept = mask.as_ref().is_none_or(|m| m[i]);
        counts[if kept { usize::from(code) } else { codebook.len() }] += 1;
    }
    let n = codes.len() as f64;
    let bits = |&c: &usize| if c == 0 { 0.0 } else { c as f64 * (n / c as f64).log2() };
    counts.iter().map(bits).sum::<f64>() + 8.0 * codebook.len() as f64
}
