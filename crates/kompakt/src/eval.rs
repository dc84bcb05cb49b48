//! `kompakt eval`: the accuracy of a model on a data set, and how far its answers are from the original's.

use crate::{
    input::present,
    network::{Source, coded, failed, usage},
    preprocessing,
    process::Failure,
    progress::{Steps, begin, tell},
    runnable::Runnable,
};
use anyhow::{Result, bail};
use kompakt_compress::{CompressError, Detected, Evaluation, Metric, Recognised};
use kompakt_data::{Dataset, Labelling, Reconciled, Split, load_sample, reconcile};
use kompakt_prep::{Pipeline, Scratch};
use kompakt_runtime::{Activations, Model, RuntimeError, Session, SessionOptions};
use std::{io::Write, path::PathBuf};

/// Batch size.
const BATCH: usize = 16;
/// Up to this many classes the full confusion matrix is printed; beyond them the most frequent confusions
/// are.
const MOST_CLASSES: usize = 20;
/// How many of those.
const CONFUSIONS: usize = 20;
/// Up to this many classes JSON has the full matrix; beyond them a list of the non-zero
/// `[label, answer, count]`.
const MOST_ROWS: usize = 1000;

/// Measure a model on images: top-1, top-5, confusion matrix, and how far it is from the original
///
/// Rows of the confusion matrix are labels, columns answers. Classes of a folder are matched with the model's by name;
/// numbers, those of a .tsv among them, are class numbers. Without labels, --against is what there is to measure.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  kompakt eval model.kompakt --data photos/ --against model.onnx\n  kompakt eval model.onnx --data \
                  mnist --prep normalize --json\n\nData: a known name (mnist, fashion-mnist, cifar10, digits); a folder with one folder \
                  of pictures a class, or with pictures alone; a .tsv with a path and a label a line; CIFAR-10 or CIFAR-100 in \
                  binary form; IDX files; .npy, .npz."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The images
    #[arg(long, value_name = "SOURCE")]
    data: String,
    /// Which part of them: test, validation, train, train+validation, or whole (all, where none are set aside for testing)
    #[arg(long, value_name = "NAME", default_value = "test")]
    split: Split,
    /// The original: an .onnx file, or any other model. It sees the same numbers, unless it says itself what is done to an
    /// image
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// The numbers in which layers read their inputs: f32, or int8, for which the file must hold ranges (`kompakt compress
    /// --activations int8`, `kompakt calibrate`). The original of --against is always run in f32
    #[arg(long, value_name = "NAME", default_value = "f32")]
    activations: Activations,
    /// What is done to a raw image first, for a model that does not say: a preset (none, normalize, imagenet,
    /// inception, caffe, bytes, deskew, features: `kompakt prep list`), words (resize=256 mean=A,B,C std=D), a JSON list of
    /// steps, or a file with one (see spec/preprocessing.md)
    #[arg(long, value_name = "STEPS")]
    prep: Option<String>,
    /// At most so many images: the first, or evenly spaced ones where images come class by class
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one number only: top-1, top-5, top-K (shares, 0 to 1); with --against also agreement (a share), cosine, mse, snr
    /// (decibels), text (the share of images that are read alike, of scores [time, classes] by CTC whose blank is class 0),
    /// boxes (twice the boxes that both find, by class and overlap, over all boxes of both; outputs as YOLO's)
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    metric: Option<Metric>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Errors: a figure that needs labels, or an original, where there is none.
fn figure(metric: Metric, found: &Evaluation) -> Result<f64> {
    if let Metric::Top(k) = metric {
        return match found.confusion.is_empty() {
            true => Err(usage("--metric top-K needs labels".into()).into()),
            false => Ok(found.share(found.n_top(k))),
        };
    }
    let Some(against) = &found.against else {
        bail!(usage(format!("--metric {metric} compares with an original: give --against")));
    };
    Ok(match metric {
        Metric::Cosine => against.cosine(),
        Metric::Mse => against.mse(),
        Metric::Snr => against.snr(),
        _ => found.share(against.n_same),
    })
}

/// Answers that are compared as what they mean.
enum Meaning {
    Text(Recognised),
    Boxes(Detected),
}

impl Meaning {
    /// Errors: answers of another shape, no original.
    fn of(metric: Option<Metric>, shape: &[usize], has_original: bool) -> Result<Option<Self>> {
        let Some(metric @ (Metric::Text | Metric::Boxes)) = metric else { return Ok(None) };
        if !has_original {
            bail!(usage(format!("--metric {metric} compares with an original: give --against")));
        }
        metric.check(shape).map_err(failed)?;
        Ok(match metric {
            Metric::Text => Recognised::new(shape).map(Self::Text),
            _ => Detected::new(shape).map(Self::Boxes),
        })
    }

    fn add(&mut self, answers: &[f32], original: &[f32]) {
        match self {
            Self::Text(found) => found.add(answers, original),
            Self::Boxes(found) => found.add(answers, original),
        }
    }

    fn share(&self) -> f64 {
        match self {
            Self::Text(found) => found.share(),
            Self::Boxes(found) => found.share(),
        }
    }
}

