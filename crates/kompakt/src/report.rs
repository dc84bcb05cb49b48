//! `kompakt report`: the HTML page of a pipeline run.

use crate::{
    failure::IntoAnyhow,
    output::Output,
    packed,
    progress::{begin, tell},
};
use anyhow::{Context, Result};
use kompakt_pack::{
    PackError,
    account::{Account, ParameterRow},
};
use kompakt_report::{Evidence, LayerBytes, html};
use std::path::{Path, PathBuf};

/// Make one HTML page of a run of the pipeline: sizes, errors, weights, where the bytes are
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The summary.json that the run left; the models lie beside it
    summary: PathBuf,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    arguments.output.check(&[&arguments.summary])?;
    let mut evidence = Evidence::read(&arguments.summary)?;
    let models: Vec<PathBuf> =
        evidence.summary.rows.iter().map(|row| arguments.summary.with_file_name(&row.file)).collect();
    let inputs: Vec<&Path> = models.iter().chain([&arguments.summary]).map(PathBuf::as_path).collect();
    arguments.output.check(&inputs)?;
    if let Some(row) = evidence.summary.rows.iter().rev().find(|row| row.file.ends_with(".kompakt")) {
        let path = arguments.summary.with_file_name(&row.file);
        let _shown = begin(false, &[]);
        tell("counting", f64::NAN);
        let bytes = packed::read(&path)?;
        let account = Account::of(&packed::parse(&path, &bytes)?).map_err(PackError::into_anyhow)?;
        evidence.bytes = layer_bytes(&account);
    }
    let page = html(&evidence)?;
    arguments.output.write_with(|path| std::fs::write(path, &page).context("writing the page"))
}

/// The rows of `kompakt inspect` as the report draws them: one row per parameter, one for the directory, one
/// for the sections that `--minimal` leaves out. They add up to the file.
fn layer_bytes(account: &Account) -> Vec<LayerBytes> {
    let mut layers: Vec<LayerBytes> = account.parameters.iter().map(parameter_bytes).collect();
    for (name, is_ancillary) in [("directory", false), ("ancillary", true)] {
        let rows = account.others.iter().filter(|row| row.is_ancillary == is_ancillary);
        let n_bytes: usize = rows.map(|row| row.bytes).sum();
        layers.push(LayerBytes { name: name.to_string(), parts: vec![(name.to_string(), n_bytes as u64)] });
    }
    layers
}

fn parameter_bytes(row: &ParameterRow) -> LayerBytes {
    let codes = if row.map_bytes.is_some() { "codes" } else { "map and codes" };
    let parts = [
        ("map", row.map_bytes.unwrap_or(0)),
        (codes, row.codes_bytes),
        ("numbers", row.numbers_bytes),
        ("overhead", row.overhead_bytes),
    ];
    let parts =
        parts.into_iter().filter(|(_, n)| *n > 0).map(|(kind, n)| (kind.to_string(), n as u64)).collect();
    LayerBytes { name: row.name.clone(), parts }
}
