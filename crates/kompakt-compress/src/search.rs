//! From a target to a price: networks are quantised, packed and run until one meets it.

use crate::{
    Progress,
    allocate::Allocation,
    blind::{AIMED, Judge},
    curve::Curve,
    error::CompressError,
    images::Images,
    int8,
    layer::{DenseLayer, replace, round_vectors, without_weights},
    moments::Moments,
    network,
    quantise::{Quantised, quantise},
    target::{Options, Outcome, Target, record},
    trellis,
};
use kompakt_format::Tier;
use kompakt_model::Model;
use kompakt_pack::Orders;
use rayon::prelude::*;
use std::{collections::BTreeMap, sync::OnceLock};

/// Networks that are packed, or run, before the best is returned.
const TRIALS: usize = 9;
/// A price at which only bits count.
const DEAREST: f64 = 1e12;
/// A size this close below the target is good enough.
const NEAR: f64 = 0.985;
/// Searches for a size that the figures in the file's history have exceeded.
const REPEATS: usize = 3;
/// How often less error is tried where the answers to synthetic inputs differ by more than what was aimed at.
const TIGHTER: usize = 2;
/// An error with as many digits as is sensible.
const LONG: f64 = 0.012_345_678_901_234_568;

/// What the search works with.
pub(crate) struct Search<'s> {
    /// The network; its weights are not looked at here.
    pub(crate) model: &'s Model,
    pub(crate) layers: &'s [DenseLayer],
    pub(crate) curves: &'s [Curve],
    pub(crate) weights: &'s [f64],
    pub(crate) moments: &'s [Moments],
    /// Validation images.
    pub(crate) validation: Option<&'s Images>,
    /// Compares a network with the original on synthetic inputs, where there are no images.
    pub(crate) judge: Option<&'s Judge>,
    pub(crate) options: &'s Options,
    pub(crate) progress: &'s Progress<'s>,
    /// Hash of the model.
    pub(crate) input: String,
    /// Number of calibration images.
    pub(crate) n_images: usize,
    /// The original's answers to the validation images.
    pub(crate) original: Option<Vec<f32>>,
    /// Inputs that ranges of values are taken from, if the file is to hold some.
    pub(crate) ranged: Option<&'s Images>,
    /// The order of units in the file where codes follow a trellis, once a network has been quantised.
    pub(crate) orders: OnceLock<Orders>,
}

/// A compressed network with the points at which it was quantised.
pub(crate) struct Candidate {
    pub(crate) model: Model,
    /// Its file, once it has been measured.
    pub(crate) packed: Vec<u8>,
    pub(crate) choice: Vec<usize>,
    pub(crate) outcome: Outcome,
    pub(crate) errors: Vec<f64>,
}

