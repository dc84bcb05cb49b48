//! `kompakt patch`: a newer edition of a packed file, from the older one and a patch.

use crate::{
    failure::IntoAnyhow,
    input::present,
    output::Output,
    packed,
    progress::{Steps, begin, tell},
};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Make the newer edition of a packed file from the older one and a patch of `kompakt diff --patch`
///
/// The result is the new file, byte for byte, signatures included; a patch fits exactly one old file and is refused on any other
/// (exit code 3).
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The older .kompakt file
    old: PathBuf,
    /// The patch
    patch: PathBuf,
    #[command(flatten)]
    output: Output,
}

const STEPS: Steps = &[("patching", 1.0)];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let inputs = [&*arguments.old, &*arguments.patch];
    arguments.output.check(&inputs)?;
    present(&inputs)?;
    let _shown = begin(false, STEPS);
    let (old, patch) = (packed::read(&arguments.old)?, packed::read(&arguments.patch)?);
    tell("patching", f64::NAN);
    let new = kompakt_delta::patch(&old, &patch)
        .map_err(IntoAnyhow::into_anyhow)
        .with_context(|| format!("{} on {}", arguments.patch.display(), arguments.old.display()))?;
    arguments.output.write_with(|path| Ok(std::fs::write(path, &new)?))
}
