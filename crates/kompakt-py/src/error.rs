//! Rust's errors as Python's exceptions.

use kompakt::process::{exit, exit_code, in_one_line};
use kompakt_gpu::GpuError;
use kompakt_runtime::RuntimeError;
use pyo3::{
    PyErr,
    exceptions::{PyFileNotFoundError, PyOSError, PyPermissionError, PyRuntimeError, PyValueError},
};
use std::io;

pyo3::create_exception!(
    kompakt,
    TargetMissed,
    PyRuntimeError,
    "The size or the accuracy that was asked for cannot be reached.\n\nIts attribute `compressed` is what came nearest, or \
     `None` where nothing is left of the network's answers."
);

/// A file that cannot be read is an `OSError`; a thread that cannot be started, and a GPU that fails at a run, a `RuntimeError`; all
/// else a `ValueError`.
pub(crate) fn of_runtime(error: RuntimeError) -> PyErr {
    let text = error.to_string();
    match error {
        RuntimeError::Io { source, .. } => of_io(source.kind(), text),
        RuntimeError::Thread(_) | RuntimeError::Executor(_) => PyRuntimeError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}

/// What is wrong with a device is a `RuntimeError`; the loader's errors are its own.
pub(crate) fn of_device(error: GpuError) -> PyErr {
    match error {
        GpuError::Runtime(error) => of_runtime(error),
        error => PyRuntimeError::new_err(error.to_string()),
    }
}

/// An error of a command: what its exit code says.
pub(crate) fn of_command(error: &anyhow::Error) -> PyErr {
    let text = arguments_for_options(&in_one_line(error));
    match exit_code(error) {
        exit::USAGE | exit::INPUT => PyValueError::new_err(text),
        exit::IO | exit::BROKEN_PIPE => {
            let source = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
            of_io(source.map_or(io::ErrorKind::Other, io::Error::kind), text)
        }
        exit::TARGET_MISSED => TargetMissed::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// Any other error of a library: something about the input.
pub(crate) fn of_input(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// What messages call an option of the command line, by the name of the argument that stands for it.
fn arguments_for_options(text: &str) -> String {
    let mut parts = text.split("--");
    let mut all = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(part.len());
        let (option, rest) = part.split_at(end);
        all += &match option {
            "" => "--".to_string(),
            "judges" => "n_judges".into(),
            "labels" => "classes".into(),
            "ignore-labels" | "min-agreement" => "metric='agreement'".into(),
            other => other.replace('-', "_"),
        };
        all += rest;
    }
    all
}

fn of_io(kind: io::ErrorKind, text: String) -> PyErr {
    match kind {
        io::ErrorKind::NotFound => PyFileNotFoundError::new_err(text),
        io::ErrorKind::PermissionDenied => PyPermissionError::new_err(text),
        _ => PyOSError::new_err(text),
    }
}
