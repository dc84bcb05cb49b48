//! `kompakt sense`: what errors in each layer would do.

use crate::{
    compress::write_scan,
    network::{Calibration, Source, failed, with_bar},
};
use anyhow::Result;
use kompakt_compress::sense;
use std::{io::Write, path::PathBuf};

/// Show how many bits each layer needs, and with --data what errors in it do to the answers
///
/// One line a layer: its weights, its sensitivity (how much of the answers' energy becomes error for each part of the layer's
/// energy that does), and the bits a weight and the share of weights kept at some errors.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  kompakt sense model.onnx --data photos/ --scan model.scan.json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    calibration: Calibration,
    /// Keep the scan in this file, for `kompakt compress --scan`
    #[arg(long, value_name = "FILE")]
    scan: Option<PathBuf>,
    /// Print the scan as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut model = arguments.source.read()?;
    let images = arguments.calibration.read(&mut model)?;
    let scan = with_bar(|progress| sense(&model, images.as_ref().map(|i| &i.0), progress)).map_err(failed)?;
    if let Some(path) = &arguments.scan {
        write_scan(path, &scan)?;
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&scan)?)?;
    } else {
        write!(out, "{}", scan.table())?;
    }
    Ok(())
}
