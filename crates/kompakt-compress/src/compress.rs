//! The whole work: from a dense model and a target to a model with shared weights.

use crate::{
    Images, Progress,
    curve::Curve,
    error::CompressError,
    network, quantise,
    quantise::Quantised,
    rows,
    scan::{self, Scan, Seen},
    search::{Candidate, Outcome, Search},
};
use kompakt_format::Tier;
use kompakt_graph::{Graph, ParamRole};
use kompakt_model::{Model, Numbers, Parameter, StageRecord};

/// Bits of the whole numbers that biases and scales become.
const VECTOR_BITS: u32 = 12;

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The smallest network whose layers' relative errors sum to at most this.
    Noise(f64),
    /// The least error in a file of at most so many bytes.
    Bytes(u64),
    /// The smallest network that loses at most this share of the images (0 to 1).
    Drop(f64),
}

/// How to compress.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What is to be reached.
    pub target: Target,
    /// Beside it, a size that must not be exceeded.
    pub most_bytes: Option<u64>,
    /// The tier that sizes are meant in.
    pub tier: Tier,
}

/// What became of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerReport {
    /// The weight's name.
    pub name: String,
    /// How many weights it has.
    pub n_weights: usize,
    /// How many are not zero.
    pub n_kept: usize,
    /// Entries of its codebook.
    pub n_levels: usize,
    /// Bits a weight, by how often each level is taken.
    pub bits_per_weight: f64,
    /// Squared error as a part of its energy.
    pub error: f64,
}

/// A compressed model.
#[derive(Debug, Clone)]
pub struct Compressed {
    /// Every weight layer shared, biases rounded, one more record of history.
    pub model: Model,
    /// Its file, which has not been read back.
    pub packed: Vec<u8>,
    /// What was reached.
    pub outcome: Outcome,
    /// One a weight layer.
    pub layers: Vec<LayerReport>,
    /// What was known before: keep it for the next target.
    pub scan: Scan,
}

/// A weight layer of a model.
pub(crate) struct Layer {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) weights: Vec<f32>,
    groups: usize,
    /// The bias's name, if the layer has one, its own or in a scale after it.
    bias: Option<String>,
    /// That scale.
    scale: Option<Vec<f32>>,
}

impl Layer {
    pub(crate) fn view(&self) -> quantise::Layer<'_> {
        quantise::Layer { weights: &self.weights, shape: &self.shape, groups: self.groups }
    }
}

/// All weight layers.
///
/// Errors: there are none, or their weights are shared already.
pub(crate) fn layers(model: &Model) -> Result<Vec<Layer>, CompressError> {
    let graph = &model.graph;
    let mut all = Vec::new();
    for param in graph.weights() {
        let Some(Parameter::Dense { values, .. }) = model.parameters.get(&param.name) else {
            return Err(CompressError::WrongKind(format!(
                "the weights of {:?} are shared already; compress the network that it came from",
                param.name
            )));
        };
        let node = &graph.nodes()[param.node];
        let (groups, has_bias) = (node.op.groups(), node.op.has_bias());
        let after = if has_bias { None } else { rows::scale_after(graph, param.node) };
        let scale =
            after.and_then(|name| model.parameters.get(&format!("{name}.weight"))).map(Parameter::to_f32);
        let own = has_bias.then_some(node.name.as_str());
        all.push(Layer {
            name: param.name.clone(),
            shape: param.shape.clone(),
            weights: values.to_f32(),
            groups,
            bias: own.or(after).map(|name| format!("{name}.bias")),
            scale,
        });
    }
    if all.is_empty() {
        return Err(CompressError::WrongKind("the network has no layer with weights".into()));
    }
    Ok(all)
}

/// Puts a layer's compressed form into a model, and corrects its bias.
pub(crate) fn replace(model: &mut Model, layer: &Layer, made: Quantised) {
    model.parameters.insert(layer.name.clone(), made.weight);
    if let Some(bias) = &layer.bias
        && let Some(Parameter::Dense { values, .. }) = model.parameters.get_mut(bias)
        && !made.shift.is_empty()
    {
        let scale = |row: usize| layer.scale.as_ref().map_or(1.0, |s| s[row]);
        let sums =
            values.to_f32().iter().zip(&made.shift).enumerate().map(|(i, (b, s))| b + s * scale(i)).collect();
        *values = Numbers::F32(sums);
    }
}

/// The model without its weights: what they are put into.
pub(crate) fn without_weights(model: &Model) -> Model {
    let weights: Vec<&str> = model.graph.weights().map(|p| p.name.as_str()).collect();
    let others = model.parameters.iter().filter(|(name, _)| !weights.contains(&name.as_str()));
    Model {
        graph: model.graph.clone(),
        parameters: others.map(|(name, p)| (name.clone(), p.clone())).collect(),
        dense_parameters: model.dense_parameters,
        preprocessing: model.preprocessing.clone(),
        labels: model.labels.clone(),
        provenance: model.provenance.clone(),
    }
}

