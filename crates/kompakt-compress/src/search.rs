//! From a target to a price: networks are made, packed and run until one meets it.

use crate::{
    Images, Progress,
    allocate::Allocation,
    calibrate::Moments,
    compress::{Layer, Options, Target, record, replace, without_weights},
    curve::Curve,
    error::CompressError,
    network,
    quantise::{Quantised, quantise},
};
use kompakt_model::Model;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Networks that are packed, or run, before the best is taken.
const TRIALS: usize = 9;
/// A price at which only bits count.
const DEAREST: f64 = 1e12;
/// A size this near below the target is good enough.
const NEAR: f64 = 0.985;

/// What was reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether every target is met.
    pub met: bool,
    /// Bytes of the file.
    pub bytes: u64,
    /// The layers' relative errors, each times its sensitivity, summed.
    pub noise: f64,
    /// With images: the share whose likeliest class is the label, before and after.
    pub accuracy: Option<(f64, f64)>,
    /// With images: the share whose likeliest class is the original's.
    pub agreement: Option<f64>,
    /// With images: squared difference of the answers as a part of their energy.
    pub difference: Option<f64>,
}

/// What the search works with.
pub(crate) struct Search<'s> {
    pub(crate) model: &'s Model,
    pub(crate) layers: &'s [Layer],
    pub(crate) curves: &'s [Curve],
    pub(crate) weights: &'s [f64],
    pub(crate) moments: Option<&'s [Moments]>,
    pub(crate) images: Option<&'s Images>,
    pub(crate) options: &'s Options,
    pub(crate) progress: &'s Progress<'s>,
    /// Hash of the model.
    pub(crate) input: String,
    /// Images that were calibrated with.
    pub(crate) n_images: usize,
    /// The original's answers.
    pub(crate) original: Option<Vec<f32>>,
}

/// A compressed network with the points that it was made at.
pub(crate) struct Candidate {
    pub(crate) model: Model,
    /// Its file.
    pub(crate) packed: Vec<u8>,
    pub(crate) choice: Vec<usize>,
    pub(crate) outcome: Outcome,
    pub(crate) errors: Vec<f64>,
}

