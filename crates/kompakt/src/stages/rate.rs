//! The command line of `kompakt-rate`.

use super::Stage;
use crate::{
    failure::IntoAnyhow,
    input::{Input, present},
    output::Output,
    preprocessing,
    process::{Failure, exit},
};
use anyhow::{Context, Result};
use kompakt_data::{Augmentation, Dataset, Split, load};
use kompakt_model::{Block, Model, ModelFile, StageRecord, fold_batch_norm};
use kompakt_rate::{Data, Distillation, Options, Outcome, RateError, Report, run};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

/// Train a network for a size: connections die and come back by what they are worth a bit, values are shared.
///
/// A dense (or pruned) network in, a clustered one out, ready for kompakt-pack. Replaces prune, cluster and finetune
/// where the fewest bytes are wanted. Choices are made on the validation split; the test split is never read.
#[derive(Debug, clap::Parser)]
#[command(
    name = "kompakt-rate",
    version,
    after_help = "Example:\n  \
    kompakt-train --net lenet-300-100 | kompakt-rate --target-size 2400 | kompakt-pack --compact -o small.kompakt"
)]
pub struct Args {
    /// Where the model comes from
    #[command(flatten)]
    pub input: Input,
    /// The file to reach, in bytes: tier smallest, --compact
    #[arg(long, value_name = "BYTES")]
    pub target_size: u64,
    /// A known name (mnist, fashion-mnist, cifar10, digits) or a path to a data set
    #[arg(long, value_name = "NAME|PATH", default_value = "mnist", help_heading = "Data")]
    pub data: String,
    /// Take only the first N training images (for trials)
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub limit: Option<usize>,
    /// Train on the validation images too; there is no validation error then
    #[arg(long, help_heading = "Data")]
    pub all: bool,
    /// Preprocessing of raw images, for models that carry none: a preset, words, a JSON list, or a file with one
    /// (see `kompakt prep`)
    #[arg(long, value_name = "STEPS", help_heading = "Data")]
    pub prep: Option<String>,
    /// Changes made to images: none, or shift=2,rotate=10,scale=0.1,shear=0.2,elastic=1,flip=0.5,cutout=8,mixup=0.2; without it, those of the stage before
    #[arg(long, value_name = "LIST", help_heading = "Data")]
    pub augment: Option<Augmentation>,
    /// Augmented copies of the training images, made beforehand
    #[arg(long, value_name = "N", default_value_t = 16, help_heading = "Data")]
    pub copies: usize,
    /// A folder that keeps the copies, for other runs on the same; made if it is not there
    #[arg(long, value_name = "FOLDER", help_heading = "Data")]
    pub cache: Option<PathBuf>,
    /// Models to learn from; several are averaged. Without one, the model itself as it comes in
    #[arg(long, value_name = "MODEL", num_args = 1.., help_heading = "Teacher")]
    pub teacher: Vec<PathBuf>,
    /// The teacher's part of the loss, 0 to 1; 0 is no teacher
    #[arg(long, value_name = "0..1", default_value_t = 0.7, help_heading = "Teacher")]
    pub distill: f32,
    /// What scores are divided by before teacher and network are compared
    #[arg(long, value_name = "T", default_value_t = 3.0, help_heading = "Teacher")]
    pub temperature: f32,
    /// Steps in all
    #[arg(long, value_name = "N", default_value_t = 100_000, help_heading = "Training")]
    pub steps: usize,
    /// Examples a step, a multiple of 64
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Training")]
    pub batch: usize,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE", default_value_t = 2e-3, help_heading = "Training")]
    pub lr: f32,
    /// Part of the weights that are not 0 kept at the start, the largest of each layer: one number, or one a layer
    #[arg(
        long,
        value_name = "0..1",
        value_delimiter = ',',
        default_value = "0.2",
        help_heading = "Connections"
    )]
    pub first_density: Vec<f64>,
    /// Units that each hidden layer keeps at the start, the strongest of them [default: all]
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', help_heading = "Connections")]
    pub first_units: Vec<usize>,
    /// What a unit costs at the start beside what it reads, in bits: the higher, the fewer and fuller units are left
    #[arg(long, value_name = "BITS", default_value_t = 0.0, help_heading = "Connections")]
    pub unit_bits: f32,
    /// Steps between two changes of the connections [default: a three hundredth of all]
    #[arg(long, value_name = "N", help_heading = "Connections")]
    pub every: Option<usize>,
    /// The part of the steps after which the target is reached
    #[arg(long, value_name = "0..1", default_value_t = 0.6, help_heading = "Connections")]
    pub target_at: f64,
    /// Part of the connections that may come in at a change, at the start
    #[arg(long, value_name = "0..1", default_value_t = 0.1, help_heading = "Connections")]
    pub regrow: f64,
    /// Connections that live and die together: 1x4 is one output by four inputs, or four input channels at one place of the kernel
    /// (1x2, 1x4, 1x8). Layers multiplied with 8 bits skip blocks of 1x4
    #[arg(long, value_name = "1xN", default_value = "1x1", help_heading = "Connections")]
    pub block: Block,
    /// Levels a layer: one number, or one a layer
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "8", help_heading = "Levels")]
    pub levels: Vec<usize>,
    /// Bits of a level on its grid
    #[arg(long, value_name = "N", default_value_t = 7, help_heading = "Levels")]
    pub level_bits: u32,
    /// Bits of a bias on its grid
    #[arg(long, value_name = "N", default_value_t = 6, help_heading = "Levels")]
    pub bias_bits: u32,
    /// The part of the steps after which weights are shared
    #[arg(long, value_name = "0..1", default_value_t = 0.4, help_heading = "Levels")]
    pub share_from: f64,
    /// The part of the steps after which levels become fixed, bit by bit
    #[arg(long, value_name = "0..1", default_value_t = 0.75, help_heading = "Levels")]
    pub settle_from: f64,
    /// The part of the steps after which only levels and biases are trained
    #[arg(long, value_name = "0..1", default_value_t = 0.93, help_heading = "Levels")]
    pub settle_to: f64,
    /// What all random numbers come from; without it the seed that the model came with, or 1
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Threads, 0 for all cores; training a chain of layers takes one. The result does not depend on it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Keep the state here, and go on from it after a kill
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Where the result goes
    #[command(flatten)]
    pub output: Output,
}

