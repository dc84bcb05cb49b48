//! `cargo xtask ci`: everything that must hold before a change lands, in one command.
//!
//! Formatting and lints first, because they fail fast; the tests last, so that the closing lines are the test
//! runner's own. Everything is built in the release profile: the training engine is built once, for the pipeline
//! and the tests alike.

use anyhow::{Result, bail};

/// Runs all checks; stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"])?;
    cargo(&["test", "--release", "--workspace", "--doc"])?;
    // The binaries are what the pipe tests chain together.
    cargo(&["build", "--release", "--workspace", "--bins"])?;
    cargo(&["test", "--release", "--workspace", "--lib", "--tests"])
}

fn cargo(arguments: &[&str]) -> Result<()> {
    crate::say(&format!("cargo {}", arguments.join(" ")));
    let status = crate::cargo::cargo().args(arguments).status()?;
    if !status.success() {
        bail!("`cargo {}` failed", arguments.join(" "));
    }
    Ok(())
}
