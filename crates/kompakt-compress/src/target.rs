//! The target of a compression, and its outcome.

use crate::{blind::Blind, images::Images, metric::Metric, network, paired::Paired};
use kompakt_format::Tier;
use kompakt_model::{Block, StageRecord};
use kompakt_runtime::Activations;

/// Default of the summed error of the layers.
pub const DEFAULT_NOISE: f64 = 0.005;

/// A compression target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The smallest network whose layers' relative errors sum to at most this.
    Noise(f64),
    /// The least error in a file of at most this many bytes.
    Bytes(u64),
    /// The smallest network that loses at most this share of the images (0 to 1), by the bound of [`Paired::bound`].
    Drop(f64),
    /// The smallest network whose [`Options::metric`] is at least this on the validation images; at most this, if it is an error.
    Reach(f64),
}

/// How to compress.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The target.
    pub target: Target,
    /// A size that must not be exceeded, in addition.
    pub most_bytes: Option<u64>,
    /// The tier for which sizes hold.
    pub tier: Tier,
    /// What images, if there are any, are judged by.
    pub metric: Metric,
    /// The numbers in which layers read their inputs when the accuracy is measured on images. With 8 bits, the file gets the
    /// ranges that this needs.
    pub activations: Activations,
    /// Weights that are kept or dropped together, in layers with more than one input channel.
    pub block: Block,
    /// Whether codes may follow a [trellis](kompakt_entropy::trellis): fewer bytes in the tier `smallest`, more in others.
    pub trellis: bool,
}

/// What was reached.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Whether every target is met.
    pub met: bool,
    /// Bytes of the file.
    pub bytes: u64,
    /// The layers' relative errors, each times its sensitivity, summed.
    pub noise: f64,
    /// With images: top-1 accuracy, before and after.
    pub accuracy: Option<(f64, f64)>,
    /// With images: the share whose likeliest class is the original's.
    pub agreement: Option<f64>,
    /// With images: how often both networks are right, and the same.
    pub paired: Option<Paired>,
    /// With images, where the metric is one figure of all of them: that figure.
    pub figure: Option<f64>,
    /// Without images: the answers to synthetic inputs.
    pub blind: Option<Blind>,
    /// With images: squared difference of the answers relative to their energy.
    pub difference: Option<f64>,
}

impl Outcome {
    /// Takes the figures of a network's answers and the original's, both `[n, ...shape]`.
    pub fn compare(
        &mut self,
        original: &[f32],
        answers: &[f32],
        images: &Images,
        metric: Metric,
        shape: &[usize],
    ) {
        self.paired = metric.paired(original, answers, &images.labels, images.n, shape);
        self.accuracy = self.paired.map(|p| (p.share(p.n_before), p.share(p.n_after)));
        self.agreement = self.paired.map(|p| p.share(p.n_same));
        self.figure = metric.figure(original, answers, shape);
        self.difference = Some(network::difference(original, answers, images.n));
    }
}

impl Options {
    /// The target that options amount to: a loss of accuracy (0 to 1), with a size besides that must not be
    /// exceeded; else a size; else a summed error, [`DEFAULT_NOISE`] where none is given.
    pub fn new(drop: Option<f64>, bytes: Option<u64>, noise: Option<f64>, tier: Tier) -> Self {
        let target = match (drop, bytes) {
            (Some(drop), _) => Target::Drop(drop),
            (None, Some(bytes)) => Target::Bytes(bytes),
            (None, None) => Target::Noise(noise.unwrap_or(DEFAULT_NOISE)),
        };
        Self {
            target,
            most_bytes: drop.and(bytes),
            tier,
            metric: Metric::Top(1),
            activations: Activations::F32,
            block: Block::SINGLE,
            trellis: false,
        }
    }

    /// The same target, or if a figure is given that one, judged by this metric.
    pub fn judged_by(self, metric: Metric, reach: Option<f64>) -> Self {
        let Some(figure) = reach else { return Self { metric, ..self } };
        let most_bytes = match self.target {
            Target::Bytes(bytes) => Some(bytes),
            _ => self.most_bytes,
        };
        Self { target: Target::Reach(figure), most_bytes, metric, ..self }
    }

    /// How far an outcome is beyond what images must show: at most 0 where it is good enough, and infinite where nothing was measured.
    pub fn excess(&self, outcome: &Outcome) -> f64 {
        let excess = match self.target {
            Target::Drop(drop) => outcome.paired.map(|paired| paired.bound() - drop - 1e-12),
            Target::Reach(figure) => outcome
                .figure
                .map(|found| if self.metric.is_error() { found - figure } else { figure - found }),
            Target::Noise(_) | Target::Bytes(_) => Some(0.0),
        };
        excess.filter(|excess| !excess.is_nan()).unwrap_or(f64::INFINITY)
    }

    /// The target and what was reached instead, for a person.
    pub fn missed(&self, outcome: &Outcome) -> String {
        let figure = |figure: f64| {
            format!(
                "{} of at {} {figure}",
                self.metric,
                if self.metric.is_error() { "most" } else { "least" }
            )
        };
        let reached = match &outcome.paired {
            None if outcome.figure.is_some() => {
                format!(
                    "{} bytes with {} {:.6}",
                    outcome.bytes,
                    self.metric,
                    outcome.figure.unwrap_or(f64::NAN)
                )
            }
            Some(paired) => format!(
                "{} bytes with a loss of {:.2} points on {} images, at most {:.2} on others (95 % confidence)",
                outcome.bytes,
                100.0 * paired.drop(),
                paired.n,
                100.0 * paired.bound()
            ),
            None => format!("{} bytes with a summed error of {:.4}", outcome.bytes, outcome.noise),
        };
        let asked = match (self.target, self.most_bytes) {
            (Target::Bytes(bytes), _) => format!("{bytes} bytes"),
            (Target::Drop(drop), None) => format!("a loss of at most {:.2} points", 100.0 * drop),
            (Target::Drop(drop), Some(bytes)) => {
                format!("a loss of at most {:.2} points in {bytes} bytes", 100.0 * drop)
            }
            (Target::Noise(noise), _) => format!("a summed error of {noise}"),
            (Target::Reach(wanted), None) => figure(wanted),
            (Target::Reach(wanted), Some(bytes)) => format!("{} in {bytes} bytes", figure(wanted)),
        };
        format!("the target was missed: {asked} were asked for; {reached} was the best")
    }
}

/// The record of history that a compressed model gets.
pub(crate) fn record(options: &Options, outcome: &Outcome, n_images: usize) -> StageRecord {
    let record = StageRecord::new("kompakt-compress", env!("CARGO_PKG_VERSION"));
    let record = match options.target {
        Target::Noise(noise) => record.option("noise", noise),
        Target::Bytes(bytes) => record.option("target_bytes", bytes),
        Target::Drop(drop) => record.option("max_drop", drop),
        Target::Reach(figure) => record.option("reach", figure),
    };
    let record = match options.metric {
        Metric::Top(1) => record,
        metric => record.option("metric", metric.to_string()),
    };
    let record = match options.activations {
        Activations::Int8 => record.option("activations", "int8"),
        _ => record,
    };
    let record = if options.block.is_single() { record } else { record.option("block", options.block) };
    let record = if options.trellis { record.option("trellis", true) } else { record };
    let record = record.option("calibration_images", n_images).measure("noise", outcome.noise);
    let record = match outcome.figure {
        Some(figure) => record.measure("figure", figure),
        None => record,
    };
    match outcome.accuracy {
        Some((before, after)) => {
            record.measure("original_error", 1.0 - before).measure("calibration_error", 1.0 - after)
        }
        None => record,
    }
}
