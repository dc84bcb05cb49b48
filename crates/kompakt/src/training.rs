//! Training after compression: centroids and biases move, codes and masks stay, the original is the teacher.

use crate::{
    epoch_progress::EpochProgress,
    failure::failure,
    network::{coded, failed},
    process::{Failure, exit},
    progress::{self, with_progress},
};
use anyhow::{Context, Result, bail};
use kompakt_compress::{Images, answers};
use kompakt_data::{Augmentation, Dataset, Feed, Labelling};
use kompakt_engine::{Batch, CrossEntropy, Distillation, EngineError, Optimizer, TrainOptions};
use kompakt_graph::{Graph, Op};
use kompakt_model::{Model, StageRecord};
use kompakt_prep::Pipeline;
use kompakt_training::{
    Data,
    finetune::{FinetuneError, Options, Select, finetune},
};
use std::sync::Arc;

/// Weight of the teacher, relative to the labels.
const SHARE: f32 = 0.7;
/// The teacher's temperature.
const TEMPERATURE: f32 = 2.0;

/// The training data.
pub(crate) struct FineTuning {
    /// Epochs.
    epochs: usize,
    seed: u64,
    quiet: bool,
    train: Arc<Feed>,
    validation: Feed,
    /// The original's logits for every training image.
    teacher: Vec<f32>,
}

/// The command line's description of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    pub(crate) seed: u64,
    pub(crate) quiet: bool,
}

impl FineTuning {
    /// Prints a message, unless it is to be quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            progress::say(&format!("kompakt: {text}"));
        }
    }

    /// Takes the images, and computes the original's answers to them. `original` is the dense network;
    /// `validation` selects the epoch.
    ///
    /// Errors: a network that the training engine does not support; all such operators are listed.
    pub(crate) fn new(plan: Plan, original: &Model, train: Dataset, validation: Dataset) -> Result<Self> {
        if train.labelling() == Labelling::Unlabelled || validation.labelling() == Labelling::Unlabelled {
            bail!(Failure::usage("--finetune trains with labels, and the data has none"));
        }
        let nothing = Pipeline::new(&train.dims(), vec![]).map_err(|e| coded(e.into()))?;
        let steps = match &original.preprocessing {
            None => nothing,
            Some(json) => serde_json::from_value(json.clone()).context("the model's preprocessing")?,
        };
        let feed = |data| Feed::new(data, &steps, Augmentation::default(), plan.seed).map_err(coded);
        let (train, validation) = (feed(train)?, feed(validation)?);
        let bare = logits(original)?;
        let network = kompakt_engine::Network::from_model(&bare).map_err(failure)?;
        kompakt_engine::Engine::new(&network, 1).map_err(failure)?;
        let train = Arc::new(train);
        let seen = train.clone();
        let len = train.shape().len();
        let images = Images::new(len, train.len(), Vec::new(), move |first, output| {
            let chosen: Vec<usize> = (first..first + output.len() / len).collect();
            seen.fill(0, &chosen, output);
        });
        let teacher = with_progress(plan.quiet, |tell| {
            tell("asking the original", 0.0);
            answers(&bare, &images)
        });
        let teacher = teacher.map_err(failed)?;
        let Plan { epochs, seed, quiet } = plan;
        Ok(Self { epochs, seed, quiet, train, validation, teacher })
    }

    /// Trains a compressed model of the same network.
    pub(crate) fn tune(&self, compressed: &Model) -> Result<Model> {
        let mut student = logits(compressed)?;
        let classes: usize =
            student.graph.outputs().iter().map(|&v| student.graph.shape(v).iter().product::<usize>()).sum();
        let teacher = |batch: &Batch<'_>| {
            batch
                .examples
                .iter()
                .flat_map(|&e| &self.teacher[e * classes..(e + 1) * classes])
                .copied()
                .collect()
        };
        let loss = Distillation {
            labels: CrossEntropy::default(),
            teacher: &teacher,
            temperature: TEMPERATURE,
            share: SHARE,
        };
        let is_convolutional = student.graph.weights().any(|p| p.shape.len() > 2);
        let options = Options {
            centroid_gradient: kompakt_engine::CentroidGradient::Sum,
            select: Select::Best,
            train: TrainOptions {
                epochs: self.epochs,
                batch: if is_convolutional { 64 } else { 128 },
                learning_rate: 1e-3,
                optimizer: Optimizer::ADAM,
                seed: self.seed,
                ..TrainOptions::default()
            },
            threads: 0,
        };
        let data = Data { training: &*self.train, validation: Some(&self.validation), loss: &loss };
        let mut progress = EpochProgress::new("kompakt", self.epochs, self.quiet);
        let outcome = finetune(&mut student, &options, &data, &mut progress).map_err(explain)?;
        drop(progress);
        let mut tuned = compressed.clone();
        tuned.parameters = student.parameters;
        let mut record = self.record();
        record = record.measure("epoch", outcome.epoch as f64);
        if let (Some(before), Some(after)) = (outcome.before, outcome.after) {
            record = record
                .measure("validation_error_before", before.error())
                .measure("validation_error", after.error());
        }
        tuned.record(record, Some(compressed.content_hash()));
        Ok(tuned)
    }

    /// A placeholder for the record of training, of the final length.
    pub(crate) fn with_record(&self, compressed: &Model) -> Model {
        let mut model = compressed.clone();
        let figure = 0.012_345_678_901_234_568;
        let record = self.record().measure("epoch", self.epochs as f64);
        let record = record.measure("validation_error_before", figure).measure("validation_error", figure);
        model.record(record, Some(compressed.content_hash()));
        model
    }

    fn record(&self) -> StageRecord {
        let mut record = StageRecord::new("kompakt-compress --finetune", env!("CARGO_PKG_VERSION"))
            .option("epochs", self.epochs)
            .option("teacher_share", SHARE)
            .option("temperature", TEMPERATURE);
        record.seed = Some(self.seed);
        record
    }
}

/// The network without a final softmax: the logits that loss and teacher use.
fn logits(model: &Model) -> Result<Model> {
    let graph = &model.graph;
    let [output] = graph.outputs() else {
        let message =
            format!("training needs a network of one output; this one has {}", graph.outputs().len());
        bail!(Failure { code: exit::INPUT, message });
    };
    let mut model = model.clone();
    let Some(node) = graph.producer(*output) else { return Ok(model) };
    let is_last = node + 1 == graph.nodes().len();
    if is_last && matches!(graph.nodes()[node].op, Op::Softmax | Op::LogSoftmax) {
        let before = graph.nodes()[node].inputs[0];
        let (inputs, mut nodes, _) = graph.clone().into_parts();
        nodes.pop();
        model.graph = Graph::new(inputs, nodes, vec![before])?;
    }
    Ok(model)
}

fn explain(error: FinetuneError) -> Failure {
    match error {
        FinetuneError::Engine(error @ EngineError::Unsupported(_)) => {
            Failure { code: exit::INPUT, message: format!("--finetune: {error}") }
        }
        FinetuneError::Engine(error) => failure(error),
        error => Failure { code: exit::INPUT, message: error.to_string() },
    }
}
