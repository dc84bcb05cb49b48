//! `kompakt-train`: see `--help`.

use kompakt::stages::{self, train};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: kompakt::Allocator = kompakt::Allocator;

fn main() -> ExitCode {
    stages::main::<train::Args>()
}
