//! Compression end to end: from a dense model and a target to a model with shared weights.

use crate::{
    Progress,
    calibration::Calibration,
    curve,
    error::CompressError,
    images::Images,
    layer::{layers, without_weights},
    lossless, network,
    report::{LayerReport, reports},
    rows::{self, Balanced},
    scan::{self, Scan},
    search::{Candidate, Search},
    target::{Options, Outcome, Target},
};
use kompakt_model::Model;
use kompakt_runtime::Activations;
use std::sync::OnceLock;

/// A compressed model.
#[derive(Debug, Clone)]
pub struct Compressed {
    /// Every weight layer shared, biases rounded, one more record of history; the unchanged network where the
    /// target allowed lossless compression.
    pub model: Model,
    /// The packed file, not read back yet.
    pub packed: Vec<u8>,
    /// What was reached.
    pub outcome: Outcome,
    /// One per weight layer.
    pub layers: Vec<LayerReport>,
    /// The scan that was used: keep it for the next target. `None` where none was needed, because the target
    /// was met without loss.
    pub scan: Option<Scan>,
}

/// Compresses a dense model to a target; losslessly where that meets it, or is smaller than what the target
/// allows.
///
/// `images` calibrate the network, its accuracy is measured on `validation` (on the former, if there are
/// none); both are prepared for the network's only input. Passing a `scan` of the same network saves
/// computing it. Where the target cannot be met the best network found is returned, with an outcome that says
/// so.
/// Errors: a model that cannot be run, or that is shared already and too large as it is; images that do not fit; a scan of
/// another network.
pub fn compress(
    model: &Model,
    options: &Options,
    images: Option<&Images>,
    validation: Option<&Images>,
    scan: Option<Scan>,
    progress: &Progress<'_>,
) -> Result<Compressed, CompressError> {
    model.check()?;
    let validation = validation.or(images);
    let hash = model.content_hash();
    let n_images = images.map_or(0, |i| i.n);
    let ranged = match options.activations {
        Activations::Int8 => Some(Calibration::new(model, images)?.images().clone()),
        _ => None,
    };
    let lossless = lossless::Lossless { model, options, validation, n_images, ranged: ranged.as_ref() };
    if let Target::Bytes(bytes) = options.target
        && let Some(compressed) = lossless.within(bytes)?
    {
        return Ok(Compressed { scan, ..compressed });
    }
    if scan.as_ref().is_some_and(|s| s.model != hash) {
        return Err(CompressError::OtherScan);
    }
    layers(model)?;
    let calibration = Calibration::new(model, images)?;
    let known = scan.filter(|s| s.n_images > 0 || images.is_none());
    let known = known.filter(|s| s.layers.iter().all(|l| !l.rows.is_empty()));
    let by_row = match &known {
        Some(scan) => Some(scan.layers.iter().map(|l| l.rows.clone()).collect()),
        None => calibration.sensitivities(model, progress)?,
    };
    let original = validation.map(|images| network::answers(model, images)).transpose()?;
    let is_real = known.as_ref().map_or(calibration.n_images(), |s| s.n_images) > 0;
    let balanced = rows::balanced(model, by_row.as_deref().filter(|_| is_real))?;
    let has_scales = balanced.has_scales();
    // Before the search, which holds the layers.
    let judge = if validation.is_none() { calibration.judge(model)? } else { None };
    // The search, from a model whose layers may have been given scales.
    let attempt = |mut balanced: Balanced| -> Result<(Candidate, Scan, Vec<f64>), CompressError> {
        let all = layers(&balanced.model)?;
        let curves = curve::curves(&all, options.block, progress);
        let moments = calibration.moments(&balanced.model, progress)?;
        let scan = match &known {
            Some(scan) => scan.clone(),
            None => scan::scan(&hash, &balanced, &all, &curves, &calibration, by_row.as_deref(), &moments),
        };
        // The layers hold its weights.
        balanced.model = without_weights(&balanced.model);
        let weights: Vec<f64> = scan.layers.iter().map(|l| l.sensitivity).collect();
        let search = Search {
            model: &balanced.model,
            layers: &all,
            curves: &curves,
            weights: &weights,
            moments: &moments,
            validation,
            judge: judge.as_ref(),
            options,
            progress,
            input: hash.clone(),
            n_images,
            original: original.clone(),
            ranged: ranged.as_ref(),
            orders: OnceLock::new(),
        };
        let candidate = search.run()?;
        let points = candidate.choice.iter().zip(&curves).zip(&all);
        let bits = points.map(|((&c, curve), l)| curve.points[c].bits / l.weights.len() as f64).collect();
        Ok((candidate, scan, bits))
    };
    let (mut candidate, scan, mut bits) = attempt(balanced)?;
    // Scales take bytes: where a size cannot be reached with them, the layers are used without.
    if has_scales && !candidate.outcome.met && matches!(options.target, Target::Bytes(_)) {
        let (plain, _, plain_bits) = attempt(Balanced::plain(model))?;
        if plain.outcome.met || plain.outcome.bytes < candidate.outcome.bytes {
            (candidate, bits) = (plain, plain_bits);
        }
    }
    if let Some(compressed) = lossless.no_larger_than(&candidate)? {
        return Ok(Compressed { scan: Some(scan), ..compressed });
    }
    let Candidate { model, packed, outcome, errors, .. } = candidate;
    let layers = reports(&model.graph, &model, &errors, &bits);
    Ok(Compressed { model, packed, outcome, layers, scan: Some(scan) })
}
