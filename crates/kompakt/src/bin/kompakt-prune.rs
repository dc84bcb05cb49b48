//! `kompakt-prune`: see `--help`.

use kompakt::stages::{self, prune};
use std::process::ExitCode;

#[cfg(feature = "train")]
#[global_allocator]
static ALLOCATOR: kompakt::Allocator = kompakt::Allocator;

fn main() -> ExitCode {
    stages::main::<prune::Args>()
}