impl Search<'_> {
    fn allocation(&self) -> Allocation<'_> {
        Allocation { curves: self.curves, weights: self.weights }
    }

    /// Meets the target, or comes as close as it can.
    pub(crate) fn run(&self) -> Result<Candidate, CompressError> {
        let mut made = BTreeMap::new();
        match self.options.target {
            Target::Noise(noise) => {
                (self.progress)("searching", f64::NAN);
                let allocation = self.allocation();
                let at = |noise: f64| {
                    let price = allocation.highest(|choice| allocation.error(choice) <= noise);
                    let mut choice = allocation.at(price.unwrap_or(0.0));
                    allocation.relax(&mut choice, noise);
                    (price.is_some(), choice)
                };
                let (met, mut choice) = at(noise);
                let mut candidate = self.judged(self.made(choice.clone(), &mut made))?;
                let mut aimed = noise;
                for _ in 0..TIGHTER {
                    let Some(found) = candidate.outcome.blind.as_ref().and_then(|b| b.difference) else {
                        break;
                    };
                    if found <= AIMED * noise {
                        break;
                    }
                    // Without data only the layers' relative sensitivities are known: a network may need less error.
                    aimed *= (0.7 * AIMED * noise / found).max(0.1);
                    let (_, finer) = at(aimed);
                    if finer == choice {
                        break;
                    }
                    choice.clone_from(&finer);
                    let finer = self.judged(self.made(finer, &mut made))?;
                    if finer.outcome.blind.as_ref().and_then(|b| b.difference).is_none_or(|d| d > found) {
                        break;
                    }
                    candidate = finer;
                }
                let mut candidate = self.measured(candidate)?;
                candidate.outcome.met = met;
                Ok(self.within(candidate))
            }
            Target::Bytes(bytes) => self.for_size(bytes, &mut made),
            Target::Drop(_) | Target::Reach(_) => self.for_answers(&mut made),
        }
    }

    /// A size that must not be exceeded, in addition to another target.
    fn within(&self, mut candidate: Candidate) -> Candidate {
        if let Some(most) = self.options.most_bytes {
            candidate.outcome.met &= candidate.outcome.bytes <= most;
        }
        candidate
    }

    /// The least error that fits into `bytes`, its accuracy measured.
    ///
    /// The figures in the file's history may take some bytes more than those that stood for them: what does not fit with them
    /// is searched again for that much less.
    fn for_size(&self, bytes: u64, made: &mut Made) -> Result<Candidate, CompressError> {
        let mut room = bytes;
        for _ in 0..REPEATS {
            let found = self.fitting(room, made)?;
            let sized = found.outcome.bytes;
            let mut found = self.measured(found)?;
            found.outcome.met = found.outcome.bytes <= bytes;
            if found.outcome.met || sized > room {
                return Ok(found);
            }
            room = sized.saturating_sub(found.outcome.bytes - bytes);
        }
        let mut found = self.measured(self.fitting(room, made)?)?;
        found.outcome.met = found.outcome.bytes <= bytes;
        Ok(found)
    }

    /// The least error that fits into `bytes`, or else the smallest file that was found.
    fn fitting(&self, bytes: u64, made: &mut Made) -> Result<Candidate, CompressError> {
        let allocation = self.allocation();
        // The estimate is off by the file's overhead and by what its coder does better; that changes slowly.
        let mut estimate = bytes as f64 * 8.0;
        let mut best: Option<Candidate> = None;
        let mut smallest: Option<Candidate> = None;
        for trial in 0..TRIALS {
            (self.progress)("searching", trial as f64 / TRIALS as f64);
            let price = allocation.lowest(|choice| allocation.bits(choice) <= estimate);
            let mut choice = allocation.at(price.unwrap_or(DEAREST));
            allocation.fill(&mut choice, estimate);
            let estimated = allocation.bits(&choice);
            let candidate = self.sized(self.made(choice, made))?;
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
            // Aim a little below, so that the search ends on the right side.
            let aim = 0.995 * bytes as f64;
            estimate = (estimated + (aim - found as f64) * 8.0).max(estimated * aim / (2.0 * found as f64));
        }
        Ok(best.or(smallest).unwrap_or_else(|| self.made(allocation.at(DEAREST), made)))
    }

    /// The smallest network that is good enough on the validation images, by [`Options::excess`].
    fn for_answers(&self, made: &mut Made) -> Result<Candidate, CompressError> {
        if self.validation.is_none() {
            return Err(CompressError::NeedsImages(
                "an accuracy can only be kept where it can be measured: give --data",
            ));
        }
        let allocation = self.allocation();
        let (mut low, mut high) = (-14.0, 2.0);
        let mut best: Option<Candidate> = None;
        let mut least: Option<Candidate> = None;
        let excess = |candidate: &Candidate| self.options.excess(&candidate.outcome);
        for trial in 0..TRIALS {
            (self.progress)("searching", trial as f64 / TRIALS as f64);
            // The summed error, in octaves; the first guess is one that most networks tolerate.
            let octave = if trial == 0 { -4.0 } else { (low + high) / 2.0 };
            let noise = f64::exp2(octave);
            let price = allocation.highest(|choice| allocation.error(choice) <= noise).unwrap_or(0.0);
            let mut choice = allocation.at(price);
            allocation.relax(&mut choice, noise);
            let candidate = self.measured(self.made(choice, made))?;
            if excess(&candidate) <= 0.0 {
                low = octave;
                if best.as_ref().is_none_or(|b| candidate.outcome.bytes < b.outcome.bytes) {
                    best = Some(candidate);
                }
            } else {
                high = octave;
                if least.as_ref().is_none_or(|l| excess(&candidate) < excess(l)) {
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
            (None, None) => self.measured(self.made(allocation.at(0.0), made)),
        }
    }

    /// Quantises the network at these points.
    fn made(&self, choice: Vec<usize>, made: &mut Made) -> Candidate {
        let missing: Vec<usize> = (0..choice.len())
            .filter(|&i| made.get(&i).is_none_or(|(point, _)| *point != choice[i]))
            .collect();
        let learns = self.options.tier == Tier::Smallest;
        let plain = |i: usize| {
            quantise(self.layers[i].view(), &self.curves[i].points[choice[i]], Some(&self.moments[i]), learns)
        };
        let quantised = |i: usize| match self.options.trellis {
            true => self.along_a_trellis(i, choice[i]).unwrap_or_else(|| plain(i)),
            false => plain(i),
        };
        if self.options.trellis && self.orders.get().is_none() {
            let all: Vec<Quantised> = (0..choice.len()).into_par_iter().map(plain).collect();
            let orders = Orders::best(self.assembled(all.iter()));
            self.orders.get_or_init(|| orders);
        }
        let fresh: Vec<(usize, Quantised)> = missing.into_par_iter().map(|i| (i, quantised(i))).collect();
        for (i, quantised) in fresh {
            made.insert(i, (choice[i], quantised));
        }
        let layers = || made.values().map(|(_, quantised)| quantised);
        let errors: Vec<f64> = layers().map(|quantised| quantised.error).collect();
        let mut model = self.assembled(layers());
        if let Some(orders) = self.orders.get() {
            orders.apply(&mut model);
        }
        let noise = errors.iter().zip(self.weights).map(|(e, w)| e * w).sum();
        let outcome = Outcome { noise, ..Outcome::default() };
        Candidate { model, packed: Vec::new(), choice, outcome, errors }
    }

    /// The network with these layers.
    fn assembled<'q>(&self, layers: impl Iterator<Item = &'q Quantised>) -> Model {
        let mut model = without_weights(self.model);
        for (layer, quantised) in self.layers.iter().zip(layers) {
            replace(&mut model, layer, quantised.clone());
        }
        round_vectors(&mut model);
        model
    }

    /// A layer with codes that follow a trellis in the order of the file, where that pays.
    fn along_a_trellis(&self, layer: usize, point: usize) -> Option<Quantised> {
        let view = self.layers[layer].view();
        let point = &self.curves[layer].points[point];
        if !trellis::pays(&view, point) {
            return None;
        }
        let params = self.model.graph.params();
        let index = params.iter().position(|param| param.name == self.layers[layer].name)?;
        let order = self.orders.get().and_then(|orders| orders.rows(index));
        let order = order.unwrap_or_else(|| (0..view.shape[0] as u32).collect());
        Some(trellis::quantise(view, point, Some(&self.moments[layer]), &order))
    }

    /// Compares a network with the original where there are no images.
    fn judged(&self, mut candidate: Candidate) -> Result<Candidate, CompressError> {
        if let (None, Some(judge)) = (&candidate.outcome.blind, self.judge) {
            candidate.outcome.blind = Some(judge.compare(&candidate.model)?);
        }
        Ok(candidate)
    }

    /// Packs a network whose accuracy is not measured yet: placeholders of the same length stand for the
    /// figures that the file's history will hold.
    fn sized(&self, mut candidate: Candidate) -> Result<Candidate, CompressError> {
        let mut outcome = candidate.outcome.clone();
        if self.options.metric.is_by_image() {
            outcome.accuracy = self.original.as_ref().map(|_| (1.0 - LONG, 1.0 - LONG));
        } else {
            outcome.figure = self.original.as_ref().map(|_| LONG);
        }
        let mut model = candidate.model.clone();
        model.record(record(self.options, &outcome, self.n_images), Some(self.input.clone()));
        let placeholders = self.ranged.map_or_else(Vec::new, |_| int8::placeholders(&model.graph));
        candidate.outcome.bytes = network::packed_with(&model, self.options.tier, placeholders)?.len() as u64;
        Ok(candidate)
    }

    /// Runs a network where there are images, and packs it.
    fn measured(&self, candidate: Candidate) -> Result<Candidate, CompressError> {
        let mut candidate = self.judged(candidate)?;
        let (ranges, answers) = int8::measured(&candidate.model, self.ranged, self.validation)?;
        if let (Some(images), Some(original), Some(answers)) = (self.validation, &self.original, answers) {
            let shape = network::output_shape(&candidate.model);
            candidate.outcome.compare(original, &answers, images, self.options.metric, shape);
        }
        // The file's history is part of its size.
        let record = record(self.options, &candidate.outcome, self.n_images);
        candidate.model.record(record, Some(self.input.clone()));
        candidate.packed = network::packed_with(&candidate.model, self.options.tier, ranges)?;
        candidate.outcome.bytes = candidate.packed.len() as u64;
        Ok(candidate)
    }
}

/// For each layer the point it was last quantised at, and the result.
type Made = BTreeMap<usize, (usize, Quantised)>;
