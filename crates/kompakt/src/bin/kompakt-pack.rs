//! `kompakt-pack`: see `--help`.

use kompakt::stages::{self, pack};
use std::process::ExitCode;

fn main() -> ExitCode {
    stages::main::<pack::Args>()
}
