//! `cargo xtask bindings`: the loader as other languages see it, built and tried.
//!
//! ```text
//! crates/kompakt-py ─► maturin ─► wheel ─► a virtual environment in target/ ─► examples/classify.py
//! ```
//!
//! The C library needs nothing but a C compiler and is tried by the tests of `kompakt-capi`.

use anyhow::{Context, Result, bail};
use kompakt_runtime::{Model, Port, Session, SessionOptions};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds the Python wheel in an environment of its own and holds its example to the loader's own answer.
///
/// Errors: no Python 3.11 or newer, packages that cannot be had, a wheel that answers otherwise.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let environment = root.join("target/bindings/python");
    let python = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        call("python3", [OsStr::new("-m"), "venv".as_ref(), environment.as_os_str()])?;
    }
    let pip = |packages: &[&str]| {
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        call(&python, quiet.iter().chain(packages).map(OsStr::new))
    };
    pip(&["maturin>=1.9,<2", "numpy"])?;
    let wheels = root.join("target/bindings/wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).context("cannot empty target/bindings/wheels")?;
    }
    let manifest = root.join("crates/kompakt-py/Cargo.toml");
    let build = ["-m", "maturin", "build", "--release", "--quiet", "--manifest-path"].map(OsStr::new);
    call(&python, build.into_iter().chain([manifest.as_os_str(), "--out".as_ref(), wheels.as_os_str()]))?;
    let wheel = only_file(&wheels)?;
    pip(&["--force-reinstall", "--no-deps", &wheel.display().to_string()])?;

    let run = |example: &str, model: &Path, expected: &str| -> Result<()> {
        let example = root.join("crates/kompakt-py/examples").join(example);
        let output = Command::new(&python).args([&example, model]).output().context("cannot start Python")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || printed.trim_end() != expected {
            let talk = String::from_utf8_lossy(&output.stderr);
            bail!("{} printed {printed:?}, should be {expected:?}\n{talk}", example.display());
        }
        Ok(())
    };
    let fixture = |name: &str| root.join("fixtures/good").join(name);
    let classifier = fixture("perceptron-stream.kompakt");
    let expected = class(&classifier)?;
    run("classify.py", &classifier, &expected)?;
    let detector = fixture("convolutions-stream.kompakt");
    run("outputs.py", &detector, &outputs(&detector)?)?;
    let name = wheel.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    crate::say(&format!("{name}: the examples in Python print what the loader says: {expected}"));
    Ok(())
}

/// The lines of the example that prints all outputs, by the loader itself.
fn outputs(path: &Path) -> Result<String> {
    let model = Model::map(path)?;
    let mut session = Session::new(&model, &SessionOptions::default())?;
    session.run_raw(&vec![0.5; session.raw_shape().iter().product()], 1)?;
    let line = |(i, port): (usize, &Port)| {
        let values: String = session.output(i).iter().map(|v| format!(" {v:.6}")).collect();
        format!("{} {}:{values}", port.name, tuple(&port.shape))
    };
    Ok(session.outputs().iter().enumerate().map(line).collect::<Vec<_>>().join("\n"))
}

/// The line of the example that classifies, by the loader itself.
fn class(path: &Path) -> Result<String> {
    let model = Model::map(path)?;
    let mut session = Session::new(&model, &SessionOptions::default())?;
    let (shape, output) = (session.raw_shape(), session.output_shape().to_vec());
    let best = session.classify(&vec![0.5; shape.iter().product()], 1)?[0];
    let label = model.label(best.class);
    Ok(format!("{} {} {label} {:.6}", tuple(&shape), tuple(&output), best.probability))
}

/// A shape as Python prints it.
fn tuple(shape: &[usize]) -> String {
    let dims: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("({}{})", dims.join(", "), if dims.len() == 1 { "," } else { "" })
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = std::fs::read_dir(folder).context("maturin left no folder of wheels")?;
    Ok(entries.next().context("maturin built no wheel")??.path())
}

fn call<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Result<()> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command.args(arguments).stdout(std::io::stderr());
    let name = program.to_string_lossy();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}
