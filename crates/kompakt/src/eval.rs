//! `kompakt eval`: how a model answers on a data set, and how far that is from the original's answers.

use crate::{
    network::{Source, coded, failed, steps_of, usage},
    process::{Failure, exit},
    runnable::Runnable,
};
use anyhow::{Result, bail};
use kompakt_compress::{CompressError, Evaluation};
use kompakt_data::{Dataset, Reconciled, Split, load_as, reconcile};
use kompakt_prep::{Pipeline, Scratch};
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};
use std::{io::Write, path::PathBuf};

/// Images that are run together.
const BATCH: usize = 16;
/// Classes up to which the whole confusion matrix is printed; beyond them the most frequent confusions are.
const MOST_CLASSES: usize = 20;
/// How many of those.
const CONFUSIONS: usize = 20;

/// Measure a model on labelled images: top-1, top-5, confusion matrix, and how far it is from the original
///
/// Rows of the confusion matrix are labels, columns answers. Where the model names its classes and the data set's classes
/// have the same names, they are matched by name, else by number.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  kompakt eval model.kompakt --data photos/ --against model.onnx\n  kompakt eval model.onnx --data \
                  mnist --prep normalize --json\n\nData: a known name (mnist, fashion-mnist, digits); a folder with one folder \
                  of pictures a class; a .tsv with a path and a label a line; CIFAR-10 or CIFAR-100 in binary form; IDX \
                  files; .npy, .npz."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The labelled images
    #[arg(long, value_name = "SOURCE")]
    data: String,
    /// Which part of them: test, validation, train, train+validation
    #[arg(long, value_name = "NAME", default_value = "test")]
    split: Split,
    /// The original: an .onnx file, or any other model. It sees the same numbers, unless it says itself what is done to an
    /// image
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// What is done to a raw image first, for a model that does not say: a preset, a JSON list of steps, or a file with
    /// one (see spec/preprocessing.md)
    #[arg(long, value_name = "STEPS")]
    prep: Option<String>,
    /// Only the first so many images
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let own = Runnable::open(&arguments.source)?;
    let original =
        arguments.against.as_ref().map(|path| Runnable::open(&arguments.source.of(path))).transpose()?;
    let model = Model::from_bytes(&own.bytes).map_err(broken)?;
    let theirs = original.as_ref().map(|o| Model::from_bytes(&o.bytes)).transpose().map_err(broken)?;
    let mut session = session_of(&model)?;
    let mut other = theirs.as_ref().map(session_of).transpose()?;

    let raw = own.steps.as_ref().map_or_else(|| session.input_shape().to_vec(), |s| s.input_shape().dims());
    let dims = <[usize; 3]>::try_from(raw.as_slice()).ok().filter(|d| d[0] == 1 || d[0] == 3);
    let mut data = load_as(&arguments.data, arguments.split, dims).map_err(coded)?;
    if let Some(n) = arguments.limit {
        data = data.first(n);
    }
    let steps = match &arguments.prep {
        None => own.steps.clone(),
        Some(text) => Some(steps_of(text, &arguments.data, &data, dims)?),
    };
    let images = Reader::new(&data, steps.as_ref(), session.input_shape())?;
    let others = match (&other, &original) {
        (Some(other), Some(original)) => {
            Some(Reader::new(&data, original.steps.as_ref().or(steps.as_ref()), other.input_shape())?)
        }
        _ => None,
    };
    let n_classes = n_classes(&session)?;
    if other.as_ref().is_some_and(|o| o.output_shape() != session.output_shape()) {
        bail!(usage("the two networks have outputs of different shapes".into()));
    }
    let labels = labels(&data, &own.labels, n_classes)?;
    let mut evaluation = Evaluation::new(n_classes);
    for (batch, labels) in labels.chunks(BATCH).enumerate() {
        let first = batch * BATCH;
        let answers = session.run(&images.batch(first, labels.len()), labels.len()).map_err(broken)?;
        let theirs = match (&mut other, &others) {
            (Some(other), Some(images)) => {
                Some(other.run(&images.batch(first, labels.len()), labels.len()).map_err(broken)?)
            }
            _ => None,
        };
        evaluation.add(answers, labels, theirs);
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&json(&evaluation, arguments))?)?;
    } else {
        write!(out, "{}", text(&evaluation, arguments, &names(&own.labels, &data, n_classes)))?;
    }
    Ok(())
}

