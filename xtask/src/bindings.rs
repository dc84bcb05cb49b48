//! `cargo xtask bindings`: the Python package, built and tried as a user gets it.
//!
//! ```text
//! crates/kompakt-py ─► maturin ─► wheel ─► a fresh environment ─┬─► examples, held to the loader's own answer
//!                                          NumPy's newest       ├─► tests/, mypy
//!                                          NumPy's oldest ──────┴─► tests/ of arrays in and out
//! ```
//!
//! The wheel's libraries are those of the workspace (see the manifest of `kompakt-py`), so that only the command lines
//! are built anew, without the training engine.
//!
//! The C library needs nothing but a C compiler and is tried by the tests of `kompakt-capi`.

use anyhow::{Context, Result, bail};
use kompakt_runtime::{Model, Port, Session, SessionOptions};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// The most bytes of a wheel: 6 MiB.
const MOST_BYTES: u64 = 6 << 20;
/// The oldest NumPy that the package says it works with, or the oldest that there is for a newer Python; and what its tests
/// need.
const OLDEST: [&str; 6] = [
    "numpy==1.24.*; python_version < '3.12'",
    "numpy==1.26.*; python_version == '3.12'",
    "numpy==2.1.*; python_version == '3.13'",
    "numpy==2.3.*; python_version > '3.13'",
    "pytest",
    "hypothesis",
];

/// Builds the Python wheel, and tries it in fresh environments: its examples against the loader's own answer, its tests,
/// its types.
///
/// Errors: no Python 3.11 or newer, packages that cannot be installed, a wheel that answers otherwise or is
/// too large.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let tools = Environment::new(&root.join("target/bindings/tools"))?;
    tools.install(&["maturin>=1.9,<2"])?;
    let wheels = root.join("target/bindings/wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).context("cannot empty target/bindings/wheels")?;
    }
    let package = root.join("crates/kompakt-py");
    let manifest = package.join("Cargo.toml");
    let build =
        ["-m", "maturin", "build", "--release", "--quiet", "--compression-level", "9", "--manifest-path"]
            .map(OsStr::new);
    call(
        &tools.python,
        build.into_iter().chain([manifest.as_os_str(), "--out".as_ref(), wheels.as_os_str()]),
    )?;
    let wheel = only_file(&wheels)?;
    let n_bytes = wheel.metadata().context("the wheel")?.len();
    if n_bytes > MOST_BYTES {
        bail!("{} has {n_bytes} bytes, more than {MOST_BYTES}", wheel.display());
    }
    let newest = Environment::new(&root.join("target/bindings/python"))?;
    newest.install(&["numpy", "pytest", "hypothesis", "pandas", "tqdm", "mypy"])?;
    newest.reinstall(&wheel)?;
    let python = newest.python.clone();

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
    let tests = package.join("tests");
    newest.test(&[&tests])?;
    let strict = ["-m", "mypy", "--strict", "--cache-dir"].map(OsStr::new);
    let cache = root.join("target/bindings/mypy");
    let examples = package.join("examples");
    call(&python, strict.into_iter().chain([cache.as_os_str(), examples.as_os_str()]))?;
    let oldest = Environment::new(&root.join("target/bindings/oldest"))?;
    oldest.install(&OLDEST)?;
    oldest.reinstall(&wheel)?;
    oldest.test(
        &["test_arrays.py", "test_file.py", "test_run.py"]
            .map(|name| tests.join(name))
            .each_ref()
            .map(|p| &**p),
    )?;
    let name = wheel.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    crate::say(&format!(
        "{name}, {n_bytes} bytes: tests pass, and the examples in Python print what the loader says: {expected}"
    ));
    Ok(())
}

/// A virtual environment of Python.
struct Environment {
    python: PathBuf,
}

impl Environment {
    /// The one in `folder`, made if it is not there.
    fn new(folder: &Path) -> Result<Self> {
        let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        if !python.exists() {
            call("python3", [OsStr::new("-m"), "venv".as_ref(), folder.as_os_str()])?;
        }
        Ok(Self { python })
    }

    fn install(&self, packages: &[&str]) -> Result<()> {
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        call(&self.python, quiet.iter().chain(packages).map(OsStr::new))
    }

    /// Installs a wheel, replacing one of the same version.
    fn reinstall(&self, wheel: &Path) -> Result<()> {
        self.install(&["--force-reinstall", "--no-deps", &wheel.display().to_string()])
    }

    fn test(&self, paths: &[&Path]) -> Result<()> {
        let quiet = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider"].map(OsStr::new);
        call(&self.python, quiet.into_iter().chain(paths.iter().map(|path| path.as_os_str())))
    }
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
