//! The command line of `kompakt-train`.

mod preparation;
mod source;

use super::Stage;
use crate::{
    epoch_progress::EpochProgress,
    failure::{IntoAnyhow, failure},
    options::{DataArgs, RecipeArgs, TeacherArgs},
    output::Output,
    process::Failure,
};
use anyhow::Result;
use kompakt_training::train::{Plan, Projection, TrainError, defaults, train};
use preparation::preparation;
use source::{graph_of, is_there};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Train a network and write it as a model that the other stages read.
///
/// The model goes to stdout (or to -o FILE), all talk to stderr. Defaults of the training options depend on the
/// network. Choices are made on the validation split; the test split is never read.
#[derive(Debug, clap::Parser)]
#[command(
    name = "kompakt-train",
    version,
    args_override_self = true,
    after_help = "Example:\n  \
    kompakt-train --net lenet5 --data mnist --seed 1 | kompakt-prune --density 0.08 --data mnist > pruned.safetensors"
)]
pub struct Args {
    /// lenet-300-100, lenet5, resnet20, mlp, or a graph file (spec/interchange.md)
    #[arg(long, value_name = "NAME|FILE")]
    pub net: String,
    /// Widths of the hidden layers of mlp and lenet-300-100
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    pub hidden: Vec<usize>,
    /// Preprocessing: none, normalize, deskew, features, or steps as JSON, also in a file. Recorded in the model
    #[arg(long, value_name = "NAME|FILE")]
    pub prep: Option<String>,
    /// Begin with a linear layer `pca`: this many principal components of the prepared training images. It is trained,
    /// pruned, shared and counted like any other
    #[arg(long, value_name = "COMPONENTS")]
    pub pca: Option<usize>,
    /// Probability of dropout after hidden linear layers, in training
    #[arg(long, value_name = "0..1", help_heading = "Training")]
    pub dropout: Option<f32>,
    /// Leave batch norms in the network instead of folding them into the layers before them
    #[arg(long)]
    pub keep_batch_norm: bool,
    /// Keep the state here after every epoch; a later run of the same command goes on from it
    #[arg(long, value_name = "FILE", help_heading = "Training")]
    pub checkpoint: Option<PathBuf>,
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
    /// Where the model goes
    #[command(flatten)]
    pub output: Output,
}

impl Stage for Args {
    const PROGRAM: &str = "kompakt-train";

    fn run(&self) -> Result<()> {
        let named = [Some(self.net.as_str()), self.prep.as_deref()].into_iter().flatten().map(Path::new);
        let inputs = named.chain([self.data.path()]).chain(self.checkpoint.as_deref());
        let inputs: Vec<&Path> = inputs.chain(self.teacher.teacher.iter().map(PathBuf::as_path)).collect();
        self.output.check(&inputs)?;
        is_there(&self.net)?;
        self.data.present()?;
        let mut defaults = defaults(&self.net);
        let raw = self.data.load_train()?;
        let steps = preparation(self.prep.as_deref(), &raw)?;
        let input = steps.as_ref().map_or(raw.dims(), |s| s.output_shape().dims());
        if raw.dims().len() != 3 || raw.prepared().is_some() {
            // Only raw images can be augmented.
            defaults.recipe.augmentation = kompakt_data::Augmentation::default();
        }
        let mut recipe = self.recipe.recipe(defaults.recipe).map_err(failure)?;
        let dropout = self.dropout.unwrap_or(defaults.dropout);
        if !(0.0..1.0).contains(&dropout) {
            return Err(Failure::usage(format!("--dropout {dropout}: must be at least 0 and below 1")).into());
        }
        let pca = |error: TrainError| match error {
            TrainError::Components(_) => Failure::usage(format!("--pca: {error}")).into(),
            error => error.into_anyhow().context("--pca"),
        };
        let projection =
            self.pca.map(|n| Projection::fit(&raw, steps.as_ref(), n)).transpose().map_err(pca)?;
        let graph = match &projection {
            None => graph_of(&self.net, &self.hidden, &input, raw.n_classes())?,
            Some(projection) => {
                let behind = [projection.n_components()];
                let graph = graph_of(&self.net, &self.hidden, &behind, raw.n_classes())?;
                projection.before(&graph, &input).map_err(pca)?
            }
        };
        if let Some(projection) = projection.as_ref().filter(|_| !self.quiet) {
            let (n, percent) = (projection.n_components(), 100.0 * projection.explained);
            writeln!(
                std::io::stderr().lock(),
                "kompakt-train: {n} components hold {percent:.2} % of the variance"
            )?;
        }
        let json = steps.as_ref().map(serde_json::to_value).transpose()?;
        let loss = self.teacher.loss(&mut recipe, &graph, json.as_ref())?;
        let plan = Plan {
            graph,
            projection,
            net: recorded_name(&self.net, &kompakt_graph::networks::NAMES),
            data: recorded_name(&self.data.data, &kompakt_data::NAMES),
            labels: raw.classes().to_vec(),
            keep_batch_norm: self.keep_batch_norm,
            steps,
            recipe,
            dropout,
        };
        let data =
            self.data.feeds(raw, plan.steps.as_ref(), plan.recipe.augmentation, plan.recipe.options.seed)?;
        crate::allocator::keep_freed_pages();
        let mut progress = EpochProgress::new(Self::PROGRAM, plan.recipe.options.epochs, self.quiet);
        let (threads, checkpoint) = (self.recipe.threads, self.checkpoint.as_deref());
        let model = train(&plan, &data.with(&*loss), threads, checkpoint, &mut progress)
            .map_err(TrainError::into_anyhow)?;
        drop(progress);
        self.output.write(&model)?;
        self.conclude(&model)
    }
}

impl Args {
    fn conclude(&self, model: &kompakt_model::Model) -> Result<()> {
        if self.quiet {
            return Ok(());
        }
        let mut text = format!("{} parameters", model.dense_parameters);
        if let Some(error) = model.provenance.last().and_then(|r| r.measured.get("validation_error")) {
            text += &format!(", validation error {:.2} %", 100.0 * error);
        }
        writeln!(std::io::stderr().lock(), "kompakt-train: {text}")?;
        Ok(())
    }
}

/// A known name unchanged; anything else is a path, which is not part of a record.
fn recorded_name(name: &str, known: &[&str]) -> String {
    if known.contains(&name) || !Path::new(name).exists() { name.to_string() } else { "file".to_string() }
}
