//! `kompakt report`: the HTML page of a pipeline run.

use anyhow::{Context, Result};
use kompakt_checkpoint::stage::Output;
use kompakt_report::{Evidence, html};
use std::path::PathBuf;

/// Make one HTML page of a run of the pipeline: sizes, errors, weights, where the bytes are
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The summary.json that the run left; the models lie beside it
    summary: PathBuf,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let evidence = Evidence::read(&arguments.summary)?;
    let page = html(&evidence)?;
    arguments.output.write_with(|path| std::fs::write(path, &page).context("writing the page"))
}
