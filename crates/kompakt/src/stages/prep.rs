//! The command line of `kompakt-prep`: prepares a data set once, and reports the effect.
#![expect(clippy::print_stdout, reason = "a command-line program")]

use super::Stage;
use crate::{
    job_progress::JobProgress,
    output::Output,
    process::{Failure, exit},
    progress::{Steps, begin, say, tell},
};
use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use kompakt_data::{
    Dataset, Fetched, Figures, Precision, Split, fetch, fit_pca, load_as, parse_steps, write_prepared,
    write_projection,
};
use std::path::{Path, PathBuf};

/// Prepares a data set: computer-vision steps before a network, applied once
///
/// The result carries the steps and their hash. A network trained on it records the same steps, so that the loader
/// applies them to raw images and leaves prepared ones alone.
#[derive(Debug, Parser)]
#[command(name = "kompakt-prep", version)]
#[command(after_help = "EXAMPLES:
  kompakt-prep --data mnist --steps deskew -o deskewed.kds
  kompakt-prep --data mnist --fetch --steps features --precision u8 -o features.kds.gz --report
  kompakt-prep --data pictures/ --size 1x28x28 --steps '[{\"step\":\"invert\"},{\"step\":\"median\"}]' -o clean.kds

EXIT STATUS: 0 done, 1 something failed (one line on stderr says what), 2 wrong usage")]
pub struct Args {
    /// A known data set (mnist, fashion-mnist, cifar10, digits) or a path: a folder of IDX files, of CIFAR's, or of pictures
    /// (one folder a class), a .tsv, .npz or .npy file
    #[arg(long, value_name = "NAME|PATH")]
    data: String,
    /// Fetch a known data set into the cache ($KOMPAKT_DATA, else the user's cache folder) if it is not there
    #[arg(long)]
    fetch: bool,
    /// none, normalize, deskew, features, or a JSON list of steps (see spec/preprocessing.md)
    #[arg(long, default_value = "none", value_name = "PRESET|JSON")]
    steps: String,
    /// Make every picture of a folder this size: CHANNELSxHEIGHTxWIDTH, 1 or 3 channels
    #[arg(long, value_parser = parse_size, value_name = "CxHxW")]
    size: Option<[usize; 3]>,
    /// What each number is stored as
    #[arg(long, value_enum, default_value = "f16")]
    precision: PrecisionName,
    /// Print the figures of the raw and of the prepared images as JSON on stdout
    #[arg(long)]
    report: bool,
    /// Also fit this many principal components to the prepared training images, and write them as a linear layer
    /// (safetensors: pca.weight, pca.bias) to put before a network
    #[arg(long, value_name = "COMPONENTS", requires = "pca_output")]
    pca: Option<usize>,
    /// Where the layer goes
    #[arg(long, value_name = "FILE", requires = "pca")]
    pca_output: Option<PathBuf>,
    /// Where the prepared data set goes (safetensors; .kds by custom, .kds.gz to have it gzipped)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PrecisionName {
    U8,
    F16,
    F32,
}

fn parse_size(text: &str) -> std::result::Result<[usize; 3], String> {
    let sides: std::result::Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
    match sides.as_deref() {
        Ok(&[channels @ (1 | 3), height @ 1..=4096, width @ 1..=4096]) => Ok([channels, height, width]),
        _ => Err("write it as 1x28x28: channels (1 or 3), height, width (1 to 4096)".into()),
    }
}

const STEPS: Steps = &[
    ("reading images", 3.0),
    ("measuring", 1.0),
    ("preparing", 3.0),
    ("writing", 2.0),
    ("measuring the result", 1.0),
];

impl Stage for Args {
    const PROGRAM: &str = "kompakt-prep";

    /// Every failure ends with exit code 1, as its help says.
    fn run(&self) -> Result<()> {
        run(self).map_err(|e| Failure { code: exit::FAILURE, message: format!("{e:#}") }.into())
    }
}

