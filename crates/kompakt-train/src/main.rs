//! `kompakt-train`: see `--help`.

use clap::Parser;
use kompakt_checkpoint::stage;
use kompakt_train::args::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    stage::run("kompakt-train", || args.run())
}
