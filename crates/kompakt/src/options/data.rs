//! The data set that a program trains on.

use crate::{failure::data_failure, process::Failure};
use kompakt_data::{Augmentation, Dataset, Feed, Split, load};
use kompakt_model::{Model, StageRecord};
use kompakt_prep::Pipeline;
use std::path::Path;

/// Which data set. Failures bring the exit code that a stage ends with.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// A known name (mnist, fashion-mnist, cifar10, digits) or a path to a data set
    #[arg(long, value_name = "NAME|PATH", default_value = "mnist")]
    pub data: String,
    /// Take only the first N training images (for trials)
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Train on the validation images too; there is no validation error then
    #[arg(long)]
    pub all: bool,
}

/// What a network is trained on, and what choices are made on.
#[derive(Debug, Clone)]
pub struct Feeds {
    /// Training images, augmented and prepared.
    pub train: Feed,
    /// Validation images, prepared; none if they are trained on.
    pub validation: Option<Feed>,
}

#[cfg(feature = "train")]
impl Feeds {
    /// The same, for training with this loss.
    pub fn with<'a>(&'a self, loss: &'a dyn kompakt_engine::Loss) -> kompakt_training::Data<'a> {
        let validation = self.validation.as_ref().map(|v| v as &dyn kompakt_engine::Examples);
        kompakt_training::Data { training: &self.train, validation, loss }
    }
}

impl DataArgs {
    /// Refuses, before anything else is done, data that is missing.
    pub fn present(&self) -> Result<(), Failure> {
        kompakt_data::find(&self.data).map_err(data_failure)
    }

    /// The file or folder that is read, if it is one.
    pub fn path(&self) -> &Path {
        Path::new(&self.data)
    }

    /// Records in a stage's history which examples are trained on. A path is not part of a record.
    pub fn record(&self, record: StageRecord) -> StageRecord {
        let is_known = kompakt_data::NAMES.contains(&self.data.as_str());
        let record =
            record.option("data", if is_known { self.data.as_str() } else { "file" }).option("all", self.all);
        match self.limit {
            Some(n) => record.option("limit", n),
            None => record,
        }
    }

    /// The training images, unprocessed.
    pub fn load_train(&self) -> Result<Dataset, Failure> {
        let split = if self.all { Split::TrainAndValidation } else { Split::Train };
        let data = load(&self.data, split).map_err(data_failure)?;
        Ok(match self.limit {
            Some(n) => data.first(n),
            None => data,
        })
    }

    /// Training images (`train`, from [`DataArgs::load_train`]) and validation images for a network with these steps;
    /// `None` for one without preprocessing.
    ///
    /// Errors: a missing data set, or one that the steps do not fit.
    pub fn feeds(
        &self,
        train: Dataset,
        steps: Option<&Pipeline>,
        augmentation: Augmentation,
        seed: u64,
    ) -> Result<Feeds, Failure> {
        let nothing = Pipeline::new(&train.dims(), vec![]).map_err(|e| data_failure(e.into()))?;
        let steps = steps.unwrap_or(&nothing);
        let train = Feed::new(train, steps, augmentation, seed).map_err(data_failure)?;
        let validation = if self.all {
            None
        } else {
            let data = load(&self.data, Split::Validation).map_err(data_failure)?;
            Some(Feed::new(data, steps, Augmentation::default(), seed).map_err(data_failure)?)
        };
        Ok(Feeds { train, validation })
    }

    /// Training and validation images for a model of the interchange, with the steps that it carries.
    ///
    /// Errors: as [`DataArgs::feeds`], and steps that cannot be parsed.
    pub fn feeds_for(&self, model: &Model, augmentation: Augmentation, seed: u64) -> Result<Feeds, Failure> {
        let steps = model.preprocessing.as_ref().map(|json| {
            serde_json::from_value::<Pipeline>(json.clone())
                .map_err(|e| Failure::input(format!("the model's preprocessing is not readable: {e}")))
        });
        self.feeds(self.load_train()?, steps.transpose()?.as_ref(), augmentation, seed)
    }
}
