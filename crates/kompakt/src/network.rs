//! A trained network on the command line, and images to look at while it is compressed.

#[cfg(feature = "train")]
use crate::training::{Lessons, Plan};
use crate::{
    failure::IntoAnyhow,
    import::{OnnxArguments, read_onnx},
    input::Input,
    process::{Failure, exit},
};
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use kompakt_compress::{CompressError, Images};
use kompakt_data::{DataError, Dataset, Reconciled, Split, load_as, parse_steps, reconcile};
use kompakt_model::{Model, fold_batch_norm};
use kompakt_prep::{Pipeline, Scratch};
use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Images that second-order information is taken from.
const SEEN: usize = 512;

/// Where the network comes from.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// An .onnx file, or a model as the stages write it (safetensors); `-` is stdin
    #[arg(value_name = "MODEL", default_value = "-")]
    model: PathBuf,
    /// The network, for a safetensors file that does not carry it (see spec/interchange.md)
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    onnx: OnnxArguments,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

/// Images of the kind that the network is for.
#[derive(clap::Args)]
pub(crate) struct Calibration {
    /// A data set: a known name (mnist, fashion-mnist, digits), or a folder of pictures by class, a .tsv, .npz, CIFAR or
    /// IDX files. Training images are looked at, validation images judge
    #[arg(long, value_name = "SOURCE")]
    pub(crate) data: Option<String>,
    /// What is done to a raw image first, recorded in the model: a preset, a JSON list of steps, or a file with one (see
    /// spec/preprocessing.md). Default: what the model has recorded, else nothing
    #[arg(long, value_name = "STEPS", requires = "data")]
    prep: Option<String>,
    /// The most images that judge
    #[arg(long, value_name = "N", default_value_t = 2000, requires = "data")]
    judges: usize,
}

impl Source {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.model
    }

    /// All files that are read.
    pub(crate) fn files(&self) -> Vec<&Path> {
        let others = self.graph.iter().chain(&self.labels).map(PathBuf::as_path);
        [self.path()].into_iter().chain(others).collect()
    }

    /// Another file, with nothing else known of it but what is known of this one.
    pub(crate) fn of(&self, path: &Path) -> Self {
        let (graph, onnx) = (self.graph.clone(), self.onnx.clone());
        Self { model: path.to_path_buf(), graph, onnx, labels: None }
    }

    /// Reads the network, its batch norms folded.
    pub(crate) fn read(&self) -> Result<Model> {
        let is_onnx = self.model != Path::new("-") && is_onnx(&self.model)?;
        let mut model = if is_onnx {
            read_onnx(&self.model, &self.onnx)?
        } else {
            let input = Input { model: self.model.clone(), graph: self.graph.clone() };
            fold_batch_norm(&input.read()?)?
        };
        if let Some(path) = &self.labels {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            model.labels = text.lines().map(str::to_string).collect();
        }
        Ok(model)
    }
}

/// By its name, or because it does not begin as a safetensors file does: with a length and a brace.
fn is_onnx(path: &Path) -> Result<bool> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) {
        return Ok(true);
    }
    let mut start = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(9).read_to_end(&mut start))
        .with_context(|| format!("cannot read {}", path.display()))?;
    // The first field of an ONNX file is its version, a small number.
    Ok(start.first() == Some(&8) && start.get(8) != Some(&b'{'))
}

impl Calibration {
    /// The files and folders that are read, where the options name some.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.data.iter().chain(&self.prep).map(Path::new)
    }

    /// What a network is trained on after compression; call it after [`Calibration::read`].
    #[cfg(feature = "train")]
    pub(crate) fn lessons(&self, model: &Model, plan: Plan) -> Result<Option<Lessons>> {
        let Some(source) = &self.data else { return Ok(None) };
        let dims = self.dims(model, &input_shape(model)?)?;
        let train = load_as(source, Split::Train, dims).map_err(coded)?;
        let judges = load_as(source, Split::Validation, dims).map_err(coded)?.first(self.judges);
        Lessons::new(plan, model, train, judges).map(Some)
    }

    /// The size that pictures are brought to.
    fn dims(&self, model: &Model, shape: &[usize]) -> Result<Option<[usize; 3]>> {
        let dims = match recorded(model)? {
            Some(steps) => steps.input_shape().dims(),
            None => shape.to_vec(),
        };
        Ok(<[usize; 3]>::try_from(dims.as_slice()).ok().filter(|d| d[0] == 1 || d[0] == 3))
    }

    /// Images to look at and images that judge; the model learns what preprocessing it needs.
    pub(crate) fn read(&self, model: &mut Model) -> Result<Option<(Images, Images)>> {
        let Some(source) = &self.data else { return Ok(None) };
        let shape = input_shape(model)?;
        let dims = self.dims(model, &shape)?;
        let recorded = recorded(model)?;
        let seen = load_as(source, Split::Train, dims).map_err(coded)?;
        let judges = load_as(source, Split::Validation, dims).map_err(coded)?.first(self.judges);
        let steps = match &self.prep {
            None => recorded,
            Some(text) => Some(parse(text, &seen)?),
        };
        if let Some(steps) = steps.as_ref().filter(|s| !s.is_identity()) {
            let json = serde_json::to_value(steps).context("writing the preprocessing")?;
            model.preprocessing = Some(json);
        }
        let seen = images(seen.first(SEEN), steps.as_ref(), &shape)?;
        Ok(Some((seen, images(judges, steps.as_ref(), &shape)?)))
    }
}

