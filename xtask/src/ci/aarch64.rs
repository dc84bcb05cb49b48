//! 64-bit Arm: the loader and its C library are built, and tests of the run side run under emulation.

use super::{
    Outcome,
    calls::{Calls, exists, within},
    cross::Cross,
    root,
};
use anyhow::{Context, Result};
use std::process::Command;

/// Crates whose tests run under emulation.
const TESTED: [&str; 4] = ["kompakt-kernels", "kompakt-entropy", "kompakt-format", "kompakt-runtime"];

/// What the tests ask of the libraries, beside the C library's features: both are then built with the same libraries.
const SAME: [&str; 4] =
    ["--package", "kompakt-testing", "--features", "kompakt-testing/networks,kompakt-runtime/default"];

/// What the C library asks of the loader.
const ITS_FEATURES: [&str; 2] = ["--features", "kompakt-runtime/default,kompakt-runtime/signatures"];

/// Integration tests that are left out: what they measure is the emulator's memory, or they start programs.
const LEFT_OUT: [&str; 2] = ["memory", "dependencies"];

/// Seconds after which emulated tests are ended.
const LIMIT_S: &str = "1800";

pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    let cross = match Cross::find("aarch64-unknown-linux-gnu") {
        Ok(cross) => cross,
        Err(missing) => return Ok(Outcome::NotTested(missing)),
    };
    let (compiler, runner) = (cross.tool("aarch64-linux-gnu-gcc"), cross.tool("run-aarch64"));
    if cross.unpacked("").is_none() && !(exists("aarch64-linux-gnu-gcc") && exists("run-aarch64")) {
        return Ok(Outcome::NotTested(
            "no C compiler and emulator for aarch64: .ci/run unpacks them on Debian".into(),
        ));
    }
    let set_up = |mut cargo: Command| {
        cargo.env(cross.variable("LINKER"), &compiler).env("CC_aarch64_unknown_linux_gnu", &compiler);
        cargo.env("AR_aarch64_unknown_linux_gnu", cross.tool("aarch64-linux-gnu-ar"));
        cargo.env(cross.variable("RUNNER"), &runner);
        cargo
    };
    calls.run(set_up(cross.cargo("build")).args(["--lib", "--package", "kompakt-capi"]).args(SAME))?;
    let tests = || -> Result<Command> {
        let mut cargo = set_up(cross.cargo("test"));
        cargo.arg("--lib").args(ITS_FEATURES).args(TESTED.iter().flat_map(|name| ["--package", name]));
        cargo.args(integration_tests()?.iter().flat_map(|name| ["--test", name]));
        Ok(cargo)
    };
    calls.run(tests()?.arg("--no-run"))?;
    calls.run(&mut within(LIMIT_S, &tests()?))?;
    Ok(Outcome::Held)
}

/// Names of the integration tests of the crates tested, sorted.
fn integration_tests() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for crate_name in TESTED {
        let folder = root().join("crates").join(crate_name).join("tests");
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let is_test = path.extension().is_some_and(|extension| extension == "rs");
            if is_test && !LEFT_OUT.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integration_tests_are_found_by_their_files() {
        let names = integration_tests().unwrap();
        assert!(names.iter().any(|name| name == "networks"), "{names:?}");
        assert!(names.iter().all(|name| name != "memory"), "{names:?}");
    }
}
