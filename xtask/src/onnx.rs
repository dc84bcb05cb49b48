//! `cargo xtask onnx`: import and export held against ONNX Runtime and the onnx package's own tests.
//!
//! ```text
//! onnx.backend.test.case.node ─► backend_cases.py ─► target/onnx/backend ─► example `cases` ─► right, refused, wrong
//! spellings.py, networks.py, microsoft.py ──► example `spellings` ─┬► results/onnx.md
//!                                                                  └► target/onnx/exports-spellings ─► check_exports.py
//! fixtures/onnx ──────────────► example `cases` ──► target/onnx/exports ─► check_exports.py (ONNX Runtime)
//! ```

mod page;

use anyhow::{Context, Result, bail};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What the figures were checked with.
const PACKAGES: [&str; 3] = ["onnx==1.23.2", "onnxruntime==1.32.0", "numpy"];

/// Runs the operator suite and the onnx package's tests of single operators, in an environment of its own below
/// `target/onnx`.
///
/// Errors: no Python 3.11 or newer, packages that cannot be installed, any wrong answer.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let folder = root.join("target/onnx");
    let python = environment(&folder.join("venv"))?;
    let (cases, backend) = (root.join("fixtures/onnx"), folder.join("backend"));
    let exports = emptied(folder.join("exports"))?;

    crate::say("the onnx package's tests of single operators");
    call(&python, [cases.join("backend_cases.py").as_os_str(), backend.as_os_str()])?;
    let tests = run_cases(&[&backend])?;
    spellings(root, &python, &cases, &folder, &tests)?;
    crate::say("the operator suite, and what is exported of it in ONNX Runtime");
    run_cases(&[&cases, &exports])?;
    call(&python, [cases.join("check_exports.py").as_os_str(), cases.as_os_str(), exports.as_os_str()])
}

/// An empty folder.
fn emptied(folder: PathBuf) -> Result<PathBuf> {
    let what = || format!("cannot empty {}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(what)?;
    }
    std::fs::create_dir_all(&folder).with_context(what)?;
    Ok(folder)
}

/// Writes what exporters write, imports it, makes `results/onnx.md` of what becomes of it, and runs what is exported again.
fn spellings(root: &Path, python: &Path, cases: &Path, folder: &Path, tests: &str) -> Result<()> {
    crate::say("what exporters write");
    let (folder, exports) =
        (&emptied(folder.join("spellings"))?, &emptied(folder.join("exports-spellings"))?);
    for script in ["spellings.py", "networks.py", "microsoft.py"] {
        let script = root.join("xtask/src/onnx").join(script);
        let status = Command::new(python)
            .args([script.as_os_str(), folder.as_os_str()])
            .env("PYTHONPATH", cases)
            .status();
        if !status.context("cannot start Python")?.success() {
            bail!("{} failed", script.display());
        }
    }
    let cargo = ["run", "--release", "--quiet", "-p", "kompakt-import", "--example", "spellings", "--"];
    let output =
        Command::new(env!("CARGO")).args(cargo).args([folder, exports]).stderr(Stdio::inherit()).output();
    let output = output.context("cannot start cargo")?;
    let text = String::from_utf8(output.stdout).context("the example's output")?;
    std::fs::write(root.join("results/onnx.md"), page::page(&text, tests)?)
        .context("writing results/onnx.md")?;
    if !output.status.success() {
        bail!("some spellings are imported wrongly; see results/onnx.md");
    }
    call(python, [cases.join("check_exports.py").as_os_str(), folder.as_os_str(), exports.as_os_str()])
}

/// A virtual environment with the packages; returns its Python.
fn environment(folder: &Path) -> Result<PathBuf> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        call("python3", [OsStr::new("-m"), "venv".as_ref(), folder.as_os_str()])?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    call(&python, pip.iter().chain(&PACKAGES).map(OsStr::new))?;
    Ok(python)
}

/// Runs the example `cases`; returns what it prints. Errors: any wrong answer.
fn run_cases(folders: &[&Path]) -> Result<String> {
    let cargo = ["run", "--release", "--quiet", "-p", "kompakt-import", "--example", "cases", "--"];
    let output = Command::new(env!("CARGO")).args(cargo).args(folders).stderr(Stdio::inherit()).output();
    let output = output.context("cannot start cargo")?;
    let text = String::from_utf8(output.stdout).context("the example's output")?;
    for line in text.lines().filter(|line| line.starts_with("WRONG") || line.contains(" cases: ")) {
        crate::say(line);
    }
    if !output.status.success() {
        bail!("some cases answer otherwise");
    }
    Ok(text)
}

fn call<'a>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<()> {
    let program = program.as_ref();
    let status = Command::new(program).args(arguments).status();
    let status = status.with_context(|| format!("cannot start {}", program.display()))?;
    if !status.success() {
        bail!("{} failed", program.display());
    }
    Ok(())
}
