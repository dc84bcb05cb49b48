//! `kompakt compress`: a trained network into a small file, without training.

use crate::{
    ByteCount,
    network::{Calibration, Source, failed, with_bar},
    output::Output,
    process::{Failure, exit},
};
#[cfg(feature = "train")]
use crate::{training::Plan, tuning::Tuning};
use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use kompakt_compress::{Compressed, Images, Options, Scan, Target, compress, table};
use kompakt_format::{Container, FormatError, Tier};
use kompakt_model::Model;
use std::path::{Path, PathBuf};

/// Summed error of the layers where nothing else is asked for.
const DEFAULT_NOISE: f64 = 0.005;

/// Make a trained network small without training it
///
/// Each layer gets as many bits as it needs; weights that are worth nothing become zero. What an error in a layer does is told
/// by gradients, and errors are made good by the weights after them: on images of --data, and accuracy is kept as asked; or
/// else on pictures that are made up.
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
    /// Lose at most so many percentage points of accuracy (needs --data)
    #[arg(long, value_name = "POINTS", requires = "data")]
    max_drop: Option<f64>,
    /// At most so many bytes: 200kB, 2MB
    #[arg(long, value_name = "SIZE")]
    target_size: Option<ByteCount>,
    /// At most the original's bytes (4 a parameter) over this
    #[arg(long, value_name = "RATIO", conflicts_with = "target_size")]
    target_ratio: Option<f64>,
    /// Let the layers' relative squared errors, each times what it does to the answers, sum to this [default: 0.005, if nothing else is asked for]
    #[arg(long, value_name = "ERROR", conflicts_with_all = ["max_drop", "target_size", "target_ratio"])]
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

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut inputs = arguments.source.files();
    inputs.extend(arguments.calibration.files().chain(arguments.scan.as_deref()));
    arguments.output.check(&inputs)?;
    if arguments.finetune.is_some() && cfg!(not(feature = "train")) {
        let message = "this kompakt was built without the training engine, so there is no --finetune; build it with \
                       `--features train`";
        bail!(Failure { code: exit::USAGE, message: message.into() });
    }
    let mut model = arguments.source.read()?;
    let options = options(arguments, model.dense_bytes())?;
    let images = arguments.calibration.read(&mut model)?;
    let scan = arguments.scan.as_deref().map(read_scan).transpose()?.flatten();
    let had_scan = scan.is_some();
    let mut work = Work { model, images, scan };
    let made = match arguments.finetune {
        None => work.compress(&options)?,
        Some(epochs) => work.trained(arguments, &options, epochs)?,
    };
    if let (Some(path), Some(scan)) = (arguments.scan.as_deref().filter(|_| !had_scan), &made.scan) {
        write_scan(path, scan)?;
    }
    checked(&made.packed)?;
    arguments.output.write_with(|path| std::fs::write(path, &made.packed).context("writing the file"))?;
    if !arguments.quiet {
        say(&made, work.model.dense_bytes());
    }
    if !made.outcome.met {
        bail!(Failure { code: exit::TARGET_MISSED, message: missed(&made, &options) });
    }
    Ok(())
}

/// Reads a file back as any reader would.
fn checked(packed: &[u8]) -> Result<()> {
    let wrong =
        |e: FormatError| anyhow!("the file that was made cannot be read back: {e}; please report this");
    Container::parse(packed).and_then(|file| file.verify()).map_err(wrong)
}

/// A network, what it is looked at with, and what is known of it.
pub(crate) struct Work {
    pub(crate) model: Model,
    /// To look at, and to judge by.
    pub(crate) images: Option<(Images, Images)>,
    scan: Option<Scan>,
}

impl Work {
    /// Compresses to a target; what was found out about the layers is kept for the next.
    pub(crate) fn compress(&mut self, options: &Options) -> Result<Compressed> {
        let (seen, judges) = (self.images.as_ref().map(|i| &i.0), self.images.as_ref().map(|i| &i.1));
        let scan = self.scan.take();
        let made = with_bar(|progress| compress(&self.model, options, seen, judges, scan, progress));
        let made = made.map_err(failed)?;
        self.scan.clone_from(&made.scan);
        Ok(made)
    }

