//! The sensitivity scan: what an error in each layer does to the network's answers.

use crate::{
    Images, Progress,
    calibrate::{self, Moments},
    compress::{layers, replace},
    curve::Curve,
    error::CompressError,
    network,
    quantise::quantise,
    rows,
};
use kompakt_checkpoint::Model;
use serde::{Deserialize, Serialize};

/// Errors at which a layer is tried, as parts of its energy.
const TRIED: [f64; 2] = [0.003, 0.03];
/// Errors for which the table shows bits.
const SHOWN: [f64; 4] = [0.0003, 0.003, 0.03, 0.1];
/// Images that every trial looks at.
const IMAGES: usize = 64;

/// What is known of every layer before anything is compressed. Written as JSON, read again, and good for any target of the
/// same network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// Content hash of the network.
    pub model: String,
    /// Images that were looked at; 0 without calibration.
    pub n_images: usize,
    /// One a weight layer, in the order they run.
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
    /// Bits a weight for some errors.
    pub points: Vec<ScanPoint>,
}

/// One way to store a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanPoint {
    /// Squared error as a part of the layer's energy.
    pub error: f64,
    /// Bits a weight, by how often each level is taken.
    pub bits_per_weight: f64,
    /// Weights that are not zero, as a part of all.
    pub density: f64,
}

/// Scans a dense model; with images, runs it with one layer at a time compressed.
///
/// Errors: a model whose weights are shared already or that cannot be run; images that do not fit it.
pub fn sense(model: &Model, images: Option<&Images>, progress: &Progress<'_>) -> Result<Scan, CompressError> {
    model.check()?;
    let model = &rows::alike(model)?;
    let curves = curves(model, progress)?;
    let moments = images.map(|images| calibrate::moments(model, images, progress)).transpose()?;
    scan(model, &curves, images, moments.as_deref(), progress)
}

/// The curves of all layers.
pub(crate) fn curves(model: &Model, progress: &Progress<'_>) -> Result<Vec<Curve>, CompressError> {
    let layers = layers(model)?;
    let n = layers.len() as f64;
    Ok(layers
        .iter()
        .enumerate()
        .map(|(i, layer)| {
            progress("placing levels", i as f64 / n);
            Curve::of(&layer.weights)
        })
        .collect())
}

pub(crate) fn scan(
    model: &Model,
    curves: &[Curve],
    images: Option<&Images>,
    moments: Option<&[Moments]>,
    progress: &Progress<'_>,
) -> Result<Scan, CompressError> {
    let all = layers(model)?;
    let few = images.map(|images| first(images, IMAGES));
    let original = few.as_ref().map(|few| network::answers(model, few)).transpose()?;
    let mut scanned = Vec::new();
    for (i, (layer, curve)) in all.iter().zip(curves).enumerate() {
        progress("measuring what errors do", i as f64 / all.len() as f64);
        let nearest = |error: f64| {
            let distance = |p: &&crate::curve::Point| (p.error.max(1e-12) / error).ln().abs();
            curve.points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
        };
        let mut sensitivity = rows::spread(&layer.weights, layer.shape[0]);
        if let (Some(few), Some(original), Some(moments)) = (&few, &original, moments) {
            let (mut sum, mut n) = (0.0, 0);
            for point in TRIED.iter().filter_map(|&e| nearest(e)).filter(|p| p.error > 0.0) {
                let made = quantise(layer.view(), point, Some(&moments[i]));
                let mut tried = model.clone();
                replace(&mut tried, layer, made);
                let answers = network::answers(&tried, few)?;
                sum += network::difference(original, &answers, few.n) / point.error;
                n += 1;
            }
            if n > 0 {
                sensitivity = (sum / f64::from(n)).max(1e-6);
            }
        }
        let points = SHOWN
            .iter()
            .filter_map(|&e| nearest(e))
            .map(|p| {
                let made = quantise(layer.view(), p, None);
                let n = layer.weights.len() as f64;
                ScanPoint { error: made.error, bits_per_weight: p.bits / n, density: made.n_kept as f64 / n }
            })
            .collect();
        scanned.push(LayerScan {
            name: layer.name.clone(),
            n_weights: layer.weights.len(),
            sensitivity,
            points,
        });
    }
    Ok(Scan { model: model.content_hash(), n_images: images.map_or(0, |i| i.n), layers: scanned })
}

/// The first `n` images.
pub(crate) fn first(images: &Images, n: usize) -> Images {
    let n = n.min(images.n);
    let each = images.values.len() / images.n.max(1);
    Images {
        values: images.values[..n * each].to_vec(),
        labels: images.labels.iter().copied().take(n).collect(),
        n,
    }
}

impl Scan {
    /// As a table: a line a layer, with the bits a weight that keep its error below some values.
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
            if self.n_images > 0 {
                text += &format!("  {}", "#".repeat(bar.round() as usize));
            }
            text.push('\n');
        }
        text
    }
}
