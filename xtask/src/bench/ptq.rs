//! `cargo xtask bench ptq`: compression without training against NNCodec, at equal accuracy.
//!
//! A trained network from a package registry, MNIST's test images, ONNX Runtime to run what both make of it. The work is
//! `ptq/ptq.py`, in an environment of its own.

use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const PROGRAM: &str = include_str!("ptq/ptq.py");
const PACKAGES: [&str; 4] = ["nncodec==2.1.3", "onnx==1.23.2", "onnxruntime==1.32.0", "numpy"];

/// Compression of a trained network without training, against NNCodec
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the page goes
    #[arg(long, value_name = "FILE", default_value = "results/ptq.md")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let folder = root.join("target/bench-ptq");
    std::fs::create_dir_all(&folder).context("cannot make target/bench-ptq")?;
    let python = folder.join(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" });
    if !python.exists() {
        crate::say("installing NNCodec and ONNX Runtime (some gigabytes: NNCodec needs PyTorch)");
        call(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    call(Command::new(&python).args(pip).args(PACKAGES))?;
    call(crate::cargo::cargo().args(["build", "--release", "-p", "kompakt"]))?;
    let mnist = kompakt_data::cache_folder().join("mnist");
    if !mnist.exists() {
        bail!("MNIST is not there; fetch it with `cargo xtask data mnist`");
    }
    let program = folder.join("ptq.py");
    std::fs::write(&program, PROGRAM).context("cannot write target/bench-ptq/ptq.py")?;
    crate::say("compressing; this takes some minutes");
    let kompakt = root.join("target/release").join(format!("kompakt{}", std::env::consts::EXE_SUFFIX));
    let made = Command::new(&python)
        .arg(&program)
        .args([&kompakt, &root.join("tools"), &folder, &mnist])
        .output()
        .context("cannot start Python")?;
    if !made.status.success() {
        bail!("ptq.py failed:\n{}", String::from_utf8_lossy(&made.stderr));
    }
    let page = format!("{HEAD}{}", String::from_utf8_lossy(&made.stdout));
    print!("{page}");
    std::fs::write(&arguments.output, page)
        .with_context(|| format!("cannot write {}", arguments.output.display()))
}

fn call(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

const HEAD: &str = "# Compression without training

`cargo xtask bench ptq`. The network is the MNIST network of PyPI's `digit-recognizer-py` 0.1.0; NNCodec is 2.1.3 (PyPI) with its
defaults, one step size a row; kompakt is `kompakt compress --target-ratio`, tier `smallest`, every byte of the file counted, with
512 training images looked at or with no data. Both results are run by ONNX Runtime 1.32 on MNIST's 10,000 test images. *Same
answer* is the share of test images with the original's likeliest class; the last column is the squared difference of
the logits as a part of their energy.

";
