//! `kompakt-run`: see `--help`.

use clap::Parser;
use kompakt_model::stage;
use kompakt_runtime::args::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    stage::run("kompakt-run", || args.run())
}
