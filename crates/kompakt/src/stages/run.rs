//! The command line of `kompakt-run`.

mod bench;
mod device;
mod evaluate;
mod images;
mod made_up;
mod named;
mod npy;
pub(crate) mod report;
mod stats;

use super::Stage;
use crate::{
    ByteCount, NamedSize,
    process::{Failure, exit},
    progress::{begin, tell},
    public_key::public_key,
};
use anyhow::{Context, Error, Result};
use kompakt_data::{DataError, Split};
use kompakt_runtime::{Activations, Isa, Model, PublicKey, RuntimeError, SessionOptions};
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
    time::Instant,
};

pub use device::DeviceOptions;
pub use named::NamedFile;
use stats::Stats;

const AFTER_HELP: &str = "Examples:
  kompakt-run lenet5.kompakt digit.png
  kompakt-run lenet5.kompakt --data mnist --split test
  kompakt-run lenet5.kompakt pictures/ --top 3 --json
  kompakt-run detector.kompakt street.jpg --npy found/
  kompakt-run text.kompakt --input input_ids=ids.npy --input attention_mask=mask.npy -o found/
  kompakt-run gpt.kompakt --input ids=next.npy --input past=found/present.npy -o again/
  kompakt-run lenet5.kompakt --bench --threads 1
  kompakt-run text.kompakt --bench --size seq=64
  kompakt-run vgg16.kompakt photo.jpg --device gpu --vram 64MB

Pictures (PNG, JPEG, BMP, PNM) are brought to the size and colours that the network takes; IDX files and .npy hold \
one image or many; a folder is all pictures in it. Raw images go through the preprocessing that the model carries.

A network of several inputs takes each by its name (`kompakt inspect` lists them): an array of the input's shape, or of several \
with one more dimension in front. Where the network leaves sizes open, the arrays tell them. An output of one run, written by -o, \
may be an input of the next: caches and states go on.

Exit codes: 0 done, 2 wrong command line, 3 not a model or not an image that it takes, 4 a file that cannot be read, \
141 the reader of the output went away.";

/// Run a compressed network straight from its file.
///
/// Where the network's answer is a class (one output, a vector), prints each image's likeliest classes and their
/// probabilities, one image a line: path, then class and probability, separated by tabs. Else prints all outputs as they
/// are, one a line: path, name, shape, values.
#[derive(Debug, clap::Parser)]
#[command(name = "kompakt-run", version, after_help = AFTER_HELP)]
pub struct Args {
    /// The network: a .kompakt file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// What to classify: pictures, IDX or .npy files, folders of pictures
    #[arg(value_name = "IMAGES")]
    pub images: Vec<PathBuf>,
    /// An input by its name, of a network of any number of them: from a .npy file, the numbers that the network itself reads,
    /// without preprocessing; again for each. All outputs are printed as they are
    #[arg(long, value_name = "NAME=FILE", conflicts_with_all = ["images", "data", "plan"])]
    pub input: Vec<NamedFile>,
    /// Measure the error on a data set: a known name (mnist, fashion-mnist, cifar10, digits) or a path. Its classes are matched with the
    /// network's by name; numbers are class numbers
    #[arg(long, value_name = "NAME_OR_PATH", conflicts_with = "images")]
    pub data: Option<String>,
    /// Which part of it: test, validation, train, train+validation, or whole
    #[arg(long, value_name = "NAME", default_value = "test", requires = "data")]
    pub split: Split,
    /// Classes to print for each image
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub top: usize,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Write the outputs as they are to FOLDER/NAME.npy, one file an output, and print the images' names
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["data", "bench", "plan", "json", "output"])]
    pub npy: Option<PathBuf>,
    /// The same for a folder; FILE.npy takes the output of a network that has one
    #[arg(short, long, value_name = "PATH", conflicts_with_all = ["data", "bench", "plan", "json"])]
    pub output: Option<PathBuf>,
    /// Measure the time of a run, whole and by layer: of the first image or the first arrays that are given, else of made-up inputs
    /// of the kinds that the network takes
    #[arg(long, conflicts_with = "data")]
    pub bench: bool,
    /// Rounds to measure
    #[arg(long, default_value_t = 200, value_name = "N", requires = "bench")]
    pub rounds: usize,
    /// Print how the network will be run, and the memory that it takes, and nothing else
    #[arg(long, conflicts_with_all = ["data", "bench", "images"])]
    pub plan: bool,
    /// Threads; the results do not depend on it
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub threads: usize,
    /// Images that are run at once [default: 1, with --data 16]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// The most memory that weights and activations may take, as 16MB or 500KiB; layers that do not fit are unpacked
    /// at every run
    #[arg(long, value_name = "BYTES")]
    pub ram: Option<ByteCount>,
    /// Run at this size of what the network leaves open, as seq=64; again for each [default: as stored; arrays (.npy) of another
    /// size tell it themselves]
    #[arg(long, value_name = "NAME=SIZE")]
    pub size: Vec<NamedSize>,
    /// Run layers from the file, even where memory would allow more: the shortest start. Small layers stay in memory as
    /// long as that takes at most 512 KiB
    #[arg(long)]
    pub from_file: bool,
    /// The numbers in which layers read their inputs: f32, or int8, which is faster and approximate; the file must hold
    /// ranges for it (`kompakt compress --activations int8`, `kompakt calibrate`)
    #[arg(long, value_name = "NAME", default_value = "f32")]
    pub activations: Activations,
    /// What to run on
    #[command(flatten)]
    pub device: DeviceOptions,
    /// Print to stderr what it took to start and to give the first result, and the largest memory, as JSON
    #[arg(long, conflicts_with_all = ["data", "bench", "plan"])]
    pub stats: bool,
    /// Use this instruction set: scalar, portable, avx2, avx512, neon or simd128 [default: the best there is]
    #[arg(long, value_parser = isa, value_name = "NAME")]
    pub isa: Option<Isa>,
    /// Do not check the file's checksums and content hash first
    #[arg(long)]
    pub no_verify: bool,
    /// Run only what this key has signed: a .pub file, or the key itself (RW...); the signature is MODEL.minisig
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub key: Option<PublicKey>,
}

