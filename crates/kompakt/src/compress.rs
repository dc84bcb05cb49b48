//! `kompakt compress`: compresses a trained network into a small file, without training.

use crate::{
    ByteCount,
    calibration::Calibration,
    input::present,
    network::{Source, failed, usage},
    output::Output,
    process::{Failure, exit},
    progress::{self, Steps, begin, say as talk, tell},
    speed,
};
#[cfg(feature = "train")]
use crate::{training::Plan, tuning::Tuning};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use kompakt_compress::{
    Activations, Block, Compressed, Images, Metric, Options, Scan, check_after, check_before, check_file,
    compress, doubts, table,
};
use kompakt_format::Tier;
use kompakt_model::Model;
use std::path::{Path, PathBuf};

/// Make a trained network small without training it
///
/// Each layer gets as many bits as it needs, and unimportant weights become zero. Gradients tell how sensitive the answers are to
/// an error in a layer, and the error of each weight is compensated in the weights after it. Both are measured on the images of
/// --data, which also keep the accuracy as asked, or without data on synthetic inputs of the kind that the network takes, as far
/// as it can be told; a result that answers such inputs otherwise than the original is refused, and a warning says where it
/// cannot be trusted.
///
/// The loss of accuracy that --max-drop allows is judged by what it may be on other images: the one-sided 95 % bound of the
/// difference of paired answers (Tango's score interval). So a few images are not enough, and more of them give smaller files.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  kompakt compress model.onnx -o model.kompakt\n  kompakt compress model.onnx -o model.kompakt \
                  --target-ratio 10\n  kompakt compress mnist.onnx -o mnist.kompakt --data mnist --max-drop 0.3\n\nExit codes: \
                  5 if the target was missed (what came nearest is written and described), 2 to 4 as for every stage."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    /// Lose at most so many percentage points of accuracy, with 95 % confidence (needs --data with labels; 0.3 points need at
    /// least 900 images that judge)
    #[arg(long, value_name = "POINTS", requires = "data")]
    max_drop: Option<f64>,
    /// Answer as the original does on at least so many percent of images, with 95 % confidence (needs --data; labels are not
    /// looked at)
    #[arg(long, value_name = "PERCENT", requires = "data", conflicts_with = "max_drop")]
    min_agreement: Option<f64>,
    /// What the answers are judged by (as of `kompakt eval`): with --max-drop top-1 or top-K; with --min-agreement agreement, text (read
    /// alike) or boxes (twice the boxes that both find over all boxes of both, as measured); with --reach cosine, mse, snr or boxes
    #[arg(long, value_name = "NAME", requires = "data")]
    metric: Option<Metric>,
    /// Let --metric be at least this (mse: at most) on the validation images, which need no labels: cosine 0.99, snr 30 (decibels)
    #[arg(long, value_name = "VALUE", requires_all = ["data", "metric"], conflicts_with_all = ["max_drop", "min_agreement"])]
    reach: Option<f64>,
    /// At most so many bytes: 200kB, 2MB
    #[arg(long, value_name = "SIZE")]
    target_size: Option<ByteCount>,
    /// At most the original's bytes (4 a parameter) over this
    #[arg(long, value_name = "RATIO", conflicts_with = "target_size")]
    target_ratio: Option<f64>,
    /// Let the layers' relative squared errors, each times what it does to the answers, sum to this [default: 0.005, if nothing else is asked for]
    #[arg(long, value_name = "ERROR", conflicts_with_all = ["max_drop", "min_agreement", "reach", "target_size", "target_ratio"])]
    noise: Option<f64>,
    #[command(flatten)]
    calibration: Calibration,
    /// Use the scan in this file (see `kompakt sense`); if there is none, write it
    #[arg(long, value_name = "FILE")]
    scan: Option<PathBuf>,
    /// Then train what is shared (centroids and biases; no weight comes back) for so many epochs on the training images of
    /// --data, with the original as the teacher; the best epoch on the validation images is kept
    #[arg(long, value_name = "EPOCHS", requires = "data")]
    finetune: Option<usize>,
    /// What the random numbers of --finetune come from
    #[arg(long, value_name = "N", default_value_t = 1, requires = "finetune")]
    seed: u64,
    /// The numbers in which layers read their inputs: f32, or int8. With int8 the file gets the ranges of these inputs, so that
    /// `kompakt-run --activations int8` runs it faster, and accuracy is measured so
    #[arg(long, value_name = "NAME", default_value = "f32")]
    activations: Activations,
    /// Keep or drop blocks of weights instead of single ones: 1x4 is one output by four inputs, or four input channels at one
    /// place of the kernel (1x2, 1x4, 1x8). With --activations int8 such blocks are skipped
    #[arg(long, value_name = "1xN", default_value_t = Block::SINGLE)]
    block: Block,
    /// Choose levels along a trellis: two quantisers that take turns (dependent quantisation). Fewer bytes in the tier smallest
    /// for the same answers, more in the others, if it is repacked. Earlier loaders refuse such files
    #[arg(long, conflicts_with = "block")]
    trellis: bool,
    /// How weights are coded; `kompakt repack` switches without loss
    #[arg(long, value_enum, default_value_t = TierName::Smallest)]
    tier: TierName,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Tiers by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum TierName {
    Smallest,
    Stream,
    Direct,
}

