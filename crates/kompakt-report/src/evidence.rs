//! The files of one run, read.

use crate::{error::ReportError, summary::Summary};
use kompakt_model::Model;
use std::{
    fs::{self, File},
    path::Path,
};

/// Bytes of one parameter in the packed file, by kind.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerBytes {
    /// `conv1.weight`; or what else takes room (`directory`, `provenance`).
    pub name: String,
    /// `("zero map", 812)`, `("codes", 400)`, …; they add up to what the parameter takes.
    pub parts: Vec<(String, u64)>,
}

/// All that a report shows.
pub struct Evidence {
    /// The table.
    pub summary: Summary,
    /// The model after each stage that leaves one, with the stage's name, in order.
    pub models: Vec<(String, Model)>,
    /// Where the bytes of the packed file are; the caller takes this from the container.
    pub bytes: Vec<LayerBytes>,
}

impl Evidence {
    /// Reads a summary and the models that it names (relative to it). `bytes` stays empty.
    pub fn read(summary: &Path) -> Result<Self, ReportError> {
        let text = fs::read_to_string(summary)
            .map_err(|source| ReportError::Read { path: summary.to_path_buf(), source })?;
        let parsed: Summary = serde_json::from_str(&text)
            .map_err(|source| ReportError::Summary { path: summary.to_path_buf(), source })?;
        let folder = summary.parent().unwrap_or(Path::new("."));
        let mut models = Vec::new();
        for row in parsed.rows.iter().filter(|row| row.file.ends_with(".safetensors")) {
            let path = folder.join(&row.file);
            let file =
                File::open(&path).map_err(|source| ReportError::Read { path: path.clone(), source })?;
            let model = Model::read(file, None).map_err(|source| ReportError::Model { path, source })?;
            models.push((row.stage.clone(), model));
        }
        Ok(Self { summary: parsed, models, bytes: Vec::new() })
    }

    /// The model that the first stage left.
    pub(crate) fn first(&self) -> Option<&Model> {
        self.models.first().map(|(_, model)| model)
    }

    /// The model that the last stage left.
    pub(crate) fn last(&self) -> Option<&Model> {
        self.models.last().map(|(_, model)| model)
    }
}