fn run(arguments: &Args) -> Result<()> {
    let mut inputs = vec![Path::new(&arguments.data)];
    for path in [&arguments.pca_output, &arguments.output].into_iter().flatten() {
        let output = Output { output: path.clone() };
        output.check(&inputs).with_context(|| format!("cannot write {}", path.display()))?;
        inputs.push(path);
    }
    if !arguments.fetch {
        kompakt_data::find(&arguments.data)?;
    }
    if arguments.fetch {
        let _shown = begin(false, &[]);
        match fetch(&arguments.data, &mut JobProgress::default())? {
            Fetched::AlreadyThere(folder) => {
                say(&format!("{}: whole, in {}", arguments.data, folder.display()))
            }
            Fetched::From { source, folder } => {
                say(&format!("{}: fetched from {source} into {}", arguments.data, folder.display()));
            }
            Fetched::BuiltIn => say(&format!("{}: part of the program, nothing to fetch", arguments.data)),
        }
    }
    if arguments.output.is_none() && !arguments.report && arguments.pca.is_none() {
        if arguments.fetch {
            return Ok(());
        }
        bail!("nothing to do: give -o FILE, --report, --pca or --fetch");
    }
    let _shown = begin(false, STEPS);
    tell("reading images", f64::NAN);
    let load = |split| load_as(&arguments.data, split, arguments.size);
    let raw = [load(Split::Train)?, load(Split::Validation)?, load(Split::Test)?];
    if raw[0].prepared().is_some() {
        bail!("{} is prepared already; start from raw images", arguments.data);
    }
    let steps = parse_steps(&arguments.steps, &raw[0])?;
    let before: usize = raw.iter().map(|data| data.values().n_bytes()).sum();
    tell("measuring", f64::NAN);
    let before_figures = if arguments.report { Some(figures(&raw)?) } else { None };
    let [train, validation, test] = raw;
    let (n_all, mut n_done) = ([&train, &validation, &test].iter().map(|d| d.len()).sum::<usize>(), 0);
    let mut apply = |data: Dataset| {
        tell("preparing", n_done as f64 / n_all.max(1) as f64);
        n_done += data.len();
        data.apply(&steps)
    };
    let prepared = [apply(validation)?, apply(test)?, apply(train)?];
    let [validation, test, train] = prepared;
    let prepared = [train, validation, test];
    let images: usize = prepared.iter().map(Dataset::len).sum();
    say(&format!(
        "{images} images, {:?} to {:?}, steps {}",
        steps.input_shape().dims(),
        steps.output_shape().dims(),
        steps.hash_hex()
    ));
    if let (Some(n_components), Some(path)) = (arguments.pca, &arguments.pca_output) {
        let pca = fit_pca(&prepared[0], n_components)?;
        let n_bytes = write_projection(path, &pca, false)?;
        say(&format!(
            "{n_components} components hold {:.2} % of the variance, {n_bytes} bytes in {}",
            100.0 * pca.explained(),
            path.display()
        ));
    }
    tell("writing", f64::NAN);
    let mut file_bytes = None;
    if let Some(path) = &arguments.output {
        let precision = match arguments.precision {
            PrecisionName::U8 => Precision::U8,
            PrecisionName::F16 => Precision::F16,
            PrecisionName::F32 => Precision::F32,
        };
        let after = write_prepared(path, &prepared, precision)
            .with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!(
            "{before} bytes raw, {after} bytes in {} ({:.2} times)",
            path.display(),
            after as f64 / before as f64
        ));
        file_bytes = Some(after);
    }
    if let Some(before) = before_figures {
        tell("measuring the result", f64::NAN);
        let report = serde_json::json!({
            "images": images,
            "steps": steps,
            "steps_hash": steps.hash_hex(),
            "raw": before,
            "prepared": figures(&prepared)?,
            "file_bytes": file_bytes,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(())
}

fn figures(splits: &[Dataset; 3]) -> Result<Figures> {
    Ok(Figures::of(&splits[0], &splits[1], &splits.each_ref())?)
}