/// Progress label of the first measurement of the original.
const ORIGINAL: &str = "running the original";

/// Of a network without training after it, which comes as often as it takes.
const STEPS: Steps = &[
    ("reading", 1.0),
    ("checking the import", 1.0),
    ("reading images", 1.0),
    (ORIGINAL, 1.0),
    ("measuring sensitivity", 4.0),
    ("placing levels", 4.0),
    ("measuring layer inputs", 2.0),
    ("factoring", 2.0),
    ("searching", 8.0),
    ("measuring the result", 1.0),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    #[cfg(feature = "train")]
    crate::allocator::keep_freed_pages();
    let mut inputs = arguments.source.files();
    inputs.extend(arguments.calibration.files().chain(arguments.scan.as_deref()));
    arguments.output.check(&inputs)?;
    if arguments.finetune.is_some() && cfg!(not(feature = "train")) {
        let message = "this kompakt was built without the training engine, so there is no --finetune; build it with \
                       `--features train`";
        bail!(Failure { code: exit::USAGE, message: message.into() });
    }
    if let Some(scan) = &arguments.scan {
        Output { output: scan.clone() }.check(&[])?;
    }
    present(&arguments.source.files())?;
    arguments.calibration.present()?;
    possible(arguments)?;
    let scan = arguments.scan.as_deref().map(read_scan).transpose()?.flatten();
    let shown = begin(arguments.quiet, if arguments.finetune.is_some() { &[] } else { STEPS });
    let mut model = arguments.source.read()?;
    let options = options(arguments, model.dense_bytes())?;
    let mut pictures = arguments.calibration.read(&mut model)?;
    if let Some(pictures) = &mut pictures {
        if arguments.max_drop.is_some() && pictures.validation.labels.is_empty() {
            bail!(usage("--max-drop needs labels; without them, --min-agreement PERCENT".into()));
        }
        if arguments.min_agreement.is_some() || arguments.reach.is_some() {
            pictures.validation.labels.clear();
        }
        tell(ORIGINAL, f64::NAN);
        let say = |text: &str| {
            if !arguments.quiet {
                progress::say(text);
            }
        };
        check_before(&model, &pictures.validation, &pictures.source, &options, &say).map_err(failed)?;
    }
    let images = pictures.map(|p| (p.seen, p.validation));
    let had_scan = scan.is_some();
    let mut work = Work { model, images, scan };
    let made = match arguments.finetune {
        None => work.compress(&options)?,
        Some(epochs) => work.trained(arguments, &options, epochs)?,
    };
    if let (Some(path), Some(scan)) = (arguments.scan.as_deref().filter(|_| !had_scan), &made.scan) {
        write_scan(path, scan)?;
    }
    check_after(&made.outcome, options.target).map_err(failed).with_context(|| match made.outcome.met {
        true => "nothing was written".into(),
        false => options.missed(&made.outcome),
    })?;
    tell("measuring the result", f64::NAN);
    check_file(&made.packed).map_err(failed)?;
    arguments.output.write_with(|path| std::fs::write(path, &made.packed).context("writing the file"))?;
    if !arguments.quiet {
        let is_labelled = work.images.as_ref().is_some_and(|(_, validation)| !validation.labels.is_empty());
        let speed = speed::line(&made.packed, arguments.activations)?;
        drop(shown);
        say(&made, &work.model, &options, is_labelled, &speed);
        if let Some(doubts) = doubts(&made.outcome, options.target) {
            talk(&doubts);
        }
    }
    if !made.outcome.met {
        let message = options.missed(&made.outcome) + ", and is what was written";
        bail!(Failure { code: exit::TARGET_MISSED, message });
    }
    Ok(())
}