/// The shape of the network's only input.
fn input_shape(model: &Model) -> Result<Vec<usize>> {
    match model.graph.inputs() {
        [input] => Ok(input.shape.clone()),
        inputs => bail!(usage(format!("--data needs a network of one input; this one has {}", inputs.len()))),
    }
}

/// What the model says is done to an image.
fn recorded(model: &Model) -> Result<Option<Pipeline>> {
    let Some(json) = &model.preprocessing else { return Ok(None) };
    Ok(Some(serde_json::from_value(json.clone()).context("the model's preprocessing")?))
}

/// What `--prep` says, for a data set of which `data` is a part. The preset `normalize` is that of the training images.
pub(crate) fn steps_of(
    text: &str,
    source: &str,
    data: &Dataset,
    dims: Option<[usize; 3]>,
) -> Result<Pipeline> {
    match text {
        "normalize" => parse(text, &load_as(source, Split::Train, dims).map_err(coded)?),
        _ => parse(text, data),
    }
}

fn parse(text: &str, images: &Dataset) -> Result<Pipeline> {
    let text = match Path::new(text).is_file() {
        true => std::fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?,
        false => text.to_string(),
    };
    Ok(parse_steps(text.trim(), images).map_err(|e| usage(format!("--prep: {e}")))?)
}

/// The images of a data set as the network takes them, prepared when they are read.
fn images(data: Dataset, steps: Option<&Pipeline>, shape: &[usize]) -> Result<Images> {
    let steps = match steps {
        Some(steps) if reconcile(&data, steps).map_err(coded)? == Reconciled::Apply => Some(steps.clone()),
        _ => None,
    };
    let steps = steps.filter(|s| !s.is_identity());
    let made = steps.as_ref().map_or_else(|| data.dims(), |s| s.output_shape().dims());
    let len: usize = shape.iter().product();
    if made.iter().product::<usize>() != len {
        let message = format!("the images have shape {made:?}, the network takes {shape:?}");
        bail!(Failure { code: exit::INPUT, message });
    }
    let labels = data.labels().iter().map(|&l| usize::from(l)).collect();
    Ok(Images::new(len, data.len(), labels, move |first, output| {
        let (mut raw, mut scratch) = (vec![0.0; data.shape().len()], Scratch::default());
        for (i, output) in output.chunks_exact_mut(len).enumerate() {
            match &steps {
                None => data.image(first + i, output),
                Some(steps) => {
                    data.image(first + i, &mut raw);
                    steps.apply(&raw, output, &mut scratch);
                }
            }
        }
    }))
}

pub(crate) fn usage(message: String) -> Failure {
    Failure { code: exit::USAGE, message }
}

pub(crate) fn coded(error: DataError) -> anyhow::Error {
    match error {
        DataError::Io { .. } => anyhow::Error::from(error),
        other => Failure { code: exit::IO, message: other.to_string() }.into(),
    }
}

/// An error of the compressor in the form that decides the exit code.
pub(crate) fn failed(error: CompressError) -> anyhow::Error {
    match error {
        CompressError::Io(error) => error.into(),
        CompressError::Model(error) => error.into(),
        CompressError::Pack(error) => error.into_anyhow(),
        CompressError::NeedsImages(_) => Failure { code: exit::USAGE, message: error.to_string() }.into(),
        other => Failure { code: exit::INPUT, message: other.to_string() }.into(),
    }
}

/// Runs `work` with a bar that says what is being done; on a terminal, after a second.
pub(crate) fn with_bar<T>(work: impl FnOnce(&(dyn Fn(&str, f64) + Sync)) -> T) -> T {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg:>28} {bar:30} {percent:>3} %  {elapsed}") {
        bar.set_style(style);
    }
    let started = Instant::now();
    let result = work(&|what, share| {
        if started.elapsed() > Duration::from_secs(1) {
            bar.set_length(1000);
            bar.set_message(what.to_string());
            bar.set_position((share * 1000.0) as u64);
        }
    });
    bar.finish_and_clear();
    result
}
