//! The sensitivity scan: what an error in each layer does to the network's answers.

use crate::{
    Images, Progress,
    calibrate::{self, Moments},
    compress::layers,
    curve::Curve,
    error::CompressError,
    fisher, pictures,
    quantise::quantise,
    ranges, rows,
};
use kompakt_model::Model;
use serde::{Deserialize, Serialize};

/// Errors for which a scan has points and its table shows bits, as parts of a layer's energy.
pub const SHOWN: [f64; 4] = [0.0003, 0.003, 0.03, 0.1];
/// Added to the diagonals of `X Xᵀ`, as a part of their means: of images, and of pictures that are made up.
const DAMPING: f64 = 0.01;
const MADE_UP_DAMPING: f64 = 0.3;
/// Images that gradients are taken of.
const IMAGES: usize = 32;
/// Pictures that are made up where there are no images.
const PICTURES: usize = 64;

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

/// Scans a dense model, with images or with pictures that are made up.
///
/// Errors: a model whose weights are shared already or that cannot be run; images that do not fit it.
pub fn sense(model: &Model, images: Option<&Images>, progress: &Progress<'_>) -> Result<Scan, CompressError> {
    model.check()?;
    let model = &rows::alike(model)?;
    let curves = curves(model, progress)?;
    let seen = Seen::new(model, images)?;
    scan(model, &curves, &seen, seen.moments(model, progress)?.as_deref(), progress)
}

/// What a network is looked at with.
pub(crate) enum Seen<'i> {
    Images(&'i Images),
    Pictures(Images),
    /// Nothing: a network of several inputs.
    Nothing,
}

impl<'i> Seen<'i> {
    /// Images, or in their place pictures that are made up.
    pub(crate) fn new(model: &Model, images: Option<&'i Images>) -> Result<Self, CompressError> {
        Ok(match (images, model.graph.inputs()) {
            (Some(images), _) => Self::Images(images),
            (None, [input]) => {
                Self::Pictures(ranges::suit(model, pictures::pictures(&input.shape, PICTURES))?)
            }
            (None, _) => Self::Nothing,
        })
    }

    fn images(&self) -> Option<&Images> {
        match self {
            Self::Images(images) => Some(images),
            Self::Pictures(images) => Some(images),
            Self::Nothing => None,
        }
    }

    /// What goes into every layer.
    pub(crate) fn moments(
        &self,
        model: &Model,
        progress: &Progress<'_>,
    ) -> Result<Option<Vec<Moments>>, CompressError> {
        let Some(images) = self.images() else { return Ok(None) };
        if let Self::Images(_) = self {
            return calibrate::moments(model, images, DAMPING, progress).map(Some);
        }
        // What is made up says less of what the network will see, and of means nothing that biases should follow.
        let mut moments = calibrate::moments(model, images, MADE_UP_DAMPING, progress)?;
        moments.iter_mut().flat_map(|m| &mut m.groups).for_each(|g| g.mean.clear());
        Ok(Some(moments))
    }
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
    seen: &Seen<'_>,
    moments: Option<&[Moments]>,
    progress: &Progress<'_>,
) -> Result<Scan, CompressError> {
    let all = layers(model)?;
    let few = seen.images().map(|images| first(images, IMAGES));
    let mut felt = few.map(|few| fisher::sensitivities(model, &few, progress)).transpose()?;
    if let (Seen::Pictures(_), Some(felt)) = (seen, &mut felt) {
        // How layers compare is known, not how much the answers to real images would suffer: the mean is 1.
        let sum: f64 = felt.iter().sum();
        felt.iter_mut().for_each(|f| *f *= all.len() as f64 / sum);
    }
    let mut scanned = Vec::new();
    for (i, (layer, curve)) in all.iter().zip(curves).enumerate() {
        let nearest = |error: f64| {
            let distance = |p: &&crate::curve::Point| (p.error.max(1e-12) / error).ln().abs();
            curve.points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
        };
        let sensitivity = match (&felt, moments) {
            (Some(felt), Some(moments)) if felt[i].is_finite() => {
                (felt[i] * moments[i].gain().sqrt()).max(1e-9)
            }
            _ => rows::spread(&layer.weights, layer.shape[0]),
        };
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
    let n_images = if let Seen::Images(images) = seen { images.n } else { 0 };
    Ok(Scan { model: model.content_hash(), n_images, layers: scanned })
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
            text += &format!("  {}", "#".repeat(bar.round() as usize));
            text.push('\n');
        }
        text
    }
}
