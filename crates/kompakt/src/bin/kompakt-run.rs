//! `kompakt-run`: see `--help`.

use kompakt::stages::{self, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    stages::main::<run::Args>()
}
