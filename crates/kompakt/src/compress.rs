//! `kompakt compress`: a trained network into a small file, without training.

use crate::network::{Calibration, Source, failed, with_bar};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use kompakt_checkpoint::stage::{Failure, Output, exit};
use kompakt_compress::{Compressed, Options, Scan, Target, compress, table};
use kompakt_format::Tier;
use kompakt_pack::{InMemory, PackError, order_units, write};
use kompakt_runtime::args::ByteCount;
use std::path::{Path, PathBuf};

/// Summed error of the layers where nothing else is asked for.
const DEFAULT_NOISE: f64 = 0.05;

/// Make a trained network small without training it
///
/// Each layer gets as many bits as it needs; weights that are worth nothing become zero. Without data every layer's errors
/// count alike; with --data the errors are measured, made good by the weights after them, and accuracy is kept as asked.
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
    /// Let the layers' relative squared errors sum to this [default: 0.05, if nothing else is asked for]
    #[arg(long, value_name = "ERROR", conflicts_with_all = ["max_drop", "target_size", "target_ratio"])]
    noise: Option<f64>,
    #[command(flatten)]
    calibration: Calibration,
    /// Use the scan in this file (see `kompakt sense`); if there is none, write it
    #[arg(long, value_name = "FILE")]
    scan: Option<PathBuf>,
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
    arguments.output.check()?;
    let mut model = arguments.source.read()?;
    let options = options(arguments, model.dense_bytes())?;
    let images = arguments.calibration.read(&mut model)?;
    let scan = arguments.scan.as_deref().map(read_scan).transpose()?.flatten();
    let had_scan = scan.is_some();
    let (seen, judges) = (images.as_ref().map(|i| &i.0), images.as_ref().map(|i| &i.1));
    let made =
        with_bar(|progress| compress(&model, &options, seen, judges, scan, progress)).map_err(failed)?;
    if let Some(path) = arguments.scan.as_deref().filter(|_| !had_scan) {
        write_scan(path, &made.scan)?;
    }
    let mut packed = made.model.clone();
    order_units(&mut packed);
    let mut source = InMemory::new(packed).map_err(PackError::into_anyhow)?;
    let tier = kompakt_pack::Options::new(options.tier);
    arguments.output.write_with(|path| {
        write(&mut source, &tier, path, &|_, _| ()).map_err(PackError::into_anyhow)?;
        Ok(())
    })?;
    if !arguments.quiet {
        say(&made, model.dense_bytes());
    }
    if !made.outcome.met {
        bail!(Failure { code: exit::TARGET_MISSED, message: missed(&made, &options) });
    }
    Ok(())
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
