//! How to train, as a recipe that goes into a model's history.

use crate::Teaching;
use kompakt_data::Augmentation;
use kompakt_engine::{CrossEntropy, Optimizer, TrainOptions};
use kompakt_model::{Model, StageRecord};

/// All that determines how a network is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Epochs, optimiser, schedule, seed.
    pub options: TrainOptions,
    /// Part of the target spread over all classes.
    pub label_smoothing: f32,
    /// What is done to images.
    pub augmentation: Augmentation,
    /// Whom the network learns from besides the labels.
    pub teaching: Option<Teaching>,
}

impl Recipe {
    /// Further training of a trained model: Adam at a constant rate, with the model's own seed and
    /// augmentation.
    ///
    /// `convolutional` and `other` are epochs of networks with and without convolutions: an epoch of the latter is
    /// cheap.
    pub fn of_trained(model: &Model, convolutional: usize, other: usize) -> Self {
        let is_convolutional = model.graph.weights().any(|p| p.shape.len() > 2);
        let (epochs, batch) = if is_convolutional { (convolutional, 64) } else { (other, 128) };
        Self {
            options: TrainOptions {
                epochs,
                batch,
                learning_rate: 1e-3,
                optimizer: Optimizer::ADAM,
                seed: model.seed().unwrap_or(1),
                ..TrainOptions::default()
            },
            label_smoothing: 0.0,
            augmentation: Self::augmentation_of(model).unwrap_or_default(),
            teaching: None,
        }
    }

    /// What the latest stage that trained the model did to images, if one did: what a later stage goes on with.
    pub fn augmentation_of(model: &Model) -> Option<Augmentation> {
        model.provenance.iter().rev().find_map(|record| record.options.get("augment")?.parse().ok())
    }

    /// The loss by the labels.
    pub fn loss(&self) -> CrossEntropy {
        CrossEntropy { label_smoothing: self.label_smoothing }
    }

    /// Writes every option into a stage's record, in one form whatever the command line looked like.
    pub fn record(&self, record: StageRecord) -> StageRecord {
        let o = &self.options;
        let mut record = record
            .option("epochs", o.epochs)
            .option("batch", o.batch)
            .option("lr", o.learning_rate)
            .option("optimizer", o.optimizer)
            .option("schedule", o.schedule)
            .option("warmup", o.warmup_epochs)
            .option("weight_decay", o.weight_decay)
            .option("clip_norm", o.clip_norm.map_or("none".to_string(), |c| c.to_string()))
            .option("label_smoothing", self.label_smoothing)
            .option("augment", self.augmentation);
        if o.average > 0.0 {
            record = record.option("average", o.average);
        }
        if let Some(teaching) = &self.teaching {
            record = record
                .option("teachers", teaching.teachers.join(","))
                .option("distill", teaching.share)
                .option("temperature", teaching.temperature);
        }
        record.seed = Some(o.seed);
        record
    }
}
