//! `kompakt-rate`: see `--help`.

use kompakt::stages::{self, rate};
use std::process::ExitCode;

fn main() -> ExitCode {
    stages::main::<rate::Args>()
}
