//! `kompakt-train`: see `--help`.

use clap::Parser;
use kompakt_model::stage;
use kompakt_training::train::args::Args;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: kompakt_engine::cli::Allocator = kompakt_engine::cli::Allocator;

fn main() -> ExitCode {
    let args = Args::parse();
    stage::run("kompakt-train", || args.run())
}
