//! Our own programs, as they are published but without the training engine.

use super::root;
use anyhow::{Context, Result, ensure};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// Where they are.
pub(crate) struct Programs {
    /// `kompakt`.
    pub(crate) kompakt: PathBuf,
    /// `kompakt-run`.
    pub(crate) run: PathBuf,
}

impl Programs {
    /// Builds them.
    pub(crate) fn build() -> Result<Self> {
        let mut cargo = crate::cargo::cargo();
        cargo.args(["build", "--release", "--quiet", "-p", "kompakt", "--no-default-features"]);
        cargo.args(["--bin", "kompakt", "--bin", "kompakt-run"]);
        ensure!(cargo.current_dir(root()).status()?.success(), "kompakt does not build");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let of = |name: &str| target.join("release").join(name);
        Ok(Self { kompakt: of("kompakt"), run: of("kompakt-run") })
    }

    /// A call of `kompakt`, to its end.
    pub(crate) fn call(&self, arguments: &[&str]) -> Result<()> {
        let output = Command::new(&self.kompakt).args(arguments).stdin(Stdio::null()).output();
        let output = output.context("starting kompakt")?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kompakt {}: {text}", arguments.join(" "));
        Ok(())
    }
}