impl Stage for Args {
    const PROGRAM: &str = "kompakt-rate";

    fn run(&self) -> Result<()> {
        let mut inputs = self.input.files();
        inputs.push(Path::new(&self.data));
        inputs.extend(self.teacher.iter().chain(&self.checkpoint).map(PathBuf::as_path));
        self.output.check(&inputs)?;
        present(&self.input.files())?;
        kompakt_data::find(&self.data).map_err(|e| io_failure(&e))?;
        self.cache.as_deref().map_or(Ok(()), prepared)?;
        let mut model = self.input.read()?;
        let input = model.content_hash();
        self.prepare(&mut model)?;
        // What is trained is what is packed: batch norms belong to the layers before them.
        let mut model = fold_batch_norm(&model)?;
        let options = self.options(&model);
        let augmentation = self.augment.or_else(|| augmentation_of(&model)).unwrap_or_default();
        let teachers = self.teachers(&model)?;
        let data = self.data(augmentation, &teachers)?;
        let record = self.record(&options, augmentation, &teachers);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        let pool = pool.context("cannot start threads")?;
        let start = Instant::now();
        let mut say = |text: &str| self.say(text);
        let mut tell = |report: &Report| self.say(&line(report, options.steps, start));
        let outcome = pool
            .install(|| run(&mut model, &options, data, &mut say, &mut tell))
            .map_err(RateError::into_anyhow)?;
        model.record(measured(record, &outcome), Some(input));
        self.output.write(&model)?;
        Ok(())
    }
}

impl Args {
    fn options(&self, model: &Model) -> Options {
        Options {
            target_bytes: self.target_size,
            steps: self.steps,
            batch: self.batch,
            learning_rate: self.lr,
            first_density: self.first_density.clone(),
            first_units: self.first_units.clone(),
            block: self.block,
            levels: self.levels.clone(),
            level_bits: self.level_bits,
            bias_bits: self.bias_bits,
            unit_bits: self.unit_bits,
            every: self.every.unwrap_or((self.steps / 300).max(1)),
            target_at: self.target_at,
            regrow: self.regrow,
            share_from: self.share_from,
            settle: (self.settle_from, self.settle_to),
            distillation: Distillation { share: self.distill, temperature: self.temperature },
            seed: self.seed.or_else(|| model.seed()).unwrap_or(1),
        }
    }

    /// Gives a model the steps of `--prep`, unless it has its own.
    fn prepare(&self, model: &mut Model) -> Result<()> {
        if let (Some(prep), None) = (&self.prep, &model.preprocessing) {
            let shape = model.graph.shape(0).to_vec();
            let steps = preprocessing::parse(prep, None, &shape, &self.data)?;
            model.preprocessing = Some(serde_json::to_value(&steps)?);
        }
        Ok(())
    }

    fn teachers(&self, model: &Model) -> Result<Vec<Model>> {
        if self.distill == 0.0 {
            return Ok(Vec::new());
        }
        if self.teacher.is_empty() {
            return Ok(vec![model.clone()]);
        }
        let read = |path: &PathBuf| -> Result<Model> {
            let mut teacher = fold_batch_norm(&read_model(path)?)?;
            self.prepare(&mut teacher)?;
            Ok(teacher)
        };
        self.teacher.iter().map(read).collect()
    }