const STEPS: Steps =
    &[("reading", 1.0), ("checking the import", 1.0), ("reading images", 1.0), ("evaluating", 4.0)];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut inputs = arguments.source.files();
    inputs.extend(arguments.against.as_deref());
    present(&inputs)?;
    kompakt_data::find(&arguments.data).map_err(coded)?;
    let shown = begin(false, STEPS);
    tell("reading", f64::NAN);
    let own = Runnable::open(&arguments.source)?;
    let original =
        arguments.against.as_ref().map(|path| Runnable::open(&arguments.source.of(path))).transpose()?;
    let model = Model::from_bytes(&own.bytes).map_err(broken)?;
    let theirs = original.as_ref().map(|o| Model::from_bytes(&o.bytes)).transpose().map_err(broken)?;
    let mut session = session_of(&model, arguments.activations)?;
    let mut other = theirs.as_ref().map(|model| session_of(model, Activations::F32)).transpose()?;

    let shape = session.input_shape().to_vec();
    let steps = match &arguments.prep {
        None => own.steps.clone(),
        Some(text) => Some(preprocessing::parse(text, own.steps.as_ref(), &shape, &arguments.data)?),
    };
    let dims = preprocessing::picture_dims(steps.as_ref(), &shape);
    let limit = arguments.limit.unwrap_or(usize::MAX);
    tell("reading images", f64::NAN);
    let data = load_sample(&arguments.data, arguments.split, dims, limit).map_err(coded)?;
    let images = Reader::new(&data, steps.as_ref(), &shape)?;
    let others = match (&other, &original) {
        (Some(other), Some(original)) => {
            Some(Reader::new(&data, original.steps.as_ref().or(steps.as_ref()), other.input_shape())?)
        }
        _ => None,
    };
    if other.as_ref().is_some_and(|o| o.output_shape() != session.output_shape()) {
        bail!(usage("the two networks have outputs of different shapes".into()));
    }
    let (labels, classes) = labels(&data, &own.labels, &session)?;
    if labels.is_none() && other.is_none() {
        bail!(usage(format!(
            "{} has no labels that the network's output {:?} could be compared with: give --against",
            arguments.data,
            session.output_shape()
        )));
    }
    let mut meaning = Meaning::of(arguments.metric, session.output_shape(), other.is_some())?;
    let mut evaluation = Evaluation::new(session.output_shape().iter().product());
    for first in (0..data.len()).step_by(BATCH) {
        tell("evaluating", first as f64 / data.len() as f64);
        let n = BATCH.min(data.len() - first);
        let answers = session.run(&images.batch(first, n), n).map_err(broken)?;
        let theirs = match (&mut other, &others) {
            (Some(other), Some(images)) => Some(other.run(&images.batch(first, n), n).map_err(broken)?),
            _ => None,
        };
        if let (Some(meaning), Some(theirs)) = (&mut meaning, theirs) {
            meaning.add(answers, theirs);
        }
        evaluation.add(answers, labels.as_ref().map(|labels| &labels[first..first + n]), theirs);
    }
    drop(shown);
    hint(&evaluation, steps.is_some());
    let mut out = std::io::stdout().lock();
    if let Some(meaning) = meaning {
        writeln!(out, "{}", meaning.share())?;
    } else if let Some(metric) = arguments.metric {
        writeln!(out, "{}", figure(metric, &evaluation)?)?;
    } else if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&json(&evaluation, arguments))?)?;
    } else {
        write!(out, "{}", text(&evaluation, arguments, &classes))?;
    }
    Ok(())
}

/// Reports the probable cause where answers are no better than chance.
#[expect(clippy::print_stderr, reason = "talk of a command")]
fn hint(found: &Evaluation, has_steps: bool) {
    if found.is_chance() {
        let prep = match has_steps {
            false => "it gets raw pixels from 0 to 1: most networks need --prep (see `kompakt prep list`)",
            true => "check what is done to an image (--prep, `kompakt prep list`)",
        };
        eprintln!(
            "kompakt: no better than chance: labels that do not line up with the outputs (--labels), or {prep}"
        );
    }
}

fn session_of<'m>(model: &'m Model<'m>, activations: Activations) -> Result<Session<'m>> {
    let mut options = SessionOptions::default();
    options.activations = activations;
    options.max_batch = BATCH;
    options.threads = std::thread::available_parallelism().map_or(1, usize::from);
    Session::new(model, &options).map_err(broken)
}

/// Images of a data set as a network reads them, a batch at a time.
struct Reader<'d> {
    data: &'d Dataset,
    steps: Option<&'d Pipeline>,
}

impl<'d> Reader<'d> {
    fn new(data: &'d Dataset, steps: Option<&'d Pipeline>, shape: &[usize]) -> Result<Self> {
        let steps = match steps {
            Some(steps) if reconcile(data, steps).map_err(coded)? == Reconciled::Apply => Some(steps),
            _ => None,
        };
        let made = steps.map_or_else(|| data.dims(), |s| s.output_shape().dims());
        if made.iter().product::<usize>() != shape.iter().product::<usize>() {
            let message = format!("the images have shape {made:?}, the network takes {shape:?}");
            bail!(Failure::input(message));
        }
        Ok(Self { data, steps })
    }

