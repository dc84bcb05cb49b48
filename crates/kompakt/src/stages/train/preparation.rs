//! The steps that `--prep` selects.

use crate::process::Failure;
use anyhow::{Context, Result};
use kompakt_data::{Dataset, parse_steps};
use kompakt_prep::Pipeline;
use std::path::Path;

/// The steps that `asked` denotes (a preset, a JSON list of steps, or a file with one), for these training
/// images.
///
/// If none is given: the steps that the images were prepared by, if any.
pub(super) fn preparation(asked: Option<&str>, data: &Dataset) -> Result<Option<Pipeline>> {
    let Some(asked) = asked else { return Ok(data.prepared().cloned()) };
    let file = Path::new(asked);
    let text = if file.is_file() {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {asked}"))?
    } else {
        asked.to_string()
    };
    let usage = |e: kompakt_data::DataError| Failure::usage(format!("--prep: {e}"));
    let steps = parse_steps(text.trim(), data).map_err(usage)?;
    Ok((!steps.is_identity()).then_some(steps))
}