    #[cfg(not(feature = "train"))]
    fn trained(&mut self, _: &Arguments, options: &Options, _: usize) -> Result<Compressed> {
        self.compress(options)
    }

    #[cfg(feature = "train")]
    fn trained(&mut self, arguments: &Arguments, options: &Options, epochs: usize) -> Result<Compressed> {
        let plan = Plan { epochs, seed: arguments.seed, quiet: arguments.quiet };
        let Some(lessons) = arguments.calibration.lessons(&self.model, plan)? else {
            return self.compress(options);
        };
        Tuning { work: self, lessons: &lessons, options }.run()
    }
}

fn options(arguments: &Arguments, dense_bytes: u64) -> Result<Options> {
    let positive = |name: &str, value: Option<f64>| match value {
        Some(v) if !(v > 0.0 && v.is_finite()) => {
            bail!(Failure { code: exit::USAGE, message: format!("{name} {v}: a number above 0 is needed") })
        }
        other => Ok(other),
    };
    let ratio = positive("--target-ratio", arguments.target_ratio)?;
    let noise = positive("--noise", arguments.noise)?;
    let bytes = match (arguments.target_size, ratio) {
        (Some(ByteCount(bytes)), _) => Some(bytes as u64),
        (None, Some(ratio)) => Some((dense_bytes as f64 / ratio) as u64),
        (None, None) => None,
    };
    let target = match (arguments.max_drop, bytes) {
        (Some(points), _) => Target::Drop(points / 100.0),
        (None, Some(bytes)) => Target::Bytes(bytes),
        (None, None) => Target::Noise(noise.unwrap_or(DEFAULT_NOISE)),
    };
    let most_bytes = arguments.max_drop.and(bytes);
    let tier = match arguments.tier {
        TierName::Smallest => Tier::Smallest,
        TierName::Stream => Tier::Stream,
        TierName::Direct => Tier::Direct,
    };
    Ok(Options { target, most_bytes, tier })
}

/// The scan in a file, or none where there is no file.
fn read_scan(path: &Path) -> Result<Option<Scan>> {
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

#[expect(clippy::print_stderr, reason = "talk of a binary")]
fn say(made: &Compressed, dense_bytes: u64) {
    let outcome = &made.outcome;
    eprint!("{}", table(&made.layers));
    eprintln!(
        "{} bytes, {:.1} times less than the original's {dense_bytes}; summed error {:.4}",
        outcome.bytes,
        dense_bytes as f64 / outcome.bytes as f64,
        outcome.noise
    );
    if let (Some((before, after)), Some(agreement)) = (outcome.accuracy, outcome.agreement) {
        eprintln!(
            "accuracy on the images that judge: {:.2} % ({:+.2}); the same answer as the original: {:.2} %",
            100.0 * after,
            100.0 * (after - before),
            100.0 * agreement
        );
    }
}

fn missed(made: &Compressed, options: &Options) -> String {
    let outcome = &made.outcome;
    let reached = match outcome.accuracy {
        Some((before, after)) => {
            format!("{} bytes with a loss of {:.2} points", outcome.bytes, 100.0 * (before - after))
        }
        None => format!("{} bytes with a summed error of {:.4}", outcome.bytes, outcome.noise),
    };
    let asked = match (options.target, options.most_bytes) {
        (Target::Bytes(bytes), _) => format!("{bytes} bytes"),
        (Target::Drop(drop), None) => format!("a loss of at most {:.2} points", 100.0 * drop),
        (Target::Drop(drop), Some(bytes)) => {
            format!("a loss of at most {:.2} points in {bytes} bytes", 100.0 * drop)
        }
        (Target::Noise(noise), _) => format!("a summed error of {noise}"),
    };
    format!("the target was missed: {asked} were asked for; {reached} was the best, and is what was written")
}
