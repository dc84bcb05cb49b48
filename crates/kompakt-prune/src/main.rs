//! `kompakt-prune`: see `--help`.

use clap::Parser;
use kompakt_model::stage;
use kompakt_prune::args::Args;
use std::process::ExitCode;

#[cfg(feature = "retrain")]
#[global_allocator]
static ALLOCATOR: kompakt_engine::cli::Allocator = kompakt_engine::cli::Allocator;

fn main() -> ExitCode {
    let args = Args::parse();
    stage::run("kompakt-prune", || args.run())
}
