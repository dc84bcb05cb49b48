//! `kompakt-run`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kompakt::stages::main::<kompakt::stages::run::Args>()
}
