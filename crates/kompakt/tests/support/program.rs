//! Starts the built programs, under a runner where the environment names one.
//!
//! `KOMPAKT_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"` starts each program of these tests as an argument of that
//! command, so that the tests of another machine's build run here.

use std::process::Command;

/// A program of this workspace, by the path that `env!("CARGO_BIN_EXE_…")` gives.
pub(crate) fn program(path: &str) -> Command {
    let runner = std::env::var("KOMPAKT_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        None => Command::new(path),
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(path);
            command
        }
    }
}