    fn data<'a>(&self, augmentation: Augmentation, teachers: &'a [Model]) -> Result<Data<'a>> {
        let part = |split| -> Result<Dataset> { Ok(load(&self.data, split).map_err(|e| io_failure(&e))?) };
        let training = part(if self.all { Split::TrainAndValidation } else { Split::Train })?;
        let training = match self.limit {
            Some(n) => training.first(n),
            None => training,
        };
        let validation = if self.all { None } else { Some(part(Split::Validation)?) };
        let (cache, checkpoint) = (self.cache.clone(), self.checkpoint.clone());
        Ok(Data { training, validation, augmentation, copies: self.copies, teachers, cache, checkpoint })
    }

    fn record(&self, o: &Options, augmentation: Augmentation, teachers: &[Model]) -> StageRecord {
        let is_known = kompakt_data::NAMES.contains(&self.data.as_str());
        let levels: Vec<String> = o.levels.iter().map(ToString::to_string).collect();
        let densities: Vec<String> = o.first_density.iter().map(ToString::to_string).collect();
        let units: Vec<String> = o.first_units.iter().map(ToString::to_string).collect();
        let units = if units.is_empty() { "all".to_string() } else { units.join(",") };
        let hashes: Vec<String> = teachers.iter().map(|t| t.content_hash()[..16].to_string()).collect();
        let record = StageRecord::new("kompakt-rate", env!("CARGO_PKG_VERSION"))
            .option("target_size", o.target_bytes)
            .option("data", if is_known { self.data.as_str() } else { "file" })
            .option("all", self.all)
            .option("augment", augmentation)
            .option("copies", self.copies)
            .option("teachers", if hashes.is_empty() { "none".to_string() } else { hashes.join(",") })
            .option("distill", o.distillation.share)
            .option("temperature", o.distillation.temperature)
            .option("steps", o.steps)
            .option("batch", o.batch)
            .option("lr", o.learning_rate)
            .option("first_density", densities.join(","))
            .option("first_units", units)
            .option("unit_bits", o.unit_bits)
            .option("every", o.every)
            .option("regrow", o.regrow)
            .option("levels", levels.join(","))
            .option("level_bits", o.level_bits)
            .option("bias_bits", o.bias_bits)
            .option("target_at", o.target_at)
            .option("share_from", o.share_from)
            .option("settle_from", o.settle.0)
            .option("settle_to", o.settle.1);
        let mut record = if o.block.is_single() { record } else { record.option("block", o.block) };
        if let Some(n) = self.limit {
            record = record.option("limit", n);
        }
        record.seed = Some(o.seed);
        record
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            // A closed stderr is not a reason to stop.
            let _ = writeln!(std::io::stderr().lock(), "kompakt-rate: {text}");
        }
    }
}

fn line(report: &Report, steps: usize, start: Instant) -> String {
    let mut text = format!("step {}/{steps}: loss {:.4}", report.step, report.loss);
    if let Some(error) = report.validation_error {
        text += &format!(", validation {:.2} %", 100.0 * error);
    }
    if let Some(loss) = report.validation_loss {
        text += &format!(" ({loss:.4})");
    }
    let spent = start.elapsed().as_secs_f64();
    text + &format!(
        ", {} connections, {} bytes, price {:.2e}, {spent:.0} s spent, about {:.0} s left",
        report.n_connections,
        report.bytes,
        report.price,
        spent / report.step.max(1) as f64 * steps.saturating_sub(report.step) as f64
    )
}

fn measured(record: StageRecord, outcome: &Outcome) -> StageRecord {
    let mut record =
        record.measure("train_loss", outcome.report.loss).measure("bytes", outcome.report.bytes as f64);
    for (name, value) in [
        ("validation_error_before", outcome.error_before),
        ("validation_error_of_teachers", outcome.error_of_teachers),
        ("validation_error", outcome.report.validation_error),
    ] {
        if let Some(value) = value {
            record = record.measure(name, value);
        }
    }
    record
}

/// The augmentation of the latest stage that trained the model, if any did.
fn augmentation_of(model: &Model) -> Option<Augmentation> {
    model.provenance.iter().rev().find_map(|record| record.options.get("augment")?.parse().ok())
}

/// Makes the folder of a cache where there is none, and tries whether files can be written there: before hours of work.
fn prepared(folder: &Path) -> Result<()> {
    let cannot = |error: &std::io::Error| Failure {
        code: exit::IO,
        message: format!("--cache {}: nothing can be written there: {error}", folder.display()),
    };
    std::fs::create_dir_all(folder).map_err(|e| cannot(&e))?;
    kompakt_files::Sibling::of(&folder.join("examples")).map_err(|e| cannot(&e))?;
    Ok(())
}

fn read_model(path: &Path) -> Result<Model> {
    let what = || path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    ModelFile::open(file, None).and_then(ModelFile::into_model).with_context(what)
}

fn io_failure(error: &kompakt_data::DataError) -> Failure {
    Failure { code: exit::IO, message: error.to_string() }
}
