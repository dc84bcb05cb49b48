//! `cargo xtask bench peers`: the loader beside other inference engines, on the same networks and inputs.
//!
//! ```text
//! networks ─► files (three tiers; ONNX, dense) ─► measure: engines take turns, ratios within a turn ─► record ─► page
//!                                              └► cold: process start to first result, peak memory ─┘
//! ```
//!
//! Engines other than ours come from PyPI, into virtual environments below `target/peers`, where the networks are
//! kept as well. One that cannot be installed is reported as missing. What is measured is kept there too, network by
//! network, so that one can be measured again and the page be written from all.

mod cold;
mod files;
mod measure;
mod modes;
pub(super) mod networks;
pub(super) mod onnx;
mod ours;
mod page;
mod plot;
mod record;
mod rival;
mod venv;
mod vision_transformer;
pub(super) mod weights;

use anyhow::{Context, Result};
use std::path::PathBuf;

/// Measure the loader beside ONNX Runtime, OpenVINO, LiteRT, tract and DeepSparse
///
/// What is measured is merged into what was measured before, network by network and engine by engine, so that the
/// page can be made in parts: `--nets vgg16 --threads 2 --batches 1 --no-cold`, `--nets resnet18 --only-cold`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which networks [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    nets: Vec<String>,
    /// Threads, each measured on its own
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// Batch sizes [default: 1, and 64 for small networks or 16 for large ones]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    batches: Vec<usize>,
    /// Turns that every engine gets
    #[arg(long, value_name = "N", default_value_t = 11)]
    rounds: usize,
    /// Seconds of a turn; at least one run is made
    #[arg(long, value_name = "SECONDS", default_value_t = 0.1)]
    turn: f64,
    /// Only these engines beside ours and ONNX Runtime [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    engines: Option<Vec<String>>,
    /// Leave out cold start and memory
    #[arg(long)]
    no_cold: bool,
    /// Nothing but cold start and memory
    #[arg(long, conflicts_with = "no_cold")]
    only_cold: bool,
    /// Only make the files of the networks
    #[arg(long, conflicts_with = "render")]
    files: bool,
    /// Measure nothing, write the page from what is there
    #[arg(long)]
    render: bool,
    /// Do not write the page
    #[arg(long)]
    no_render: bool,
}

impl Arguments {
    /// Whether that engine is measured.
    fn wants(&self, engine: &str) -> bool {
        self.engines.as_ref().is_none_or(|wanted| wanted.iter().any(|w| w == engine))
    }
}

/// Where environments, networks and measurements are kept.
fn folder() -> PathBuf {
    root().join("target/peers")
}

fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    std::fs::create_dir_all(folder())?;
    if !arguments.render {
        let python = venv::set_up(&folder())?;
        let runner = cold::build_runner()?;
        let names = match arguments.nets.as_slice() {
            [] => networks::NAMES.map(String::from).to_vec(),
            names => names.to_vec(),
        };
        for name in names {
            let network = networks::network(&name)?;
            let files = files::make(&network, &folder(), &python).with_context(|| name.clone())?;
            if arguments.files {
                continue;
            }
            let mut record = record::Record::read_or_new(&folder(), &name)?;
            record.about(&network, &files, &python)?;
            if !arguments.only_cold {
                measure::all(&network, &files, &python, arguments, &mut record)
                    .with_context(|| name.clone())?;
            }
            if !arguments.no_cold {
                record.merge_cold(cold::all(&files, &python, &runner, arguments)?);
            }
            record.write(&folder(), &name)?;
        }
    }
    if !arguments.files && !arguments.no_render {
        page::write(&folder(), &root().join("results"))?;
    }
    Ok(())
}