fn isa(name: &str) -> Result<Isa, String> {
    Isa::by_name(name).ok_or_else(|| {
        let all: Vec<&str> = Isa::available().map(Isa::name).collect();
        format!("this machine has {}", all.join(", "))
    })
}

impl Stage for Args {
    const PROGRAM: &str = "kompakt-run";

    fn run(&self) -> Result<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        self.run_to(&mut out)?;
        out.flush().context("writing to stdout")
    }
}

impl Args {
    /// The command that only prints how a file would be run, with all options at their defaults.
    pub fn plan_of(model: PathBuf, json: bool) -> Result<Self> {
        let this = <Self as clap::Parser>::try_parse_from(["kompakt-run", "MODEL", "--plan"])?;
        Ok(Self { model, json, ..this })
    }

    /// Runs the command; results go to `out`.
    pub fn run_to(&self, out: &mut dyn Write) -> Result<()> {
        let has_input = !self.images.is_empty() || !self.input.is_empty();
        if !has_input && self.data.is_none() && !self.bench && !self.plan {
            return Err(usage(
                "nothing to do: give images, --input NAME=FILE, --data NAME, --bench or --plan",
            ));
        }
        if let Some(data) = &self.data {
            kompakt_data::find(data).map_err(coded_data)?;
        }
        // Results printed one by one on the same terminal are progress enough; measurements are not
        // disturbed.
        let is_seen = io::stdout().is_terminal() && self.data.is_none() && !self.bench && !self.plan;
        let _shown = begin(is_seen || self.stats, &[]);
        tell("reading", f64::NAN);
        let mut stats = self.stats.then(Stats::start);
        let about_model = || self.model.display().to_string();
        let model = match &self.key {
            Some(key) => Model::map_signed(&self.model, key),
            None => Model::map(&self.model),
        };
        let model = model.map_err(|error| match error {
            // It names the file itself.
            RuntimeError::Io { .. } => coded(error),
            _ => coded(error).context(about_model()),
        })?;
        if !self.no_verify {
            model.verify().map_err(coded).with_context(about_model)?;
        }
        let sizes: Vec<(String, usize)> = self.size.iter().map(|size| (size.0.clone(), size.1)).collect();
        let model = if sizes.is_empty() {
            model
        } else {
            model.at(&sizes).map_err(coded).with_context(about_model)?
        };
        let mut options = SessionOptions::default();
        options.threads = self.threads;
        options.ram_budget = self.ram.map(|ram| ram.0);
        options.from_file = self.from_file;
        options.max_batch = self.batch.unwrap_or(if self.data.is_some() { 16 } else { 1 });
        options.isa = self.isa.unwrap_or_else(Isa::best);
        options.activations = self.activations;
        let start = Instant::now();
        let mut session = self.device.session(&model, &options).with_context(about_model)?;
        if self.plan {
            return report::plan(session.plan(), &model, self.json, out);
        }
        if let Some(data) = &self.data {
            return evaluate::evaluate(&mut session, data, self.split, self.json, out);
        }
        if self.bench {
            return bench::bench(&mut session, start.elapsed(), self, out);
        }
        if let Some(stats) = &mut stats {
            stats.is_ready();
        }
        if !self.input.is_empty() {
            named::answer(&mut session, self, &mut stats, out)?;
            return stats.map_or(Ok(()), |stats| stats.print());
        }
        named::only_one(&session)?;
        images::answer(&mut session, self, &mut stats, out)?;
        stats.map_or(Ok(()), |stats| stats.print())
    }
}

fn usage(message: &str) -> Error {
    Failure { code: exit::USAGE, message: message.into() }.into()
}

fn wrong_input(message: impl Into<String>) -> Error {
    Failure { code: exit::INPUT, message: message.into() }.into()
}

fn io_failure(path: &std::path::Path, error: &io::Error) -> Error {
    Failure { code: exit::IO, message: format!("cannot write {}: {error}", path.display()) }.into()
}

/// A library error with the exit code that it stands for.
fn coded(error: RuntimeError) -> Error {
    let code = match &error {
        RuntimeError::Io { .. } => exit::IO,
        RuntimeError::Format(_) | RuntimeError::Unsupported(_) | RuntimeError::NoRanges => exit::INPUT,
        RuntimeError::Input { .. } | RuntimeError::InputCount { .. } => exit::INPUT,
        RuntimeError::NotAClassifier(_) | RuntimeError::SelfTest { .. } => exit::INPUT,
        RuntimeError::Signature(_) => exit::INPUT,
        RuntimeError::Budget { .. } | RuntimeError::Sizes(_) => exit::USAGE,
        _ => exit::FAILURE,
    };
    Failure { code, message: error.to_string() }.into()
}

/// The same for errors of data.
fn coded_data(error: DataError) -> Error {
    let code = match &error {
        DataError::Io { .. } | DataError::NotFetched { .. } | DataError::Unknown(_) => exit::IO,
        _ => exit::INPUT,
    };
    Failure { code, message: error.to_string() }.into()
}
