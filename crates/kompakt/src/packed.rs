//! A container on the command line: read into memory, with errors that name the file.

use crate::{
    options::TierName,
    process::{Failure, exit},
    progress,
};
use anyhow::{Context, Result};
use kompakt_format::{Container, FormatError, Tier};
use kompakt_pack::{Checking, Options};
use std::{ops::Range, path::Path};

/// Progress label of [`checked`].
pub(crate) const CHECKING: &str = "checking";

/// How a file is to be written; `--compact` implies `--minimal`.
///
/// Errors: the compact form of another tier than `smallest`.
pub(crate) fn options(tier: TierName, minimal: bool, compact: bool) -> Result<Options> {
    let options = Options::new(tier.into());
    match compact {
        false => Ok(Options { minimal, ..options }),
        true if options.tier == Tier::Smallest => Ok(options.compact()),
        true => Err(Failure::usage("--compact is a form of the tier smallest alone").into()),
    }
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The container in them.
pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Container<'a>> {
    Container::parse(bytes).map_err(|e| broken(path, &e))
}

/// Checks every byte of a file, which is this share of all that the command checks (0 to 1).
pub(crate) fn checked(path: &Path, container: &Container<'_>, part: Range<f64>) -> Result<()> {
    let bytes = container.bytes();
    let tell = |share: f64| progress::tell(CHECKING, part.start + share * (part.end - part.start));
    let found = container.directory().verify_from(&mut Checking::new(bytes, bytes.len(), &tell));
    found.map_err(|e| broken(path, &e))
}

/// A broken rule, as an error of the program.
pub(crate) fn broken(path: &Path, error: &FormatError) -> anyhow::Error {
    Failure { code: exit::INPUT, message: format!("{}: {error}", path.display()) }.into()
}

/// Eight bytes as 16 hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
