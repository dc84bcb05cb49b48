//! Teachers: networks whose answers another one learns.

use crate::{failure::failure, process::Failure};
use anyhow::{Context, Result};
use kompakt_engine::Loss;
use kompakt_graph::Graph;
use kompakt_model::{Model, ModelFile};
use kompakt_training::{Recipe, Taught};
use std::{fs::File, path::PathBuf};

/// Whom to learn from.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Teacher")]
pub struct TeacherArgs {
    /// Models to learn from, with the same inputs, preprocessing and classes; the scores of several are averaged
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    pub teacher: Vec<PathBuf>,
    /// The teachers' part of the loss, 0 to 1 [default: 0.7]
    #[arg(long, value_name = "0..1", requires = "teacher")]
    pub distill: Option<f32>,
    /// What scores are divided by before teachers and network are compared [default: 3]
    #[arg(long, value_name = "T", requires = "teacher")]
    pub temperature: Option<f32>,
}

impl TeacherArgs {
    /// The loss of a recipe, by the teachers too where there are any: the recipe says so from then on.
    ///
    /// Errors: teachers that cannot be read, or do not fit the network.
    pub fn loss(
        &self,
        recipe: &mut Recipe,
        graph: &Graph,
        steps: Option<&serde_json::Value>,
    ) -> Result<Box<dyn Loss>> {
        if self.teacher.is_empty() {
            return Ok(Box::new(recipe.loss()));
        }
        let read = |path: &PathBuf| -> Result<Model> {
            let what = || path.display().to_string();
            let file =
                File::open(path).map_err(|e| Failure::input(format!("cannot open {}: {e}", what())))?;
            ModelFile::open(file, None).and_then(ModelFile::into_model).with_context(what)
        };
        let teachers = self.teacher.iter().map(read).collect::<Result<Vec<_>>>()?;
        let how = (self.distill.unwrap_or(0.7), self.temperature.unwrap_or(3.0));
        let classes = graph.shape(graph.outputs()[0]).iter().product();
        let (loss, teaching) =
            Taught::new(recipe.loss(), &teachers, how, (graph.shape(0), classes), steps).map_err(failure)?;
        recipe.teaching = Some(teaching);
        Ok(Box::new(loss))
    }
}
