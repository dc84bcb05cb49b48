//! Training options: how the command line overrides a stage's defaults.
#![allow(rustdoc::broken_intra_doc_links, reason = "help texts have optional parts in brackets")]

use kompakt_data::Augmentation;
use kompakt_engine::{EngineError, Optimizer, Schedule, TrainOptions};
use kompakt_training::Recipe;

/// Options that change a [`Recipe`].
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Training")]
pub struct RecipeArgs {
    /// How often every example is seen
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Examples a step
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Base learning rate
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f32>,
    /// sgd[:MOMENTUM], nesterov[:MOMENTUM], adam[:BETA1:BETA2:EPSILON], adamw[:…]
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<Optimizer>,
    /// constant, cosine[:LAST_FACTOR], step:EPOCHS:FACTOR
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<Schedule>,
    /// Epochs over which the learning rate rises from 0
    #[arg(long, value_name = "EPOCHS")]
    pub warmup: Option<f32>,
    /// Decay of weights (biases and batch norms are left alone)
    #[arg(long, value_name = "X")]
    pub weight_decay: Option<f32>,
    /// Largest norm of a step's gradient
    #[arg(long, value_name = "X")]
    pub clip_norm: Option<f32>,
    /// Part of the target that is spread over all classes
    #[arg(long, value_name = "0..1")]
    pub label_smoothing: Option<f32>,
    /// Keep the running mean of the weights instead of the last ones: what is left of it at a step, such as 0.999
    #[arg(long, value_name = "0..1")]
    pub average: Option<f32>,
    /// Changes made to images in training: none, or
    /// shift=2,rotate=10,scale=0.1,shear=0.2,elastic=1,flip=0.5,cutout=8,mixup=0.2
    #[arg(long, value_name = "LIST")]
    pub augment: Option<Augmentation>,
    /// What all random numbers come from; without it the seed that the model came with, or 1
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Threads; 0 takes all cores. The result does not depend on it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
}

impl RecipeArgs {
    /// The defaults, overridden by the options given.
    ///
    /// Errors: values out of range.
    pub fn recipe(&self, defaults: Recipe) -> Result<Recipe, EngineError> {
        let d = defaults.options;
        let options = TrainOptions {
            epochs: self.epochs.unwrap_or(d.epochs),
            batch: self.batch.unwrap_or(d.batch),
            learning_rate: self.lr.unwrap_or(d.learning_rate),
            optimizer: self.optimizer.unwrap_or(d.optimizer),
            schedule: self.schedule.unwrap_or(d.schedule),
            warmup_epochs: self.warmup.unwrap_or(d.warmup_epochs),
            weight_decay: self.weight_decay.unwrap_or(d.weight_decay),
            clip_norm: self.clip_norm.or(d.clip_norm),
            average: self.average.unwrap_or(d.average),
            seed: self.seed.unwrap_or(d.seed),
        };
        options.check()?;
        let label_smoothing = self.label_smoothing.unwrap_or(defaults.label_smoothing);
        if !(0.0..1.0).contains(&label_smoothing) {
            let problem = "must be at least 0 and below 1".to_string();
            return Err(EngineError::Option { name: "label smoothing", problem });
        }
        let augmentation = self.augment.unwrap_or(defaults.augmentation);
        Ok(Recipe { options, label_smoothing, augmentation, teaching: None })
    }

    /// Whether any option is given that only training uses (a seed and threads are always allowed).
    pub fn is_used(&self) -> bool {
        self.epochs.is_some()
            || self.batch.is_some()
            || self.lr.is_some()
            || self.optimizer.is_some()
            || self.schedule.is_some()
            || self.warmup.is_some()
            || self.weight_decay.is_some()
            || self.clip_norm.is_some()
            || self.average.is_some()
            || self.label_smoothing.is_some()
            || self.augment.is_some()
    }
}
