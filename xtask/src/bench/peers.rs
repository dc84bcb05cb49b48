//! `cargo xtask bench peers`: the loader beside other inference engines, on the same networks and inputs.
//!
//! ```text
//! networks ─► files (three tiers; ONNX, dense) ─► measure: engines take turns, ratios within a turn ─► record ─► store ─► page
//!                                              └► cold: process start to first result, peak memory ─┘
//! ```
//!
//! Engines other than ours come from PyPI, into virtual environments below `target/peers`, where the networks are
//! kept as well. One that cannot be installed is reported as missing. What is measured goes to `results/peers`, a file for each
//! kind of processor, so that a network can be measured again and the page be written from all.

mod cold;
mod files;
mod hidden;
mod measure;
mod modes;
pub(super) mod networks;
pub(super) mod onnx;
mod ours;
mod page;
mod plot;
mod programs;
mod record;
mod rival;
mod store;
mod subject;
mod venv;
mod vision_transformer;
pub(super) mod weights;

use anyhow::{Context, Result};
use programs::Programs;
use std::path::PathBuf;
use store::Kind;
use subject::{Subject, Trained};

/// Measure the loader beside ONNX Runtime, OpenVINO, LiteRT, tract and DeepSparse
///
/// What is measured is merged into what was measured before, network by network and engine by engine, so that the
/// page can be made in parts: `--nets vgg16 --threads 2 --batches 1 --no-cold`, `--nets resnet18 --only-cold`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which networks [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    nets: Vec<String>,
    /// Trained networks as ONNX files, to be measured as `kompakt compress --target-ratio` makes them; they are named
    /// NAME-RATIO in --nets
    #[arg(long, value_name = "FILE")]
    onnx: Vec<PathBuf>,
    /// The ratios
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [8, 12, 16])]
    ratios: Vec<u32>,
    /// Hide wider instruction sets from every engine, ours included (Linux on x86-64; needs a C compiler)
    #[arg(long, value_enum)]
    isa: Option<Held>,
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

/// What all engines can be held to.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Held {
    Avx2,
}

impl Arguments {
    /// The networks that are wanted.
    fn subjects(&self) -> Result<Vec<Subject>> {
        let mut trained = Vec::new();
        for onnx in &self.onnx {
            trained.extend(Trained::at_ratios(onnx, &self.ratios)?);
        }
        subject::subjects(&self.nets, trained)
    }

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
    let results = root().join("results");
    if arguments.isa == Some(Held::Avx2) && !hidden::is_so() {
        // Before it: a compiler does not get through there.
        if !arguments.render {
            venv::set_up(&folder())?;
            Programs::build()?;
        }
        return hidden::again(&folder());
    }
    if !arguments.render {
        let python = venv::set_up(&folder())?;
        let programs = Programs::build()?;
        for subject in arguments.subjects()? {
            let name = subject.name().to_string();
            let files = files::make(&subject, &folder(), &python, &programs).with_context(|| name.clone())?;
            if arguments.files {
                continue;
            }
            let mut kind = Kind::here(&results, hidden::is_so())?;
            let record = kind.record(&name);
            record.about(&subject, &files, &python);
            if !arguments.only_cold {
                measure::all(&subject, &files, &python, arguments, record).with_context(|| name.clone())?;
            }
            if !arguments.no_cold {
                record.merge_cold(cold::all(&files, &python, &programs.run, arguments)?);
            }
            kind.write()?;
        }
    }
    if !arguments.files && !arguments.no_render {
        page::write(&results)?;
    }
    Ok(())
}