impl Search<'_> {
    fn allocation(&self) -> Allocation<'_> {
        Allocation { curves: self.curves, weights: self.weights }
    }

    /// Meets the target, or comes as near as it can.
    pub(crate) fn run(&self) -> Result<Candidate, CompressError> {
        let mut made = BTreeMap::new();
        match self.options.target {
            Target::Noise(noise) => {
                let allocation = self.allocation();
                let price = allocation.highest(|choice| allocation.error(choice) <= noise);
                let mut choice = allocation.at(price.unwrap_or(0.0));
                allocation.relax(&mut choice, noise);
                let mut candidate = self.candidate(choice, &mut made)?;
                candidate.outcome.met = price.is_some();
                Ok(self.within(candidate))
            }
            Target::Bytes(bytes) => self.for_size(bytes, &mut made),
            Target::Drop(drop) => self.for_drop(drop, &mut made),
        }
    }

    /// Beside another target, a size that must not be exceeded.
    fn within(&self, mut candidate: Candidate) -> Candidate {
        if let Some(most) = self.options.most_bytes {
            candidate.outcome.met &= candidate.outcome.bytes <= most;
        }
        candidate
    }

    /// The least error that fits into `bytes`.
    fn for_size(&self, bytes: u64, made: &mut Made) -> Result<Candidate, CompressError> {
        let allocation = self.allocation();
        // The estimate is off by the file's overhead and by what its coder knows better; that changes slowly.
        let mut estimate = bytes as f64 * 8.0;
        let mut best: Option<Candidate> = None;
        let mut smallest: Option<Candidate> = None;
        for trial in 0..TRIALS {
            (self.progress)("searching", trial as f64 / TRIALS as f64);
            let price = allocation.lowest(|choice| allocation.bits(choice) <= estimate);
            let mut choice = allocation.at(price.unwrap_or(DEAREST));
            allocation.fill(&mut choice, estimate);
            let estimated = allocation.bits(&choice);
            let candidate = self.candidate(choice, made)?;
            let found = candidate.outcome.bytes;
            let is_same = best.as_ref().or(smallest.as_ref()).is_some_and(|b| b.choice == candidate.choice);
            if found <= bytes && best.as_ref().is_none_or(|b| candidate.outcome.noise < b.outcome.noise) {
                best = Some(candidate);
            } else if smallest.as_ref().is_none_or(|s| found < s.outcome.bytes) {
                smallest = Some(candidate);
            }
            let is_near = found <= bytes && found as f64 >= NEAR * bytes as f64;
            if is_near || is_same || (price.is_none() && found > bytes) {
                break;
            }
            // Aim a little below, so that the search comes to rest on the right side.
            let aim = 0.995 * bytes as f64;
            estimate = (estimated + (aim - found as f64) * 8.0).max(estimated * aim / (2.0 * found as f64));
        }
        match (best, smallest) {
            (Some(mut best), _) => {
                best.outcome.met = true;
                Ok(best)
            }
            (None, Some(smallest)) => Ok(smallest),
            (None, None) => self.candidate(allocation.at(DEAREST), made),
        }
    }

    /// The smallest network whose accuracy falls by at most `drop`.
    fn for_drop(&self, drop: f64, made: &mut Made) -> Result<Candidate, CompressError> {
        if self.images.is_none() {
            return Err(CompressError::NeedsImages(
                "an accuracy can only be kept where it can be measured: give --data",
            ));
        }
        let allocation = self.allocation();
        let (mut low, mut high) = (-14.0, 2.0);
        let mut best: Option<Candidate> = None;
        let mut least: Option<Candidate> = None;
        let dropped = |o: &Outcome| o.accuracy.map_or(f64::INFINITY, |(before, after)| before - after);
        for trial in 0..TRIALS {
            (self.progress)("searching", trial as f64 / TRIALS as f64);
            // The summed error, in octaves; the first guess is one that most networks bear.
            let octave = if trial == 0 { -4.0 } else { (low + high) / 2.0 };
            let noise = f64::exp2(octave);
            let price = allocation.highest(|choice| allocation.error(choice) <= noise).unwrap_or(0.0);
            let mut choice = allocation.at(price);
            allocation.relax(&mut choice, noise);
            let candidate = self.candidate(choice, made)?;
            if dropped(&candidate.outcome) <= drop + 1e-12 {
                low = octave;
                if best.as_ref().is_none_or(|b| candidate.outcome.bytes < b.outcome.bytes) {
                    best = Some(candidate);
                }
            } else {
                high = octave;
                if least.as_ref().is_none_or(|l| dropped(&candidate.outcome) < dropped(&l.outcome)) {
                    least = Some(candidate);
                }
            }
        }
        match (best, least) {
            (Some(mut best), _) => {
                best.outcome.met = true;
                Ok(self.within(best))
            }
            (None, Some(least)) => Ok(least),
            (None, None) => self.candidate(allocation.at(0.0), made),
        }
    }

    /// Makes, packs and, with images, runs the network of these points.
    fn candidate(&self, choice: Vec<usize>, made: &mut Made) -> Result<Candidate, CompressError> {
        let missing: Vec<usize> = (0..choice.len())
            .filter(|&i| made.get(&i).is_none_or(|(point, _)| *point != choice[i]))
            .collect();
        let fresh: Vec<(usize, Quantised)> = missing
            .into_par_iter()
            .map(|i| {
                let moments = self.moments.map(|m| &m[i]);
                (i, quantise(self.layers[i].view(), &self.curves[i].points[choice[i]], moments))
            })
            .collect();
        for (i, quantised) in fresh {
            made.insert(i, (choice[i], quantised));
        }
        let mut model = without_weights(self.model);
        let mut errors = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            if let Some((_, quantised)) = made.get(&i) {
                errors.push(quantised.error);
                replace(&mut model, layer, quantised.clone());
            }
        }
        crate::compress::round_vectors(&mut model);
        let noise = errors.iter().zip(self.weights).map(|(e, w)| e * w).sum();
        let mut outcome =
            Outcome { met: false, bytes: 0, noise, accuracy: None, agreement: None, difference: None };
        if let (Some(images), Some(original)) = (self.images, &self.original) {
            let answers = network::answers(&model, images)?;
            let (before, after) =
                (network::classes(original, images.n), network::classes(&answers, images.n));
            let share = |a: &[usize], b: &[usize]| {
                a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / images.n.max(1) as f64
            };
            let truth = if images.labels.is_empty() { &before } else { &images.labels };
            outcome.accuracy = Some((share(&before, truth), share(&after, truth)));
            outcome.agreement = Some(share(&before, &after));
            outcome.difference = Some(network::difference(original, &answers, images.n));
        }
        // The file's history is part of its size.
        let record = record(self.options, &outcome, self.n_images);
        model.record(record, Some(self.input.clone()));
        let packed = network::packed(&model, self.options.tier)?;
        outcome.bytes = packed.len() as u64;
        Ok(Candidate { model, packed, choice, outcome, errors })
    }
}

/// For each layer the point it was last quantised at, and the result.
type Made = BTreeMap<usize, (usize, Quantised)>;
