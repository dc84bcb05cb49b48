//! The command line of `kompakt-finetune`.

use super::Stage;
use crate::{
    epoch_progress::EpochProgress,
    failure::{IntoAnyhow, failure},
    input::{Input, present},
    options::{DataArgs, RecipeArgs, TeacherArgs},
    output::Output,
};
use anyhow::Result;
use kompakt_engine::CentroidGradient;
use kompakt_model::StageRecord;
use kompakt_training::{
    Outcome, Recipe,
    finetune::{FinetuneError, Options, Select, finetune},
};
use std::{io::Write, path::PathBuf};

/// Fine-tune a network with shared weights: train its centroids and biases, codes and masks held.
///
/// Choices are made on the validation split; the test split is never read.
#[derive(Debug, clap::Parser)]
#[command(
    name = "kompakt-finetune",
    version,
    after_help = "Example:\n  \
    kompakt-cluster pruned.safetensors --bits 8,8,5,5 | kompakt-finetune --data mnist | kompakt-pack -o lenet5.kompakt"
)]
pub struct Args {
    /// Where the model comes from
    #[command(flatten)]
    pub input: Input,
    /// What a centroid's gradient is made of the gradients of its weights
    #[arg(long, value_enum, default_value_t = GradientName::Sum)]
    pub centroid_grad: GradientName,
    /// Which epoch goes out: the last, or the best on the validation split (the model as it came in included)
    #[arg(long, value_enum, default_value_t = SelectName::Best)]
    pub select: SelectName,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Where the data come from
    #[command(flatten)]
    pub data: DataArgs,
    /// How to train
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Whom to learn from
    #[command(flatten)]
    pub teacher: TeacherArgs,
    /// Where the result goes
    #[command(flatten)]
    pub output: Output,
}

/// What a centroid's gradient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GradientName {
    /// Their sum, which is the gradient of the loss by the centroid (the paper's).
    Sum,
    /// Their mean.
    Mean,
}

/// Which epoch goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SelectName {
    /// The last one.
    Last,
    /// The best one.
    Best,
}

/// Separates this stage's random numbers from those of the stages before, which had the same seed.
const STREAM: u64 = 0x6669_6e65_0000_0000;

impl Stage for Args {
    const PROGRAM: &str = "kompakt-finetune";

    fn run(&self) -> Result<()> {
        let mut inputs = self.input.files();
        inputs.push(self.data.path());
        inputs.extend(self.teacher.teacher.iter().map(PathBuf::as_path));
        self.output.check(&inputs)?;
        present(&self.input.files())?;
        self.data.present()?;
        let mut model = self.input.read()?;
        if !model.is_clustered() {
            return Err(FinetuneError::NotShared.into_anyhow());
        }
        let input = model.content_hash();
        let mut recipe = self.recipe.recipe(Recipe::of_trained(&model, 4, 8)).map_err(failure)?;
        let loss = self.teacher.loss(&mut recipe, &model.graph, model.preprocessing.as_ref())?;
        let record = self.record(&recipe);
        recipe.options.seed = recipe.options.seed.wrapping_add(STREAM);
        let data = self.data.feeds_for(&model, recipe.augmentation, recipe.options.seed)?;
        let options = Options {
            centroid_gradient: match self.centroid_grad {
                GradientName::Sum => CentroidGradient::Sum,
                GradientName::Mean => CentroidGradient::Mean,
            },
            select: match self.select {
                SelectName::Last => Select::Last,
                SelectName::Best => Select::Best,
            },
            train: recipe.options.clone(),
            threads: self.recipe.threads,
        };
        crate::allocator::keep_freed_pages();
        let mut progress = EpochProgress::new(Self::PROGRAM, options.train.epochs, self.quiet);
        let outcome = finetune(&mut model, &options, &data.with(&*loss), &mut progress)
            .map_err(FinetuneError::into_anyhow)?;
        drop(progress);
        let record = outcome.record(record).measure("epoch", outcome.epoch as f64);
        model.record(record, Some(input));
        self.output.write(&model)?;
        self.conclude(&outcome)
    }
}

impl Args {
    fn record(&self, recipe: &Recipe) -> StageRecord {
        let record = StageRecord::new("kompakt-finetune", env!("CARGO_PKG_VERSION"))
            .option("centroid_grad", if self.centroid_grad == GradientName::Sum { "sum" } else { "mean" })
            .option("select", if self.select == SelectName::Best { "best" } else { "last" });
        recipe.record(self.data.record(record))
    }

    fn conclude(&self, outcome: &Outcome) -> Result<()> {
        if let (false, Some(before), Some(after)) = (self.quiet, outcome.before, outcome.after) {
            writeln!(
                std::io::stderr().lock(),
                "kompakt-finetune: validation error {:.2} % before, {:.2} % after (epoch {})",
                100.0 * before.error(),
                100.0 * after.error(),
                outcome.epoch
            )?;
        }
        Ok(())
    }
}
