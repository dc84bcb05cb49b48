//! NNCodec (ISO/IEC 15938-17), in a virtual environment of its own.

use super::{network::Network, record::Measured};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Its version; a newer one is a change of the results.
pub(crate) const PACKAGE: &str = "nncodec==2.1.3";

const PROGRAM: &str = include_str!("nncodec.py");

/// The interpreter that has it.
pub(crate) struct Python {
    interpreter: PathBuf,
    program: PathBuf,
}

/// Makes the environment, if it is not there yet.
pub(crate) fn set_up(folder: &Path) -> Result<Python> {
    let environment = folder.join("venv");
    let interpreter = environment.join("bin/python");
    let installed = environment.join("lib");
    let is_there =
        || Command::new(&interpreter).args(["-c", "import nncodec.nn"]).stderr(Stdio::null()).status();
    if !(installed.exists() && is_there().is_ok_and(|status| status.success())) {
        crate::say("installing NNCodec into a virtual environment (some gigabytes: it needs PyTorch)");
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        run(Command::new(&interpreter).args(pip))?;
    }
    let program = folder.join("nncodec_bench.py");
    std::fs::write(&program, PROGRAM)?;
    Ok(Python { interpreter, program })
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

#[derive(Deserialize)]
struct Answer {
    bytes: u64,
    encode_s: f64,
    decode_s: f64,
    settings: String,
}

impl Python {
    /// The smallest of several settings whose output decodes to its input.
    pub(crate) fn measure(&self, network: &Network, folder: &Path) -> Result<Measured> {
        let data = folder.join("signed.i16");
        let mut bytes = Vec::with_capacity(2 * network.n_weights());
        for layer in &network.layers {
            layer.signed().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
        }
        std::fs::write(&data, bytes)?;
        let shapes: Vec<_> = network.layers.iter().map(|layer| &layer.shape).collect();
        let output = Command::new(&self.interpreter)
            .arg(&self.program)
            .args([&data, Path::new(&serde_json::to_string(&shapes)?)])
            .current_dir(folder)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start NNCodec")?;
        if !output.status.success() {
            bail!("NNCodec failed");
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().context("NNCodec said nothing")?;
        let Answer { bytes, encode_s, decode_s, settings } =
            serde_json::from_str(line).with_context(|| format!("NNCodec said {line:?}"))?;
        Ok(Measured { bytes, encode_s, decode_s, settings })
    }
}
