//! The source archive: what git has, built elsewhere without the repository.

use super::Release;
use crate::ci::Calls;
use anyhow::{Context, Result, bail};
use std::{path::PathBuf, process::Command};

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

    let folder = release.empty("source")?;
    calls.run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
    let unpacked = folder.join(&name);
    let mut cargo = crate::cargo::cargo();
    cargo.args(["build", "--locked", "--release", "--package", "kompakt", "--no-default-features"]);
    cargo
        .args(["--bin", "kompakt-run"])
        .current_dir(&unpacked)
        .env("CARGO_TARGET_DIR", folder.join("target"));
    calls.run(&mut cargo)?;
    let runner = folder.join("target/release/kompakt-run");
    if output(Command::new(&runner).arg("--version"))? != format!("kompakt-run {}\n", release.version) {
        bail!("{} is of another version", runner.display());
    }
    calls.run(
        Command::new(runner).arg(unpacked.join("fixtures/good/perceptron-stream.kompakt")).arg("--bench"),
    )?;
    Ok(archive)
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
