//! Rows for this machine.

use super::{
    Outcome,
    calls::{Calls, within},
    gpu::{self, Driver},
    root,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Command;

/// Seconds after which tests are ended.
const LIMIT_S: &str = "2400";

pub(super) fn format(calls: &mut Calls) -> Result<Outcome> {
    calls.cargo(&["fmt", "--all", "--check"])?;
    Ok(Outcome::Held)
}

pub(super) fn lints(calls: &mut Calls) -> Result<Outcome> {
    calls.run(workspace("clippy").args(["--all-targets", "--", "--deny", "warnings"]))?;
    Ok(Outcome::Held)
}

/// The documentation of all libraries, with every link in it right.
pub(super) fn documentation(calls: &mut Calls) -> Result<Outcome> {
    let arguments = ["doc", "--release", "--workspace", "--no-deps", "--lib"];
    calls.run(crate::cargo::cargo().args(arguments).env("RUSTDOCFLAGS", "--deny warnings"))?;
    Ok(Outcome::Held)
}

/// Each crate that has default features, or promises to do without `std`, by itself and without them.
pub(super) fn without_default_features(calls: &mut Calls) -> Result<Outcome> {
    for (name, target) in crates_with_features()? {
        calls.cargo(&["check", "--release", "--no-default-features", "--package", &name, target])?;
    }
    Ok(Outcome::Held)
}

pub(super) fn doc_tests(calls: &mut Calls) -> Result<Outcome> {
    calls.run(workspace("test").arg("--doc"))?;
    Ok(Outcome::Held)
}

/// The programs, which the tests of pipes chain together.
pub(super) fn binaries(calls: &mut Calls) -> Result<Outcome> {
    calls.run(workspace("build").arg("--bins"))?;
    Ok(Outcome::Held)
}

/// All tests. Without a driver the GPU's are built, and the row says that they did not run.
pub(super) fn tests(calls: &mut Calls) -> Result<Outcome> {
    let driver = Driver::find();
    let mut tests = workspace("test");
    tests.args(["--lib", "--tests"]);
    match driver {
        Ok(driver) => {
            calls.run(&mut driver.within_reach_of(within(LIMIT_S, &tests)))?;
            Ok(Outcome::Held)
        }
        Err(missing) => {
            calls.run(&mut within(LIMIT_S, &tests))?;
            Ok(Outcome::NotTested(missing))
        }
    }
}

/// Cargo for the whole workspace, the executor for GPUs included.
pub(super) fn workspace(subcommand: &str) -> Command {
    let mut cargo = crate::cargo::cargo();
    cargo.args([subcommand, "--release", "--workspace", "--features", gpu::FEATURES]);
    cargo
}

/// Crates of the workspace that can be built with fewer features, each with what of it is checked.
fn crates_with_features() -> Result<Vec<(String, &'static str)>> {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = crate::cargo::cargo().args(arguments).output().context("cannot start cargo")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata without packages")? {
        let name = package["name"].as_str().context("a package without a name")?;
        let has_defaults = package["features"]["default"].as_array().is_some_and(|list| !list.is_empty());
        if has_defaults || is_without_std(name) {
            let kinds = |target: &Value| target["kind"][0] == "lib";
            let has_library = package["targets"].as_array().is_some_and(|targets| targets.iter().any(kinds));
            found.push((name.to_string(), if has_library { "--lib" } else { "--bins" }));
        }
    }
    Ok(found)
}

/// Whether the library says `#![no_std]`, and does not ask for `std` again outside of browsers.
pub(super) fn is_without_std(name: &str) -> bool {
    let source = std::fs::read_to_string(root().join("crates").join(name).join("src/lib.rs"));
    source.is_ok_and(|text| {
        text.lines().any(|line| line.contains("no_std") && line.starts_with("#!["))
            && !text.contains("#[cfg(not(target_arch = \"wasm32\"))]\nextern crate std")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_without_std_are_among_those_that_are_checked() {
        let found: Vec<String> = crates_with_features().unwrap().into_iter().map(|(name, _)| name).collect();
        for name in ["kompakt-graph", "kompakt-entropy", "kompakt-prep", "kompakt-format", "kompakt-kernels"]
        {
            assert!(found.iter().any(|other| other == name), "{name} is not in {found:?}");
        }
    }
}