/// Stores biases, scales and slopes as whole numbers times a scale.
pub(crate) fn round_vectors(model: &mut Model) {
    let vectors: Vec<String> = model
        .graph
        .params()
        .iter()
        .filter(|p| p.role == ParamRole::PerChannel && !p.name.ends_with(".running_var"))
        .map(|p| p.name.clone())
        .collect();
    for name in vectors {
        if let Some(Parameter::Dense { values, .. }) = model.parameters.get_mut(&name) {
            *values = kompakt_cluster::NumberFormat::Int(VECTOR_BITS).round(values);
        }
    }
}

/// Compresses a dense model to a target.
///
/// `images` are what the network is calibrated with, `judges` those that its accuracy is measured on (the former, if there are
/// none); both are prepared for the network's only input. A `scan` of the same network saves making it. Where the target cannot
/// be met the best that was reached is given, and says so.
/// Errors: a model that is shared already or cannot be run, images that do not fit, a scan of another network.
pub fn compress(
    model: &Model,
    options: &Options,
    images: Option<&Images>,
    judges: Option<&Images>,
    scan: Option<Scan>,
    progress: &Progress<'_>,
) -> Result<Compressed, CompressError> {
    model.check()?;
    let input = model.content_hash();
    let model = &rows::alike(model)?;
    if scan.as_ref().is_some_and(|s| s.model != model.content_hash()) {
        return Err(CompressError::OtherScan);
    }
    let all = layers(model)?;
    let curves = scan::curves(model, progress)?;
    let seen = Seen::new(model, images)?;
    let moments = seen.moments(model, progress)?;
    let scan = match scan {
        Some(scan) if scan.layers.len() == all.len() && (scan.n_images > 0 || images.is_none()) => scan,
        _ => scan::scan(model, &curves, &seen, moments.as_deref(), progress)?,
    };
    let weights: Vec<f64> = scan.layers.iter().map(|l| l.sensitivity).collect();
    let judges = judges.or(images);
    let original = judges.map(|images| network::answers(model, images)).transpose()?;
    let search = Search {
        model,
        layers: &all,
        curves: &curves,
        weights: &weights,
        moments: moments.as_deref(),
        images: judges,
        options,
        progress,
        input,
        n_images: images.map_or(0, |i| i.n),
        original,
    };
    let candidate = search.run()?;
    let reports =
        reports(&candidate.model.graph, &candidate.model, &curves, &candidate.choice, &candidate.errors);
    let Candidate { model, packed, outcome, .. } = candidate;
    Ok(Compressed { model, packed, outcome, layers: reports, scan })
}

/// The record of history that a compressed model gets.
pub(crate) fn record(options: &Options, outcome: &Outcome, n_images: usize) -> StageRecord {
    let record = StageRecord::new("kompakt-compress", env!("CARGO_PKG_VERSION"));
    let record = match options.target {
        Target::Noise(noise) => record.option("noise", noise),
        Target::Bytes(bytes) => record.option("target_bytes", bytes),
        Target::Drop(drop) => record.option("max_drop", drop),
    };
    let record = record.option("calibration_images", n_images).measure("noise", outcome.noise);
    match outcome.accuracy {
        Some((before, after)) => {
            record.measure("original_error", 1.0 - before).measure("calibration_error", 1.0 - after)
        }
        None => record,
    }
}

fn reports(
    graph: &Graph,
    model: &Model,
    curves: &[Curve],
    choice: &[usize],
    errors: &[f64],
) -> Vec<LayerReport> {
    graph
        .weights()
        .enumerate()
        .filter_map(|(i, param)| {
            let Parameter::Shared { codebook, .. } = model.parameters.get(&param.name)? else { return None };
            Some(LayerReport {
                name: param.name.clone(),
                n_weights: param.len(),
                n_kept: model.parameters[&param.name].n_kept(),
                n_levels: codebook.len(),
                bits_per_weight: curves[i].points[choice[i]].bits / param.len() as f64,
                error: errors[i],
            })
        })
        .collect()
}

/// The layers as a table.
pub fn table(layers: &[LayerReport]) -> String {
    let mut text = format!(
        "{:>10} {:>9} {:>7} {:>12} {:>10}  {}\n",
        "weights", "density", "levels", "bits/weight", "error", "layer"
    );
    for l in layers {
        text += &format!(
            "{:>10} {:>8.1}% {:>7} {:>12.2} {:>10.5}  {}\n",
            l.n_weights,
            100.0 * l.n_kept as f64 / l.n_weights.max(1) as f64,
            l.n_levels,
            l.bits_per_weight,
            l.error,
            l.name
        );
    }
    text
}
