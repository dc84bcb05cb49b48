//! The wheel: built from the source archive, tried as a user gets it, installed into a fresh environment.
//!
//! Where the working tree is the archive, the wheel is built in the tree, whose crates are built already; what the compiler
//! says that it read is then checked to be in the archive.

use super::{Release, keep, source};
use crate::python::{self, Environment, call};
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// Compresses the network of a file, looks at the result and runs it.
const TRIAL: &str = "
import sys, kompakt, numpy as np
assert kompakt.__version__ == sys.argv[2], kompakt.__version__
kompakt.open(sys.argv[1]).export('a.onnx')
made = kompakt.compress('a.onnx', 'a.kompakt', target_ratio=2, progress=False)
assert kompakt.open('a.kompakt').n_bytes == made.n_bytes
answer = kompakt.load('a.kompakt').run(np.full(kompakt.load('a.kompakt').input_shape, 0.5, np.float32))
assert np.isfinite(answer).all()
";

/// Checks that the native half was compiled from files of the archive alone.
///
/// Errors: a file of the tree that the archive lacks, such as one that git ignores.
fn read_only_what_is_in(unpacked: &Path, root: &Path) -> Result<()> {
    let list = root.join("target/release/libkompakt_py.d");
    let text = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let (_, files) = text.split_once(": ").with_context(|| format!("{} lists no files", list.display()))?;
    // Blanks within names are escaped.
    let files = files.trim().replace("\\ ", "\0");
    let mut n_files = 0;
    for file in files.split_whitespace().map(|name| PathBuf::from(name.replace('\0', " "))) {
        let Ok(inner) = file.strip_prefix(root) else { continue };
        if !inner.starts_with("target") {
            n_files += 1;
            if !unpacked.join(inner).exists() {
                bail!("the wheel was compiled from {}, which the source archive lacks", inner.display());
            }
        }
    }
    if n_files == 0 {
        bail!("{} names no file of {}", list.display(), root.display());
    }
    Ok(())
}

pub(super) fn make(release: &Release) -> Result<PathBuf> {
    let unpacked = source::unpacked(release)?;
    let wheel = match source::is_the_tree(release)? {
        false => python::wheel(&release.root, &unpacked)?,
        true => {
            let wheel = python::wheel(&release.root, &release.root)?;
            read_only_what_is_in(&unpacked, &release.root)?;
            wheel
        }
    };
    let wheel = keep(&wheel, &release.out)?;
    let folder = release.empty("wheel")?;
    let environment = Environment::new(&folder.join("env"))?;
    environment.install(&[&wheel.display().to_string()])?;
    let trial = Command::new(&environment.python)
        .args(["-I", "-c", TRIAL])
        .arg(release.fixture())
        .arg(&release.version)
        .current_dir(&folder)
        .status()
        .context("cannot start Python")?;
    if !trial.success() {
        bail!("the installed wheel does not work ({trial})");
    }
    let fixture = release.fixture();
    let program = environment.python.with_file_name("kompakt");
    call(&program, [OsStr::new("verify"), fixture.as_os_str()])?;
    let example = release.root.join("crates/kompakt-py/examples/classify.py");
    let output = Command::new(&environment.python).arg("-I").arg(example).arg(&fixture).output()?;
    let (printed, expected) =
        (String::from_utf8_lossy(&output.stdout).into_owned(), crate::bindings::class(&fixture)?);
    if printed.trim_end() != expected {
        bail!("the installed wheel says {printed:?}, should say {expected:?}");
    }
    Ok(wheel)
}