/// A network, its images, and what is known of it.
pub(crate) struct Work {
    pub(crate) model: Model,
    /// Calibration and validation images.
    pub(crate) images: Option<(Images, Images)>,
    scan: Option<Scan>,
}

impl Work {
    /// Compresses to a target; the scan of the layers is kept for the next.
    pub(crate) fn compress(&mut self, options: &Options) -> Result<Compressed> {
        let (seen, validation) = (self.images.as_ref().map(|i| &i.0), self.images.as_ref().map(|i| &i.1));
        let scan = self.scan.take();
        let made = compress(&self.model, options, seen, validation, scan, &tell).map_err(failed)?;
        self.scan.clone_from(&made.scan);
        Ok(made)
    }

    #[cfg(not(feature = "train"))]
    fn trained(&mut self, _: &Arguments, options: &Options, _: usize) -> Result<Compressed> {
        self.compress(options)
    }

    #[cfg(feature = "train")]
    fn trained(&mut self, arguments: &Arguments, options: &Options, epochs: usize) -> Result<Compressed> {
        if arguments.calibration.ignores_labels() {
            bail!(usage("--finetune trains with labels; leave --ignore-labels out".into()));
        }
        let plan = Plan { epochs, seed: arguments.seed, quiet: arguments.quiet };
        let Some(fine_tuning) = arguments.calibration.fine_tuning(&self.model, plan)? else {
            return self.compress(options);
        };
        Tuning { work: self, fine_tuning: &fine_tuning, options }.run()
    }
}

/// Refuses targets that no network can meet.
fn possible(arguments: &Arguments) -> Result<()> {
    for (name, value) in [("--target-ratio", arguments.target_ratio), ("--noise", arguments.noise)] {
        if let Some(v) = value.filter(|v| !(*v > 0.0 && v.is_finite())) {
            bail!(usage(format!("{name} {v}: a number above 0 is needed")));
        }
    }
    if let Some(percent) = arguments.min_agreement.filter(|p| !(0.0..100.0).contains(p)) {
        bail!(usage(format!("--min-agreement {percent}: 0 to below 100 is possible")));
    }
    judged_by(arguments)?;
    if let Some(points) = arguments.max_drop.filter(|p| !(0.0..=100.0).contains(p)) {
        bail!(usage(format!("--max-drop {points}: 0 to 100 points are possible")));
    }
    Ok(())
}

/// The metric, and the figure of it that is to be reached where it is one of all images.
fn judged_by(arguments: &Arguments) -> Result<(Metric, Option<f64>)> {
    let refused = |option: &str, metric: Metric, names: &str| {
        usage(format!("{option} is not judged by --metric {metric}; by {names}"))
    };
    let metric = arguments.metric.unwrap_or(Metric::Top(1));
    let share = arguments.min_agreement.map(|percent| percent / 100.0);
    Ok(match (arguments.max_drop, share, arguments.reach, metric) {
        (Some(_), _, _, Metric::Top(_)) => (metric, None),
        (Some(_), ..) => bail!(refused("--max-drop", metric, "top-1, top-5, top-K")),
        (_, Some(_), _, Metric::Agreement | Metric::Text | Metric::Top(1)) => (metric, None),
        (_, Some(share), _, Metric::Boxes) => (metric, Some(share)),
        (_, Some(_), ..) => bail!(refused("--min-agreement", metric, "agreement, text, boxes")),
        (_, _, Some(value), Metric::Cosine | Metric::Mse | Metric::Snr | Metric::Boxes)
            if value.is_finite() =>
        {
            (metric, Some(value))
        }
        (_, _, Some(value), _) if !value.is_finite() => {
            bail!(usage(format!("--reach {value}: a number is needed")))
        }
        (_, _, Some(_), _) => bail!(refused("--reach", metric, "cosine, mse, snr, boxes")),
        _ if arguments.metric.is_some() => {
            bail!(usage(format!(
                "--metric {metric} judges a target: give --max-drop, --min-agreement or --reach"
            )))
        }
        _ => (metric, None),
    })
}

