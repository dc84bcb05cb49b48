//! `kompakt`: every command behind one name; see `--help`.

use std::process::ExitCode;

#[cfg(feature = "train")]
#[global_allocator]
static ALLOCATOR: kompakt_engine::cli::Allocator = kompakt_engine::cli::Allocator;

fn main() -> ExitCode {
    kompakt::front_door()
}