    fn batch(&self, first: usize, n: usize) -> Vec<f32> {
        let mut raw = vec![0.0; self.data.shape().len()];
        let mut scratch = Scratch::default();
        let mut all = Vec::new();
        for i in first..first + n {
            self.data.image(i, &mut raw);
            match self.steps {
                None => all.extend_from_slice(&raw),
                Some(steps) => {
                    let from = all.len();
                    all.resize(from + steps.output_shape().len(), 0.0);
                    steps.apply(&raw, &mut all[from..], &mut scratch);
                }
            }
        }
        all
    }
}

/// The network's class of every image, if there are labels and the output is a list of classes; and the names
/// of the classes.
fn labels(
    data: &Dataset,
    named: &[String],
    session: &Session<'_>,
) -> Result<(Option<Vec<usize>>, Vec<String>)> {
    let shape = session.output_shape();
    let n_classes: usize = shape.iter().product();
    let is_list = shape.iter().filter(|&&d| d > 1).count() == 1;
    let name = |i: usize| named.get(i).cloned().unwrap_or_else(|| i.to_string());
    if data.labelling() == Labelling::Unlabelled || !is_list {
        return Ok((None, (0..n_classes).map(name).collect()));
    }
    let (labels, classes) = data.network_labels(named, n_classes).map_err(coded)?;
    Ok((Some(labels), classes))
}

fn json(found: &Evaluation, arguments: &Arguments) -> serde_json::Value {
    let mut all =
        serde_json::json!({ "data": arguments.data, "split": arguments.split.name(), "n": found.n });
    if !found.confusion.is_empty() {
        all["top1"] = found.share(found.n_top(1)).into();
        all["top5"] = found.share(found.n_top(5)).into();
        all["confusion"] = match found.n_classes {
            0..=MOST_ROWS => serde_json::json!(rows(found)),
            _ => serde_json::json!(found.confusion.iter().map(|(&(l, a), n)| [l, a, *n]).collect::<Vec<_>>()),
        };
    }
    if let Some(against) = &found.against {
        all["against"] = serde_json::json!({
            "same_answer": found.share(against.n_same), "top1": found.share(against.n_top1),
            "difference": against.difference(), "largest_difference": against.largest,
            "cosine": against.cosine(), "mse": against.mse(), "snr_db": against.snr(),
        });
    }
    all
}

fn text(found: &Evaluation, arguments: &Arguments, names: &[String]) -> String {
    let percent = |count: usize| 100.0 * found.share(count);
    let mut text = format!("{} {}: {} images\n", arguments.data, arguments.split.name(), found.n);
    if !found.confusion.is_empty() {
        text += &format!("top-1 {:.2} % ({} right)", percent(found.n_top(1)), found.n_top(1));
        if found.n_classes > 5 {
            text += &format!(", top-5 {:.2} %", percent(found.n_top(5)));
        }
        text.push('\n');
    }
    if let (Some(against), Some(path)) = (&found.against, &arguments.against) {
        text += &format!("against {}: the same answer {:.2} %", path.display(), percent(against.n_same));
        if !found.confusion.is_empty() {
            text += &format!(", its own top-1 {:.2} %", percent(against.n_top1));
        }
        text += &format!(
            "; logits differ by {:.6} of their energy, by {:.4} at most; cosine {:.6}, mean squared error {:.3e}, signal to \
             noise {:.1} dB\n",
            against.difference(),
            against.largest,
            against.cosine(),
            against.mse(),
            against.snr()
        );
    }
    text + &confusion(found, names)
}

/// The confusion matrix: `[label][answer]`.
fn rows(found: &Evaluation) -> Vec<Vec<usize>> {
    let n = found.n_classes;
    let count = |label, answer| found.confusion.get(&(label, answer)).copied().unwrap_or(0);
    (0..n).map(|label| (0..n).map(|answer| count(label, answer)).collect()).collect()
}

fn confusion(found: &Evaluation, names: &[String]) -> String {
    let mut text = String::new();
    if found.confusion.is_empty() {
        return text;
    }
    if found.n_classes > MOST_CLASSES {
        for (label, answer, count) in found.confusions().into_iter().take(CONFUSIONS) {
            text += &format!("{count:>7}  {} taken for {}\n", names[label], names[answer]);
        }
        return text;
    }
    let width = found.confusion.values().max().map_or(1, |m| m.to_string().len()).max(2) + 1;
    let header: String = (0..found.n_classes).map(|i| format!("{i:>width$}")).collect();
    text += &format!("{:>4}{header}\n", "");
    for (label, row) in rows(found).iter().enumerate() {
        let row: String = row.iter().map(|count| format!("{count:>width$}")).collect();
        text += &format!("{label:>4}{row}  {}\n", names[label]);
    }
    text
}

fn broken(error: RuntimeError) -> anyhow::Error {
    failed(CompressError::Run(error))
}
