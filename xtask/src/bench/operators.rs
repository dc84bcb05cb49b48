//! `cargo xtask bench operators`: attention, norms and recurrence beside ONNX Runtime, one small network a row.
//!
//! ```text
//! operators.py ─► NAME.onnx ─┬─────────────────────────────► ONNX Runtime ─┐
//!                            └► kompakt import, pack ► libkompakt_capi ────┴► by turns ─► results/operators.md
//! ```

use anyhow::{Context, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const PROGRAM: &str = include_str!("operators/operators.py");
const PACKAGES: [&str; 3] = ["numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.32.0"];
/// Text written by hand.
const HEAD: &str = include_str!("operators/head.md");
const NOTES: &str = include_str!("operators/notes.md");

/// Measure attention, norms and recurrent layers beside ONNX Runtime, in f32 and one thread
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only rows whose group and text contain one of these, printed and not written
    rows: Vec<String>,
    /// Turns that both engines get
    #[arg(long, value_name = "N", default_value_t = 25)]
    rounds: usize,
    /// Where the page goes
    #[arg(long, value_name = "FILE", default_value = "results/operators.md")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let folder = root.join("target/bench/operators");
    std::fs::create_dir_all(&folder).context("cannot make target/bench/operators")?;
    let python = folder.join(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" });
    if !python.exists() {
        call(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    call(Command::new(&python).args(pip).args(PACKAGES))?;
    crate::pipeline::process::build_all()?;
    let build = ["build", "--release", "--quiet", "--package", "kompakt-capi"];
    call(crate::cargo::cargo().args(build).current_dir(root))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let program = folder.join("operators.py");
    std::fs::write(&program, PROGRAM).context("cannot write operators.py")?;
    crate::say("measuring: two minutes");
    let output = Command::new(&python)
        .arg(&program)
        .arg(target.join("release").join(format!("kompakt{}", std::env::consts::EXE_SUFFIX)))
        .arg(target.join("release").join(format!("{prefix}kompakt_capi{suffix}")))
        .args([root.join("tools"), folder])
        .arg(arguments.rounds.to_string())
        .args(&arguments.rows)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start Python")?;
    if !output.status.success() {
        bail!("operators.py failed ({})", output.status);
    }
    let tables = String::from_utf8(output.stdout).context("the output of operators.py")?;
    print!("{tables}");
    if arguments.rows.is_empty() {
        let page = root.join(&arguments.output);
        std::fs::write(&page, format!("{HEAD}{tables}{NOTES}"))
            .with_context(|| format!("cannot write {}", page.display()))?;
    }
    Ok(())
}

fn call(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}
