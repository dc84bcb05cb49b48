//! GPUs: the executor's lints and tests, on a GPU in software where there is no other.

use super::{
    Outcome,
    calls::{Calls, within},
    root,
};
use anyhow::Result;
use std::{path::PathBuf, process::Command};

/// Seconds after which tests are ended.
const LIMIT_S: &str = "900";

pub(super) fn run(calls: &mut Calls) -> Result<Outcome> {
    let Some(driver) = Driver::find() else {
        let why = "no Vulkan: .ci/run unpacks a GPU in software on Debian";
        return Ok(Outcome::NotTested(why.into()));
    };
    let package = ["--release", "--package", "kompakt-gpu", "--package", "kompakt-capi"];
    let features = ["--features", "kompakt-gpu/wgpu,kompakt-capi/gpu"];
    let mut lints = crate::cargo::cargo();
    calls.run(lints.arg("clippy").args(package).args(features).args([
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    let mut tests = crate::cargo::cargo();
    tests.arg("test").args(package).args(features);
    tests.args(["--lib", "--test", "gpu", "--test", "host_memory", "--test", "device"]);
    calls.run(&mut driver.within_reach_of(within(LIMIT_S, &tests)))?;
    Ok(Outcome::Held)
}

/// What programs need to find a GPU.
enum Driver {
    /// The system has a driver.
    System,
    /// What `.ci/vulkan` unpacked.
    Unpacked(PathBuf),
}

impl Driver {
    fn find() -> Option<Self> {
        let folder =
            std::env::var_os("KOMPAKT_CROSS").map_or_else(|| root().join("target/cross"), PathBuf::from);
        let unpacked = folder.join("vulkan/current");
        if unpacked.join("lvp.json").exists() {
            return Some(Self::Unpacked(unpacked));
        }
        let files = std::fs::read_dir("/usr/share/vulkan/icd.d").into_iter().flatten();
        let is_there =
            files.count() > 0 || std::env::var_os("VK_DRIVER_FILES").is_some() || !cfg!(target_os = "linux");
        is_there.then_some(Self::System)
    }

    fn within_reach_of(&self, mut program: Command) -> Command {
        if let Self::Unpacked(folder) = self {
            program
                .env("VK_DRIVER_FILES", folder.join("lvp.json"))
                .env("LD_LIBRARY_PATH", folder.join("lib"));
        }
        program
    }
}
