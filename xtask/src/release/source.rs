//! The source archive: what git has, unpacked elsewhere without the repository. The wheel is built from it.

use super::Release;
use crate::ci::Calls;
use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Makes the archive, unpacks it, and looks whether the workspace is whole: every crate there, every dependency locked.
pub(super) fn make(release: &Release) -> Result<PathBuf> {
    let name = format!("kompakt-{}", release.version);
    let archive = release.out.join(format!("{name}.tar.gz"));
    let mut status = Command::new("git");
    status.args(["status", "--porcelain", "--untracked-files=no"]).current_dir(&release.root);
    if !output(&mut status)?.is_empty() {
        crate::say("the working tree has changes, which are not in the archive: it is of the last commit");
    }
    let mut calls = Calls::default();
    let mut git = Command::new("git");
    git.args(["archive", "--format=tar.gz", &format!("--prefix={name}/"), "--output"]);
    calls.run(git.arg(&archive).arg("HEAD").current_dir(&release.root))?;

    let folder = folder(&release.root);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    // With the time of now: cargo takes what is older than a build to be in it.
    calls.run(Command::new("tar").arg("--touch").arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
    let mut metadata = crate::cargo::cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1"]).current_dir(folder.join(&name));
    let metadata: serde_json::Value =
        serde_json::from_str(&output(&mut metadata)?).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let ours = packages.iter().find(|package| package["name"] == "kompakt");
    if ours.is_none_or(|package| package["version"] != release.version.as_str()) {
        bail!("{} is of another version than {}", archive.display(), release.version);
    }
    Ok(archive)
}

/// Whether the working tree has nothing that the last commit, and so the archive, has not; what git ignores aside.
pub(super) fn is_the_tree(release: &Release) -> Result<bool> {
    let mut status = Command::new("git");
    Ok(output(status.args(["status", "--porcelain"]).current_dir(&release.root))?.is_empty())
}

/// Where the archive is unpacked, made if it is not among the parts that were asked for.
pub(super) fn unpacked(release: &Release) -> Result<PathBuf> {
    let name = format!("kompakt-{}", release.version);
    if !release.out.join(format!("{name}.tar.gz")).exists() {
        make(release)?;
    }
    Ok(folder(&release.root).join(name))
}

/// A fixed place, so that a later build replaces what an earlier one left in the target folder.
fn folder(root: &Path) -> PathBuf {
    root.join("target/release-source")
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
