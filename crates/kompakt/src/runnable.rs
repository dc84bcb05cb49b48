//! Any model on the command line as bytes that the loader runs: packed files as they are, ONNX and models of the
//! stages packed without loss.

use crate::{
    foreign,
    network::{Source, failed},
    packed,
};
use anyhow::{Context, Result};
use kompakt_prep::Pipeline;
use std::{io::Read, path::Path};

/// See the [module page](self).
pub(crate) struct Runnable {
    /// A container.
    pub(crate) bytes: Vec<u8>,
    /// Its preprocessing of raw images.
    pub(crate) steps: Option<Pipeline>,
    /// Names of its classes.
    pub(crate) labels: Vec<String>,
}

impl Runnable {
    /// Opens a model; a packed one is checked completely.
    pub(crate) fn open(source: &Source) -> Result<Self> {
        let path = source.path();
        foreign::refuse(path)?;
        if path != Path::new("-") && is_packed(path)? {
            let bytes = packed::read(path)?;
            let container = packed::parse(path, &bytes)?;
            container.verify().map_err(|e| packed::broken(path, &e))?;
            let steps = container.pipeline().cloned();
            let labels = container.labels().map_err(|e| packed::broken(path, &e))?;
            return Ok(Self { bytes, steps, labels });
        }
        let model = source.read()?;
        let steps = match &model.preprocessing {
            None => None,
            Some(json) => Some(serde_json::from_value(json.clone()).context("the model's preprocessing")?),
        };
        let bytes = kompakt_compress::runnable(&model).map_err(failed)?;
        Ok(Self { bytes, steps, labels: model.labels })
    }
}

/// Whether a file begins as a container does.
pub(crate) fn is_packed(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    std::fs::File::open(path)
        .with_context(|| format!("cannot open {}", path.display()))?
        .take(kompakt_format::MAGIC.len() as u64)
        .read_to_end(&mut start)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(start == kompakt_format::MAGIC)
}
