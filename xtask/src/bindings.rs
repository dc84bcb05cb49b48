//! `cargo xtask bindings`: the Python package, built and tried as a user gets it.
//!
//! ```text
//! crates/kompakt-py ─► maturin ─► wheel ─► a fresh environment ─┬─► examples, held to the loader's own answer
//!                                          NumPy's newest       ├─► tests/, mypy
//!                                          NumPy's oldest ──────┴─► tests/ of arrays in and out
//! ```
//!
//! Rows of their own, with the same wheel: sweeps on Ray, and the part for PyTorch.
//!
//! The C library needs nothing but a C compiler and is tried by the tests of `kompakt-capi`.

mod torch;

use crate::python::{self, Environment, call};
use anyhow::{Context, Result, bail};
use kompakt_runtime::{Model, Port, Session, SessionOptions};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

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

/// What the tests use, newest.
const NEWEST: [&str; 10] = [
    "numpy",
    "pytest",
    "pytest-xdist",
    "hypothesis",
    "pandas",
    "tqdm",
    "huggingface_hub",
    "matplotlib",
    "mypy",
    "pyright",
];

/// Build the Python wheel and try it in environments of its own
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Try only sweeps on Ray, with the wheel that is there
    #[arg(long)]
    ray: bool,
    /// Try only the part for PyTorch, with the wheel that is there
    #[arg(long, conflicts_with = "ray")]
    torch: bool,
}

/// Does what is asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    match arguments {
        Arguments { ray: true, .. } => on_ray(root),
        Arguments { torch: true, .. } => torch::run(root),
        _ => wheel(root),
    }
}

/// Builds the Python wheel, and tries it in fresh environments: its examples against the loader's own answer, its tests,
/// its types.
///
/// Errors: no Python 3.11 or newer, packages that cannot be installed, a wheel that answers otherwise or is
/// too large.
fn wheel(root: &Path) -> Result<()> {
    let package = root.join("crates/kompakt-py");
    let wheel = python::wheel(root, root)?;
    let n_bytes = wheel.metadata().context("the wheel")?.len();
    let newest = Environment::new(&root.join("target/bindings/python"))?;
    newest.install(&NEWEST)?;
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
    newest.test(&[&tests], program(root).as_deref(), 2)?;
    let strict = ["-m", "mypy", "--strict", "--cache-dir"].map(OsStr::new);
    let cache = root.join("target/bindings/mypy");
    let examples = package.join("examples");
    call(&python, strict.into_iter().chain([cache.as_os_str(), examples.as_os_str()]))?;
    let pyright = ["-m", "pyright", "--pythonpath"].map(OsStr::new);
    call(&python, pyright.into_iter().chain([python.as_os_str(), examples.as_os_str()]))?;
    newest.end()?;
    let oldest = Environment::new(&root.join("target/bindings/oldest"))?;
    oldest.install(&OLDEST)?;
    oldest.reinstall(&wheel)?;
    oldest.test(
        &["test_arrays.py", "test_file.py", "test_run.py"]
            .map(|name| tests.join(name))
            .each_ref()
            .map(|p| &**p),
        None,
        1,
    )?;
    oldest.end()?;
    let name = wheel.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    crate::say(&format!(
        "{name}, {n_bytes} bytes: tests pass, and the examples in Python print what the loader says: {expected}"
    ));
    Ok(())
}

/// Tries sweeps on a cluster of several nodes on this machine, of Ray's own making, one of which is killed, and by Ray's client port,
/// with the wheel that `wheel` left.
///
/// Errors: no wheel, no program with the training engine, packages that cannot be installed, tests that fail.
fn on_ray(root: &Path) -> Result<()> {
    let wheel =
        python::only_file(&root.join("target/bindings/wheels")).context("`cargo xtask bindings` first")?;
    let environment = Environment::new(&root.join("target/bindings/ray"))?;
    environment.install(&["ray[client]==2.60.*", "numpy", "pytest"])?;
    environment.reinstall(&wheel)?;
    if program(root).is_none() {
        bail!("`cargo build --release --package kompakt` first: a sweep calls the program that trains");
    }
    let tests = [
        "test_a_cluster_that_loses_a_node_leaves_the_same_bytes",
        "test_a_client_that_is_no_node_gets_the_same_bytes",
    ];
    let tests = tests.map(|name| root.join(format!("crates/kompakt-py/tests/test_sweep.py::{name}")));
    environment.test(&tests.each_ref().map(|p| &**p), program(root).as_deref(), 1)?;
    environment.end()
}

/// The program with the training engine, if it is built.
fn program(root: &Path) -> Option<PathBuf> {
    let path = root.join("target/release").join(format!("kompakt{}", std::env::consts::EXE_SUFFIX));
    path.exists().then_some(path)
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
pub(crate) fn class(path: &Path) -> Result<String> {
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
