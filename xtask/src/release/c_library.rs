//! The C library: shared and static, with its header and a file for pkg-config, tried by a program in C.

use super::Release;
use crate::ci::Calls;
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the shared library may have, stripped.
const MOST_BYTES: u64 = 2_740_000;

/// What a static link needs beside the library, on Linux.
const SYSTEM: &str = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";

pub(super) fn make(release: &Release) -> Result<PathBuf> {
    let mut calls = Calls::default();
    let libraries = build()?;
    let name = format!("kompakt-c-{}-{}", release.version, target()?);
    let staged = release.empty("c-library")?.join(&name);
    for folder in ["lib/pkgconfig", "include", "examples"] {
        fs::create_dir_all(staged.join(folder))?;
    }
    let package = release.root.join("crates/kompakt-capi");
    let copy = |from: PathBuf, to: &str| -> Result<()> {
        fs::copy(&from, staged.join(to)).with_context(|| from.display().to_string())?;
        Ok(())
    };
    for library in &libraries {
        let file = library.file_name().context("a library without a name")?.to_string_lossy().into_owned();
        copy(library.clone(), &format!("lib/{file}"))?;
        let strip = if file.ends_with(".a") { "--strip-debug" } else { "--strip-unneeded" };
        let staged = staged.join("lib").join(&file);
        calls.run(Command::new("strip").arg(strip).arg(&staged))?;
        let n_bytes = staged.metadata().with_context(|| staged.display().to_string())?.len();
        if !file.ends_with(".a") && n_bytes > MOST_BYTES {
            bail!(
                "{file} has {n_bytes} bytes, stripped; {MOST_BYTES} are allowed: see what has grown by nm --size-sort"
            );
        }
    }
    copy(package.join("include/kompakt.h"), "include/kompakt.h")?;
    for example in ["classify.c", "outputs.c"] {
        copy(package.join("examples").join(example), &format!("examples/{example}"))?;
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(release.root.join(licence), licence)?;
    }
    fs::write(staged.join("lib/pkgconfig/kompakt.pc"), pkg_config(&release.version))?;
    let archive = release.out.join(format!("{name}.tar.gz"));
    let parent = staged.parent().context("the staged folder is in none")?;
    let mut tar = Command::new("tar");
    // The same bytes from the same files: no owner, no time.
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"]);
    tar.args(["--use-compress-program=gzip -n", "-cf"]);
    calls.run(tar.arg(&archive).arg("-C").arg(parent).arg(&name))?;
    attempt(release, &archive, &name)?;
    Ok(archive)
}

/// The shared and the static library, where cargo says that it left them.
fn build() -> Result<Vec<PathBuf>> {
    let arguments = ["rustc", "--profile", "c-library", "--package", "kompakt-capi", "--lib"];
    let message = ["--crate-type", "cdylib,staticlib", "--message-format", "json-render-diagnostics"];
    let mut cargo = crate::cargo::cargo();
    // With its own features alone: others would bring the instruction set `scalar`.
    cargo.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
    let output = cargo.args(arguments).args(message).stderr(std::process::Stdio::inherit()).output();
    let output = output.context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the C library does not build");
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("what cargo printed")?;
        if message["target"]["name"] == "kompakt_capi" {
            let files =
                message["filenames"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
            found.extend(
                files.filter(|name| !name.ends_with(".rlib") && !name.ends_with(".rmeta")).map(PathBuf::from),
            );
        }
    }
    if found.len() != 2 {
        bail!("cargo left {found:?} instead of a shared and a static library");
    }
    Ok(found)
}

/// The compiler's name of this machine.
fn target() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_string).context("rustc -vV names no host")
}

/// Finds its folder from where it is, so that the archive may be unpacked anywhere.
fn pkg_config(version: &str) -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: kompakt\nDescription: Runs compressed neural networks (.kompakt) from the compressed file\n\
         Version: {version}\nLibs: -L${{libdir}} -lkompakt_capi\nLibs.private: {SYSTEM}\nCflags: -I${{includedir}}\n"
    )
}

/// Compiles the example as a user does, shared and static, and runs it with nothing else in the environment.
fn attempt(release: &Release, archive: &Path, name: &str) -> Result<()> {
    let folder = release.empty("c-trial")?;
    let mut calls = Calls::default();
    calls.run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
    let unpacked = folder.join(name);
    let (fixture, expected) = (release.fixture(), release.answer()?);
    for (kind, flags) in [("shared", "--libs"), ("static", "--libs --static")] {
        let link = match kind {
            "shared" => format!("-Wl,-rpath,{}", unpacked.join("lib").display()),
            _ => "-Wl,-Bdynamic".to_string(),
        };
        // A static link takes the archive by its name: the linker prefers the shared library where both are found by -l.
        let by_name = if kind == "static" { "| sed 's/-lkompakt_capi/-l:libkompakt_capi.a/'" } else { "" };
        let script = format!(
            "cc -std=c99 -Wall -Wextra -Werror -o {kind} {name}/examples/classify.c \
             $(pkg-config --cflags {flags} kompakt {by_name}) {link}"
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).env("PKG_CONFIG_PATH", unpacked.join("lib/pkgconfig"));
        calls.run(shell.current_dir(&folder))?;
        let output = Command::new(folder.join(kind)).arg(&fixture).env_clear().output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || !printed.trim_end().ends_with(&expected) {
            bail!("the program in C ({kind}) says {printed:?}, should say {expected:?}");
        }
    }
    Ok(())
}
