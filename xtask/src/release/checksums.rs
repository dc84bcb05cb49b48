//! `SHA256SUMS`, as `sha256sum --check` reads it.

use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Writes the checksums of these files beside them, and checks them.
pub(super) fn write(files: &[PathBuf], folder: &Path) -> Result<PathBuf> {
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name()).collect();
    let output = Command::new("sha256sum").arg("--").args(names).current_dir(folder).output();
    let output = output.context("cannot start sha256sum")?;
    let path = folder.join("SHA256SUMS");
    std::fs::write(&path, &output.stdout).with_context(|| path.display().to_string())?;
    let check = ["--check", "--quiet", "--strict", "SHA256SUMS"];
    let checked = Command::new("sha256sum").args(check).current_dir(folder).status()?;
    if !output.status.success() || !checked.success() {
        bail!("the checksums do not hold");
    }
    Ok(path)
}
