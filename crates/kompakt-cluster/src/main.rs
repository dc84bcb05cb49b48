//! `kompakt-cluster`: see `--help`.

use clap::Parser;
use kompakt_cluster::args::Args;
use kompakt_model::stage;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    stage::run("kompakt-cluster", || args.run())
}
