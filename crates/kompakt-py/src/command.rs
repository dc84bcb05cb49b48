//! The command line, as the wheel brings it.

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs `kompakt` with the given command line, the program's name first, and returns its exit code.
///
/// The process belongs to the command: signals end it.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| kompakt::front_door_of(arguments))
}
