//! The sensitivity scan: the effect of an error in each layer on the network's answers.

use crate::{
    Progress,
    calibration::Calibration,
    curve::{self, Curve, Point},
    error::CompressError,
    images::Images,
    layer::{DenseLayer, layers},
    moments::Moments,
    quantise::quantise,
    rows::{self, Balanced},
    sensitivity,
};
use kompakt_model::{Block, Model};
use serde::{Deserialize, Serialize};

/// Errors for which a scan has points and its table shows bits, relative to a layer's energy.
pub const SHOWN: [f64; 4] = [0.0003, 0.003, 0.03, 0.1];

/// The least sensitivity of a layer that was measured on synthetic inputs, where the mean is 1: such inputs may leave a layer
/// idle that real ones need.
const LEAST: f64 = 0.05;

/// What is known of every layer before compression. Stored as JSON and valid for any target of the
/// same network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// Content hash of the network.
    pub model: String,
    /// Calibration images; 0 without.
    pub n_images: usize,
    /// One per weight layer, in the order they run.
    pub layers: Vec<LayerScan>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerScan {
    /// The weight's name.
    pub name: String,
    /// How many weights it has.
    pub n_weights: usize,
    /// How much of the answers' energy becomes error for each part of the layer's energy that does. Where it was not
    /// measured: how much of its rows' energy does, on average; 1 where all rows are alike.
    pub sensitivity: f64,
    /// For each row (output unit): the part of the answers' energy that becomes error where all its weights have errors of
    /// variance 1. Empty where it was not measured.
    #[serde(default)]
    pub rows: Vec<f64>,
    /// Bits per weight for some errors.
    pub points: Vec<ScanPoint>,
}

/// One way to store a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanPoint {
    /// Squared error relative to the layer's energy.
    pub error: f64,
    /// Bits per weight, by the frequency of each level.
    pub bits_per_weight: f64,
    /// The share of weights that are not zero.
    pub density: f64,
}

/// Scans a dense model, with images or with synthetic ones.
///
/// Errors: a model whose weights are shared already or that cannot be run; images that do not fit it.
pub fn sense(model: &Model, images: Option<&Images>, progress: &Progress<'_>) -> Result<Scan, CompressError> {
    model.check()?;
    layers(model)?;
    let calibration = Calibration::new(model, images)?;
    let by_row = calibration.sensitivities(model, progress)?;
    let is_real = calibration.n_images() > 0;
    let balanced = rows::balanced(model, by_row.as_deref().filter(|_| is_real))?;
    let all = layers(&balanced.model)?;
    let curves = curve::curves(&all, Block::SINGLE, progress);
    let moments = calibration.moments(&balanced.model, progress)?;
    let hash = model.content_hash();
    Ok(scan(&hash, &balanced, &all, &curves, &calibration, by_row.as_deref(), &moments))
}

/// `hash` and `by_row` are of the original network, all else of the balanced one.
pub(crate) fn scan(
    hash: &str,
    balanced: &Balanced,
    layers: &[DenseLayer],
    curves: &[Curve],
    calibration: &Calibration,
    by_row: Option<&[Vec<f64>]>,
    moments: &[Moments],
) -> Scan {
    let of_layer = |(i, layer): (usize, &DenseLayer)| {
        let rows = balanced.sensitivities(i, &by_row?[i]);
        Some(sensitivity::of_layer(&rows, &layer.weights) * moments[i].gain().sqrt())
    };
    let mut measured: Vec<Option<f64>> = layers.iter().enumerate().map(of_layer).collect();
    if let Calibration::Synthetic { .. } = calibration {
        // Only the relative sensitivity of layers is known, not the effect on answers to real images: the
        // mean is 1.
        let sum: f64 = measured.iter().flatten().sum();
        let scale = layers.len() as f64 / sum.max(1e-30);
        measured.iter_mut().flatten().for_each(|s| *s = (*s * scale).max(LEAST));
    }
    let layer = |(i, (layer, curve)): (usize, (&DenseLayer, &Curve))| LayerScan {
        name: layer.name.clone(),
        n_weights: layer.weights.len(),
        sensitivity: match measured[i] {
            Some(found) if found.is_finite() => found.max(1e-9),
            _ => rows::spread(&layer.weights, layer.shape[0]),
        },
        rows: by_row.map(|rows| rows[i].clone()).unwrap_or_default(),
        points: points(layer, curve),
    };
    let layers = layers.iter().zip(curves).enumerate().map(layer).collect();
    Scan { model: hash.to_string(), n_images: calibration.n_images(), layers }
}

/// The points of a curve nearest to the listed errors.
fn points(layer: &DenseLayer, curve: &Curve) -> Vec<ScanPoint> {
    let n = layer.weights.len() as f64;
    let nearest = |error: f64| {
        let distance = |p: &&Point| (p.error.max(1e-12) / error).ln().abs();
        curve.points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
    };
    let point = |p: &Point| {
        let made = quantise(layer.view(), p, None, false);
        ScanPoint { error: made.error, bits_per_weight: p.bits / n, density: made.n_kept as f64 / n }
    };
    SHOWN.iter().filter_map(|&e| nearest(e)).map(point).collect()
}

impl Scan {
    /// As a table: one line per layer, with the bits per weight that keep its error below some values.
    pub fn table(&self) -> String {
        let mut text = format!("{:>10}  {:>12}", "weights", "sensitivity");
        for error in SHOWN {
            text += &format!("  {:>14}", format!("error {}", error));
        }
        text += "  layer\n";
        let most = self.layers.iter().map(|l| l.sensitivity).fold(1e-12, f64::max);
        for layer in &self.layers {
            text += &format!("{:>10}  {:>12.4}", layer.n_weights, layer.sensitivity);
            for p in &layer.points {
                text += &format!("  {:>6.2} b {:>3.0} %", p.bits_per_weight, 100.0 * p.density);
            }
            let bar = (layer.sensitivity / most).sqrt() * 20.0;
            text += &format!("  {}", layer.name);
            text += &format!("  {}", "#".repeat(bar.round() as usize));
            text.push('\n');
        }
        text
    }
}
