//! `kompakt-finetune`: see `--help`.

use kompakt::stages::{self, finetune};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: kompakt::Allocator = kompakt::Allocator;

fn main() -> ExitCode {
    stages::main::<finetune::Args>()
}
