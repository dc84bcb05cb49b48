//! Images on the command line: for calibration, and for validation of the result.

#[cfg(feature = "train")]
use crate::training::{FineTuning, Plan};
use crate::{
    network::{coded, usage},
    preprocessing,
    process::Failure,
    progress::tell,
};
use anyhow::{Context, Result, bail};
use kompakt_compress::{Images, n_classes};
use kompakt_data::{DataError, Dataset, Labelling, Reconciled, Split, Values, load_sample, reconcile};
use kompakt_model::Model;
use kompakt_prep::{Pipeline, Scratch};
use std::path::Path;

/// Images that second-order information is taken from.
const SEEN: usize = 512;

/// Images of the kind that the network is for.
#[derive(clap::Args)]
pub(crate) struct Calibration {
    /// A data set: a known name (mnist, fashion-mnist, cifar10, digits), or a folder of pictures (by class, or without classes), a
    /// .tsv, .npz, CIFAR or IDX files. Training images are looked at, validation images judge. Images that the network was
    /// trained on flatter it: use others
    #[arg(long, value_name = "SOURCE")]
    pub(crate) data: Option<String>,
    /// Validate with these images instead of a part of --data: all of them, or its test images where the source sets some aside
    #[arg(long, value_name = "SOURCE", requires = "data")]
    judge: Option<String>,
    /// The most validation images
    #[arg(long = "judges", value_name = "N", default_value_t = 2000, requires = "data")]
    n_validation: usize,
    /// Take no notice of labels: what the original says counts as right
    #[arg(long, requires = "data")]
    ignore_labels: bool,
    /// What is done to a raw image first, recorded in the model: a preset (none, normalize, imagenet, inception, caffe,
    /// bytes, deskew, features: `kompakt prep list`), words (resize=256 mean=A,B,C std=D), a JSON list of steps, or a
    /// file with one (see spec/preprocessing.md). Default: what the model has recorded, else nothing
    #[arg(long, value_name = "STEPS", requires = "data")]
    prep: Option<String>,
}

/// Images of the kind that a network is for, prepared as its input.
pub struct Pictures {
    /// Calibration images.
    pub seen: Images,
    /// Validation images.
    pub validation: Images,
    /// The source of the validation images.
    pub source: String,
}

impl Calibration {
    /// The values that the command line's options would have.
    pub(crate) fn new(
        data: String,
        judge: Option<String>,
        n_validation: usize,
        ignore_labels: bool,
        prep: Option<String>,
    ) -> Self {
        Self { data: Some(data), judge, n_validation, ignore_labels, prep }
    }

    /// The files and folders that are read, where the options name some.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.data.iter().chain(&self.judge).chain(&self.prep).map(Path::new)
    }

    /// Refuses, before anything else is done, data that is missing.
    pub(crate) fn present(&self) -> Result<()> {
        self.data.iter().chain(&self.judge).try_for_each(|source| kompakt_data::find(source).map_err(coded))
    }

    /// Whether labels are ignored.
    #[cfg(feature = "train")]
    pub(crate) fn ignores_labels(&self) -> bool {
        self.ignore_labels
    }

    /// The training data after compression; call it after [`Calibration::read`].
    #[cfg(feature = "train")]
    pub(crate) fn fine_tuning(&self, model: &Model, plan: Plan) -> Result<Option<FineTuning>> {
        let Some(source) = &self.data else { return Ok(None) };
        let dims =
            preprocessing::picture_dims(preprocessing::recorded(model)?.as_ref(), &input_shape(model)?);
        let train = load_sample(source, Split::Train, dims, usize::MAX).map_err(coded)?;
        let train = of_network(train, model).map_err(coded)?;
        let (validation, _) = self.validation(source, dims)?;
        FineTuning::new(plan, model, train, of_network(validation, model).map_err(coded)?).map(Some)
    }

    /// The validation images, and their source.
    fn validation(&self, source: &str, dims: Option<[usize; 3]>) -> Result<(Dataset, String)> {
        let (from, split) = match &self.judge {
            Some(judge) => (judge.as_str(), Split::Whole),
            None => (source, Split::Validation),
        };
        let about = match &self.judge {
            Some(judge) => judge.clone(),
            None => format!("{source}, a tenth of it that is not calibrated with"),
        };
        Ok((load_sample(from, split, dims, self.n_validation).map_err(coded)?, about))
    }

    /// Calibration images and validation images; the model gets its preprocessing.
    pub(crate) fn read(&self, model: &mut Model) -> Result<Option<Pictures>> {
        let Some(source) = &self.data else { return Ok(None) };
        let shape = input_shape(model)?;
        let steps = preprocessing::steps(self.prep.as_deref(), model, &shape, source)?;
        let dims = preprocessing::picture_dims(steps.as_ref(), &shape);
        tell("reading images", f64::NAN);
        let seen = load_sample(source, Split::Train, dims, SEEN).map_err(coded)?;
        let (validation, about) = self.validation(source, dims)?;
        let sources = [source.clone(), about];
        Pictures::of(model, steps.as_ref(), seen, validation, sources, self.ignore_labels).map(Some)
    }
}