fn options(arguments: &Arguments, dense_bytes: u64) -> Result<Options> {
    let bytes = match (arguments.target_size, arguments.target_ratio) {
        (Some(ByteCount(bytes)), _) => Some(bytes as u64),
        (None, Some(ratio)) => Some((dense_bytes as f64 / ratio) as u64),
        (None, None) => None,
    };
    let drop = match (arguments.max_drop, arguments.min_agreement) {
        (Some(points), _) => Some(points / 100.0),
        (None, Some(percent)) => Some(1.0 - percent / 100.0),
        (None, None) => None,
    };
    let tier = match arguments.tier {
        TierName::Smallest => Tier::Smallest,
        TierName::Stream => Tier::Stream,
        TierName::Direct => Tier::Direct,
    };
    if arguments.trellis && tier != Tier::Smallest {
        bail!(usage(
            "--trellis makes files of the tier smallest smaller, and others larger: leave out --tier".into()
        ));
    }
    let (metric, reach) = judged_by(arguments)?;
    let options = Options::new(drop, bytes, arguments.noise, tier).judged_by(metric, reach);
    Ok(Options {
        activations: arguments.activations,
        block: arguments.block,
        trellis: arguments.trellis,
        ..options
    })
}

/// The scan in a file, or none where there is no file.
pub(crate) fn read_scan(path: &Path) -> Result<Option<Scan>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let scan = serde_json::from_str(&text).map_err(|e| Failure {
        code: exit::INPUT,
        message: format!(
            "{}: no scan: {e}; leave it out, or make it again with `kompakt sense`",
            path.display()
        ),
    })?;
    Ok(Some(scan))
}

/// Writes a scan as JSON.
pub(crate) fn write_scan(path: &Path, scan: &Scan) -> Result<()> {
    let output = Output { output: path.to_path_buf() };
    let text = serde_json::to_string_pretty(scan).context("writing the scan")? + "\n";
    output.write_with(|path| std::fs::write(path, &text).context("writing the scan"))
}

/// The summary printed at the end.
fn say(made: &Compressed, original: &Model, options: &Options, is_labelled: bool, speed: &str) {
    let (outcome, dense_bytes) = (&made.outcome, original.dense_bytes());
    let n_weights: usize = made.layers.iter().map(|l| l.n_weights).sum();
    let n_kept: usize = made.layers.iter().map(|l| l.n_kept).sum();
    talk(table(&made.layers).trim_end());
    talk(&format!(
        "{} bytes, {:.1} times less than the original's {dense_bytes}; density {:.1} %; summed error {:.4}",
        outcome.bytes,
        dense_bytes as f64 / outcome.bytes as f64,
        100.0 * n_kept as f64 / n_weights.max(1) as f64,
        outcome.noise
    ));
    if let Some(figure) = outcome.figure {
        talk(&format!("{} on the validation images, against the original: {figure:.6}", options.metric));
    }
    if let Some(paired) = &outcome.paired {
        let percent = |count: usize| 100.0 * paired.share(count);
        if is_labelled {
            talk(&format!(
                "accuracy on {} validation images: {:.2} % before, {:.2} % after",
                paired.n,
                percent(paired.n_before),
                percent(paired.n_after)
            ));
        }
        talk(&format!(
            "the same answer as the original: {:.2} % of {}; on other images like these the loss is at most {:.2} points (95 % \
             confidence, one-sided)",
            percent(paired.n_same),
            paired.n,
            100.0 * paired.bound()
        ));
    }
    if let Some(difference) = outcome.blind.as_ref().and_then(|blind| blind.difference) {
        talk(&format!(
            "on synthetic inputs of its kind the answers differ from the original's by {:.2} % of their energy",
            100.0 * difference
        ));
    }
    talk(speed);
}
