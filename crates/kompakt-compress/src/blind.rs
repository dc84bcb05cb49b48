//! Compression without data, judged: the original and the result on synthetic inputs that were not calibrated with.
//!
//! What is compared are the [answers](crate::answers) before a final softmax or sigmoid. Agreement here promises nothing for
//! real inputs; but a result that disagrees here is wrong.

use crate::{
    answers,
    error::CompressError,
    images::Images,
    network,
    recognised::{Characters, Recognised},
};
use kompakt_graph::Graph;
use kompakt_model::{CheckpointError, Model};

/// Inputs that are compared, and the numbers of their answers that are held at a time.
const INPUTS: usize = 16;
const NUMBERS: usize = 1 << 23;
/// A summed error of layers promises a difference of the answers of at most this many times as much.
pub(crate) const AIMED: f64 = 4.0;
/// The part of an answer's energy that must depend on the inputs.
const VARYING: f64 = 1e-9;

/// What was found without data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Blind {
    /// Names of the inputs whose kind the network does not tell, so that the synthetic ones may be unlike the real ones.
    pub unknown: Vec<String>,
    /// Squared difference of the answers to synthetic inputs relative to their energy around their mean, of the output where it
    /// is largest; `None` where the answers do not depend on the inputs, or are not numbers.
    pub difference: Option<f64>,
    /// Where pictures become a list of scores, as in a recogniser of text: what is read of synthetic inputs.
    pub characters: Option<Characters>,
}

/// How many inputs are compared.
pub(crate) fn n_inputs(graph: &Graph) -> usize {
    let each: usize = answers::answers(graph).iter().map(|&v| graph.shape(v).iter().product::<usize>()).sum();
    (NUMBERS / each.max(1)).clamp(2, INPUTS)
}

/// The original's answers to synthetic inputs: networks that differ from it in weights, and in scales after layers, are compared
/// with them.
pub(crate) struct Judge {
    inputs: Images,
    unknown: Vec<String>,
    /// One list for each answer.
    original: Vec<Vec<f32>>,
    /// For each answer how it is read as text, where it may be text.
    texts: Vec<Option<Recognised>>,
}

impl Judge {
    /// Runs the original; `unknown` is that of [`Blind`].
    ///
    /// Errors: a model that cannot be run.
    pub(crate) fn new(original: &Model, inputs: Images, unknown: Vec<String>) -> Result<Self, CompressError> {
        let graph = &original.graph;
        let is_picture =
            |shape: &[usize]| matches!(shape, [lead @ .., 1 | 3, _, _] if lead.iter().all(|&d| d == 1));
        let of_picture = matches!(graph.inputs(), [input] if is_picture(&input.shape));
        let text = |&value: &usize| Recognised::new(graph.shape(value)).filter(|_| of_picture);
        let texts = answers::answers(graph).iter().map(text).collect();
        let original = of(original, &inputs)?;
        Ok(Self { inputs, unknown, original, texts })
    }

    /// Compares a network with the original.
    ///
    /// Errors: a model that cannot be run.
    pub(crate) fn compare(&self, result: &Model) -> Result<Blind, CompressError> {
        let (found, n) = (of(result, &self.inputs)?, self.inputs.n);
        let mut worst: Option<f64> = None;
        let texts = self.texts.iter().zip(&found).zip(&self.original);
        let characters = texts
            .filter_map(|((text, found), original)| Some(text.as_ref()?.changed(found, original)))
            .max_by_key(|characters| characters.n_changed);
        for (a, b) in self.original.iter().zip(&found) {
            let square: f64 = a.iter().map(|v| f64::from(*v).powi(2)).sum();
            let zero = vec![0.0; a.len()];
            // Relative to the energy around the mean, of which the energy itself is a multiple.
            let whole = network::difference(a, &zero, n);
            if !whole.is_finite() || square == 0.0 || whole > 1.0 / VARYING {
                continue;
            }
            let found = network::difference(a, b, n);
            let found = if found.is_finite() { found } else { f64::INFINITY };
            worst = Some(worst.map_or(found, |worst| worst.max(found)));
        }
        Ok(Blind { unknown: self.unknown.clone(), difference: worst, characters })
    }
}

/// All answers to all inputs, one list for each.
fn of(model: &Model, inputs: &Images) -> Result<Vec<Vec<f32>>, CompressError> {
    let mut probe = model.clone();
    let values = answers::answers(&model.graph);
    let numbers: usize = values.iter().map(|&v| model.graph.shape(v).iter().product::<usize>()).sum();
    let (ports, nodes, _) = model.graph.clone().into_parts();
    let mut all = vec![Vec::new(); values.len()];
    probe.graph = Graph::new(ports, nodes, values).map_err(CheckpointError::from)?;
    let packed = network::pack(probe, kompakt_format::Tier::Direct)?;
    network::each_batch(&packed, inputs, network::at_once(4, numbers), |_, _, _, session| {
        all.iter_mut().enumerate().for_each(|(i, all)| all.extend_from_slice(session.output(i)));
    })?;
    Ok(all)
}
