//! `kompakt sense`: the sensitivity of each layer.

use crate::{
    calibration::Calibration,
    compress::write_scan,
    input::present,
    network::{Source, failed},
    output::Output,
    progress::{Steps, begin, tell},
};
use anyhow::{Context, Result};
use kompakt_compress::{SHOWN, Scan, sense};
use kompakt_report::{LayerNeed, layer_needs};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Show how many bits each layer needs, and what errors in it do to the answers
///
/// One line a layer: its weights, its sensitivity (how much of the answers' energy becomes error for each part of the layer's
/// energy that does), and the bits a weight and the share of weights kept at some errors. Without --data the network
/// is measured on synthetic images; then sensitivities only compare layers, and their mean is 1.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  kompakt sense model.onnx --data photos/ --scan model.scan.json --plot model.svg"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    calibration: Calibration,
    /// Keep the scan in this file, for `kompakt compress --scan`
    #[arg(long, value_name = "FILE")]
    scan: Option<PathBuf>,
    /// Plot it as an SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print the scan as JSON
    #[arg(long)]
    json: bool,
}

const STEPS: Steps = &[
    ("reading", 1.0),
    ("checking the import", 1.0),
    ("reading images", 1.0),
    ("measuring sensitivity", 4.0),
    ("placing levels", 4.0),
    ("measuring layer inputs", 2.0),
    ("factoring", 2.0),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut inputs = arguments.source.files();
    inputs.extend(arguments.calibration.files());
    for path in [&arguments.scan, &arguments.plot].into_iter().flatten() {
        Output { output: path.clone() }.check(&inputs)?;
        inputs.push(path);
    }
    present(&arguments.source.files())?;
    arguments.calibration.present()?;
    let shown = begin(false, STEPS);
    let mut model = arguments.source.read()?;
    let pictures = arguments.calibration.read(&mut model)?;
    let seen = pictures.as_ref().map(|p| &p.seen);
    let scan = sense(&model, seen, &tell).map_err(failed)?;
    drop(shown);
    if let Some(path) = &arguments.scan {
        write_scan(path, &scan)?;
    }
    if let Some(path) = &arguments.plot {
        plot(path, &scan)?;
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&scan)?)?;
    } else {
        write!(out, "{}", scan.table())?;
    }
    Ok(())
}

fn plot(path: &Path, scan: &Scan) -> Result<()> {
    let need = |layer: &kompakt_compress::LayerScan| LayerNeed {
        name: layer.name.clone(),
        sensitivity: layer.sensitivity,
        bits: layer.points.iter().map(|p| p.bits_per_weight).collect(),
    };
    let layers: Vec<LayerNeed> = scan.layers.iter().map(need).collect();
    let text = layer_needs(&layers, &SHOWN)?;
    let output = Output { output: path.to_path_buf() };
    output.write_with(|path| std::fs::write(path, &text).context("writing the plot"))
}
