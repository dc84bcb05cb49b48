//! The wheel: built from the source archive, tried as a user gets it, installed into a fresh environment.

use super::{Release, keep, source};
use crate::python::{self, Environment, call};
use anyhow::{Context, Result, bail};
use std::{ffi::OsStr, path::PathBuf, process::Command};

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

pub(super) fn make(release: &Release) -> Result<PathBuf> {
    let wheel = keep(&python::wheel(&release.root, &source::unpacked(release)?)?, &release.out)?;
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
