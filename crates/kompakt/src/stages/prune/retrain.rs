//! The options of retraining.

use super::Args;
use crate::{
    epoch_progress::EpochProgress,
    failure::{IntoAnyhow, failure},
    options::{DataArgs, RecipeArgs},
    process::Failure,
    stages::Stage,
};
use anyhow::Result;
use kompakt_model::{Model, StageRecord};
use kompakt_prune::{PruneError, Regrowth, Schedule, Target};
use kompakt_training::{
    Recipe,
    retrain::{Options, RetrainError, retrain},
};
use std::fmt;

/// Options of retraining.
#[derive(Debug, Clone, clap::Args)]
pub struct RetrainArgs {
    /// Retrain on a known data set (mnist, fashion-mnist, cifar10, digits) or a path to one
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data")]
    pub data: Option<String>,
    /// Take only the first N training images (for trials)
    #[arg(long, value_name = "N", help_heading = "Data", requires = "data")]
    pub limit: Option<usize>,
    /// Train on the validation images too; there is no validation error then
    #[arg(long, help_heading = "Data", requires = "data")]
    pub all: bool,
    /// When weights go
    #[arg(long, value_enum, default_value_t = Pruning::Gradual, requires = "data", help_heading = "Retraining")]
    pub pruning: Pruning,
    /// How many times weights are cut (iterative)
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Retraining")]
    pub rounds: usize,
    /// Part of the epochs during which weights go (gradual)
    #[arg(long, value_name = "0..1", default_value_t = 0.5, help_heading = "Retraining")]
    pub ramp: f64,
    /// Let pruned connections come back: at first this share of the kept ones moves at each update
    #[arg(long, value_name = "0..1", num_args = 0..=1, default_missing_value = "0.3", help_heading = "Retraining")]
    pub regrow: Option<f64>,
    /// How to train meanwhile
    #[command(flatten)]
    pub recipe: RecipeArgs,
}

/// When weights go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pruning {
    /// At once, before retraining.
    OneShot,
    /// In rounds, retrained between.
    Iterative,
    /// Little by little while training goes on (Zhu, Gupta 2017).
    Gradual,
}

impl fmt::Display for Pruning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneShot => "one-shot",
            Self::Iterative => "iterative",
            Self::Gradual => "gradual",
        })
    }
}

/// Mask updates per epoch.
const UPDATES_PER_EPOCH: usize = 8;

/// The part of the training after which no connection comes back.
const REGROW_UNTIL: f64 = 0.75;

/// Separates this stage's random numbers from those of the stage before, which had the same seed.
const STREAM: u64 = 0x7072_756e_6500_0000;

impl RetrainArgs {
    /// Refuses options of retraining where there is none.
    pub(super) fn check_unused(&self) -> Result<()> {
        if self.regrow.is_some() || self.recipe.is_used() {
            let message = "without --data nothing is retrained, and the options of retraining have no use";
            return Err(Failure::usage(message).into());
        }
        Ok(())
    }

    /// Prunes and retrains; returns its record.
    pub(super) fn run(&self, args: &Args, model: &mut Model, target: &Target) -> Result<StageRecord> {
        // More epochs without convolutions, because an epoch is cheap then.
        let mut recipe = self.recipe.recipe(Recipe::of_trained(model, 15, 40)).map_err(failure)?;
        let schedule = match self.pruning {
            Pruning::OneShot => Schedule::OneShot,
            Pruning::Iterative => Schedule::Iterative { rounds: self.rounds },
            Pruning::Gradual => Schedule::Gradual { ramp: self.ramp },
        };
        schedule.check().map_err(PruneError::into_anyhow)?;
        let data = DataArgs { data: self.data.clone().unwrap_or_default(), limit: self.limit, all: self.all };
        let record = self.record(&recipe, data.record(args.record(model, target)));
        recipe.options.seed = recipe.options.seed.wrapping_add(STREAM);
        let data = data.feeds_for(model, recipe.augmentation, recipe.options.seed)?;
        let options = Options {
            target: target.clone(),
            block: args.block,
            schedule,
            updates_per_epoch: UPDATES_PER_EPOCH,
            regrowth: self.regrow.map(|first| Regrowth { first, until: REGROW_UNTIL }),
            train: recipe.options.clone(),
            threads: self.recipe.threads,
        };
        crate::allocator::keep_freed_pages();
        let mut progress = EpochProgress::new(Args::PROGRAM, options.train.epochs, args.quiet);
        let loss = recipe.loss();
        let outcome =
            retrain(model, &options, &data.with(&loss), &mut progress).map_err(RetrainError::into_anyhow)?;
        drop(progress);
        args.drop_dead_units(model)?;
        if let (Some(before), Some(after)) = (outcome.before, outcome.after) {
            let (before, after) = (100.0 * before.error(), 100.0 * after.error());
            args.say(&format!("validation error {before:.2} % before, {after:.2} % after"))?;
        }
        Ok(outcome.record(record))
    }

    fn record(&self, recipe: &Recipe, record: StageRecord) -> StageRecord {
        let record = recipe
            .record(record)
            .option("pruning", self.pruning)
            .option("regrow", self.regrow.map_or("none".to_string(), |r| r.to_string()));
        match self.pruning {
            Pruning::OneShot => record,
            Pruning::Iterative => record.option("rounds", self.rounds),
            Pruning::Gradual => record.option("ramp", self.ramp),
        }
    }
}
