//! `kompakt-cluster`: see `--help`.

use kompakt::stages::{self, cluster};
use std::process::ExitCode;

fn main() -> ExitCode {
    stages::main::<cluster::Args>()
}
