//! `kompakt`: every command behind one name; see `--help`.

use std::process::ExitCode;

#[cfg(feature = "train")]
#[global_allocator]
static ALLOCATOR: kompakt::Allocator = kompakt::Allocator;

fn main() -> ExitCode {
    kompakt::front_door()
}
