//! The C library as a release has it: its bytes are counted, and programs in C are linked with it.

use super::{
    Outcome,
    calls::{Calls, exists},
};
use anyhow::{Context, Result};
use std::process::Command;

pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    if !["cc", "pkg-config", "strip"].into_iter().all(exists) {
        return Ok(Outcome::NotTested("needs cc, strip and pkg-config".into()));
    }
    let out = tempfile::tempdir().context("no temporary folder")?;
    let mut release = Command::new(std::env::current_exe().context("the path of this program")?);
    calls.run(release.args(["release", "--dry-run", "--only", "c", "--out"]).arg(out.path()))?;
    Ok(Outcome::Held)
}
