//! The tests of `kompakt.torch`, with a PyTorch as light as it can be had.
//!
//! ```text
//! torch alone (0.5 GB) ─► no_gpu.py: what else it needs; stand-ins for libraries for GPUs ─► tests/test_torch*.py
//! ```
//!
//! The package index has one build for Linux, which requires 4 GB of libraries for GPUs. They are left out.

use crate::python::{self, Environment};
use anyhow::{Context, Result, bail};
use std::{ffi::OsStr, path::Path, process::Command};

/// With the wheel that `cargo xtask bindings` left.
///
/// Errors: no wheel, packages that cannot be installed, tests that fail.
pub(super) fn run(root: &Path) -> Result<()> {
    let wheel =
        python::only_file(&root.join("target/bindings/wheels")).context("`cargo xtask bindings` first")?;
    let environment = Environment::new(&root.join("target/bindings/torch"))?;
    let tests = ["numpy", "onnx", "onnxscript", "pytest"];
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        // Not kept by pip too: it is 0.5 GB, and no other environment takes it.
        environment.install(&["--no-cache-dir", "--no-deps", "torch>=2.2"])?;
        let script = root.join("xtask/src/bindings/no_gpu.py");
        let output = Command::new(&environment.python).arg(&script).arg("needs").output();
        let output = output.context("cannot start Python")?;
        if !output.status.success() {
            bail!("no_gpu.py needs: {}", String::from_utf8_lossy(&output.stderr));
        }
        let needs = String::from_utf8_lossy(&output.stdout).into_owned();
        environment.install(&needs.lines().chain(tests).collect::<Vec<_>>())?;
        python::call(&environment.python, [script.as_os_str(), OsStr::new("stand-in")])?;
    } else {
        environment.install(&["torch>=2.2", "numpy", "onnx", "onnxscript", "pytest"])?;
    }
    environment.reinstall(&wheel)?;
    let tests = ["test_torch.py", "test_torch_references.py"];
    let tests = tests.map(|name| root.join("crates/kompakt-py/tests").join(name));
    environment.test(&tests.each_ref().map(|path| &**path), None, 1)?;
    environment.end()
}
