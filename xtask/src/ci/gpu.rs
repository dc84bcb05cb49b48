//! GPUs: the executor's tests run on a GPU in software where there is no other.

use super::cross_folder;
use std::{path::PathBuf, process::Command};

/// The features that build it, for every row of this machine alike, so that libraries are built once.
pub(super) const FEATURES: &str = "kompakt/gpu,kompakt-capi/gpu";

/// What programs need to find a GPU.
pub(super) enum Driver {
    /// The system has a driver.
    System,
    /// What `.ci/vulkan` unpacked.
    Unpacked(PathBuf),
}

impl Driver {
    /// The driver, or how to get one.
    pub(super) fn find() -> Result<Self, String> {
        let unpacked = cross_folder().join("vulkan/current");
        if unpacked.join("lvp.json").exists() {
            return Ok(Self::Unpacked(unpacked));
        }
        let files = std::fs::read_dir("/usr/share/vulkan/icd.d").into_iter().flatten();
        let is_there =
            files.count() > 0 || std::env::var_os("VK_DRIVER_FILES").is_some() || !cfg!(target_os = "linux");
        if is_there {
            return Ok(Self::System);
        }
        Err("no Vulkan for the tests of GPUs: .ci/run unpacks a GPU in software on Debian".into())
    }

    /// The same command, which finds the driver.
    pub(super) fn within_reach_of(&self, mut program: Command) -> Command {
        if let Self::Unpacked(folder) = self {
            program
                .env("VK_DRIVER_FILES", folder.join("lvp.json"))
                .env("LD_LIBRARY_PATH", folder.join("lib"));
        }
        program
    }
}