fn session_of<'m>(model: &'m Model<'m>) -> Result<Session<'m>> {
    let mut options = SessionOptions::default();
    options.max_batch = BATCH;
    options.threads = std::thread::available_parallelism().map_or(1, usize::from);
    Session::new(model, &options).map_err(broken)
}

/// Images of a data set as a network reads them, some at a time.
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
            bail!(Failure { code: exit::INPUT, message });
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

fn n_classes(session: &Session<'_>) -> Result<usize> {
    let shape = session.output_shape();
    let n = shape.iter().product();
    if shape.iter().filter(|&&d| d > 1).count() > 1 {
        let message = format!("the network's output {shape:?} is no list of classes");
        bail!(Failure { code: exit::INPUT, message });
    }
    Ok(n)
}

/// The network's class of every image.
fn labels(data: &Dataset, named: &[String], n_classes: usize) -> Result<Vec<usize>> {
    let by_name = |class: &String| named.iter().position(|name| name == class);
    let matched: Option<Vec<usize>> = data.classes().iter().map(by_name).collect();
    let class_of = matched.unwrap_or_else(|| (0..data.n_classes()).collect());
    let labels: Vec<usize> = data.labels().iter().map(|&l| class_of[usize::from(l)]).collect();
    if let Some(label) = labels.iter().find(|&&l| l >= n_classes) {
        let message = format!("an image is of class {label}, the network tells {n_classes} apart");
        bail!(Failure { code: exit::INPUT, message });
    }
    Ok(labels)
}

/// What the network's classes are called.
fn names(named: &[String], data: &Dataset, n_classes: usize) -> Vec<String> {
    let known = if named.is_empty() { data.classes() } else { named };
    (0..n_classes).map(|i| known.get(i).cloned().unwrap_or_else(|| i.to_string())).collect()
}

fn json(found: &Evaluation, arguments: &Arguments) -> serde_json::Value {
    let rows: Vec<&[usize]> = found.confusion.chunks(found.n_classes).collect();
    let mut all = serde_json::json!({
        "data": arguments.data, "split": arguments.split.name(), "n": found.n,
        "top1": found.share(found.n_top1), "top5": found.share(found.n_top5), "confusion": rows,
    });
    if let Some(against) = &found.against {
        all["against"] = serde_json::json!({
            "same_answer": found.share(against.n_same), "top1": found.share(against.n_top1),
            "difference": against.difference(), "largest_difference": against.largest,
        });
    }
    all
}

fn text(found: &Evaluation, arguments: &Arguments, names: &[String]) -> String {
    let percent = |count: usize| 100.0 * found.share(count);
    let mut text = format!("{} {}: {} images\n", arguments.data, arguments.split.name(), found.n);
    text += &format!("top-1 {:.2} % ({} right)", percent(found.n_top1), found.n_top1);
    if found.n_classes > 5 {
        text += &format!(", top-5 {:.2} %", percent(found.n_top5));
    }
    text.push('\n');
    if let (Some(against), Some(path)) = (&found.against, &arguments.against) {
        text += &format!(
            "against {}: the same answer {:.2} %, its own top-1 {:.2} %; logits differ by {:.6} of their energy, by {:.4} at \
             most\n",
            path.display(),
            percent(against.n_same),
            percent(against.n_top1),
            against.difference(),
            against.largest
        );
    }
    text + &confusion(found, names)
}

fn confusion(found: &Evaluation, names: &[String]) -> String {
    let mut text = String::new();
    if found.n_classes > MOST_CLASSES {
        for (label, answer, count) in found.confusions().into_iter().take(CONFUSIONS) {
            text += &format!("{count:>7}  {} taken for {}\n", names[label], names[answer]);
        }
        return text;
    }
    let width = found.confusion.iter().max().map_or(1, |m| m.to_string().len()).max(2) + 1;
    let header: String = (0..found.n_classes).map(|i| format!("{i:>width$}")).collect();
    text += &format!("{:>4}{header}\n", "");
    for (label, row) in found.confusion.chunks(found.n_classes).enumerate() {
        let row: String = row.iter().map(|count| format!("{count:>width$}")).collect();
        text += &format!("{label:>4}{row}  {}\n", names[label]);
    }
    text
}

fn broken(error: RuntimeError) -> anyhow::Error {
    failed(CompressError::Run(error))
}
