//! `kompakt-prep`: see `--help`.

use kompakt::stages::{self, prep};
use std::process::ExitCode;

fn main() -> ExitCode {
    stages::main::<prep::Args>()
}
