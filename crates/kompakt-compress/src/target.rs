//! What a compression is to reach, and what it reached.

use crate::{images::Images, network, paired::Paired};
use kompakt_format::Tier;
use kompakt_model::StageRecord;

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The smallest network whose layers' relative errors sum to at most this.
    Noise(f64),
    /// The least error in a file of at most so many bytes.
    Bytes(u64),
    /// The smallest network that loses at most this share of the images (0 to 1), by the bound of [`Paired::bound`].
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

/// What was reached.
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// With images: how often both networks are right, and the same.
    pub paired: Option<Paired>,
    /// With images: squared difference of the answers as a part of their energy.
    pub difference: Option<f64>,
}

impl Outcome {
    /// Takes the figures of a network's answers beside the original's, both `[n, ...]`.
    pub fn compare(&mut self, original: &[f32], answers: &[f32], images: &Images) {
        let paired = Paired::of(original, answers, &images.labels, images.n);
        self.accuracy = Some((paired.share(paired.n_before), paired.share(paired.n_after)));
        self.agreement = Some(paired.share(paired.n_same));
        self.paired = Some(paired);
        self.difference = Some(network::difference(original, answers, images.n));
    }
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