impl Pictures {
    /// Two data sets as the network takes them, with their source; the model gets the preprocessing.
    pub(crate) fn of(
        model: &mut Model,
        steps: Option<&Pipeline>,
        seen: Dataset,
        validation: Dataset,
        sources: [String; 2],
        ignores_labels: bool,
    ) -> Result<Self> {
        let shape = input_shape(model)?;
        let [source, about] = sources;
        if let Some(steps) = steps.filter(|s| !s.is_identity()) {
            let json = serde_json::to_value(steps).context("writing the preprocessing")?;
            model.preprocessing = Some(json);
        }
        let seen = images(seen, steps, &shape, &source)?;
        let validation = match ignores_labels {
            true => validation.labelled(Labelling::Unlabelled),
            false => of_network(validation, model).map_err(coded)?,
        };
        let validation = images(validation, steps, &shape, &about)?;
        Ok(Self { seen, validation, source: about })
    }
}

/// The images with the network's class numbers as labels; without labels, if the network's output is not a
/// list of classes.
fn of_network(data: Dataset, model: &Model) -> Result<Dataset, DataError> {
    match n_classes(model) {
        Some(n) => data.for_network(&model.labels, n),
        None => Ok(data.labelled(Labelling::Unlabelled)),
    }
}

/// The shape of the network's only input.
pub(crate) fn input_shape(model: &Model) -> Result<Vec<usize>> {
    match model.graph.inputs() {
        [input] => Ok(input.shape.clone()),
        inputs => bail!(usage(format!("--data needs a network of one input; this one has {}", inputs.len()))),
    }
}

/// The images of a data set as the network takes them, prepared when they are read.
fn images(data: Dataset, steps: Option<&Pipeline>, shape: &[usize], source: &str) -> Result<Images> {
    let steps = match steps {
        Some(steps) if reconcile(&data, steps).map_err(coded)? == Reconciled::Apply => Some(steps.clone()),
        _ => None,
    };
    let steps = steps.filter(|s| !s.is_identity());
    let made = steps.as_ref().map_or_else(|| data.dims(), |s| s.output_shape().dims());
    let len: usize = shape.iter().product();
    if made.iter().product::<usize>() != len {
        bail!(Failure::input(format!("the images have shape {made:?}, the network takes {shape:?}")));
    }
    if let Values::Floats(values) = data.values()
        && let Some(at) = values.iter().position(|v| !v.is_finite())
    {
        let (image, value) = (at / data.shape().len(), values[at]);
        bail!(Failure::input(format!("{source}: image {image} holds {value}; every number must be finite")));
    }
    let labels = match data.labelling() {
        Labelling::Unlabelled => Vec::new(),
        _ => data.labels().iter().map(|&l| usize::from(l)).collect(),
    };
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
