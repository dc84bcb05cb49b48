//! Rows that need Python: the second reader of the format, and the loader as a Python module.

use super::{
    Outcome,
    calls::{Calls, exists},
    root,
};
use anyhow::Result;
use std::process::Command;

const NEEDED: &str = "needs python3, 3.11 or newer";

/// The tests of the reader in `spec/reference`.
pub(super) fn reader(calls: &mut Calls) -> Result<Outcome> {
    if !exists("python3") {
        return Ok(Outcome::NotTested(NEEDED.into()));
    }
    let arguments = ["-m", "unittest", "discover", "--start-directory", "spec/reference"];
    calls.run(Command::new("python3").args(arguments).current_dir(root()))?;
    Ok(Outcome::Held)
}

/// `cargo xtask bindings` as a process of its own, so that it can be measured. By cargo: the rows before may have built
/// this program anew, and the one that runs is then no longer there.
pub(super) fn wheel(calls: &mut Calls) -> Result<Outcome> {
    if !exists("python3") {
        return Ok(Outcome::NotTested(NEEDED.into()));
    }
    calls.cargo(&["xtask", "bindings"])?;
    Ok(Outcome::Held)
}
