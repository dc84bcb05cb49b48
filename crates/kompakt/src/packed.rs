//! A container on the command line: read whole, with errors that name the file.

use crate::process::{Failure, exit};
use anyhow::{Context, Result};
use kompakt_format::{Container, FormatError};
use std::path::Path;

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The container in them.
pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Container<'a>> {
    Container::parse(bytes).map_err(|e| broken(path, &e))
}

/// A broken rule, as an error of the program.
pub(crate) fn broken(path: &Path, error: &FormatError) -> anyhow::Error {
    Failure { code: exit::INPUT, message: format!("{}: {error}", path.display()) }.into()
}

/// Eight bytes as 16 digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
