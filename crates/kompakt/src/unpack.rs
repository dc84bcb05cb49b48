//! `kompakt unpack`: a packed file back into the interchange.

use crate::{
    failure::IntoAnyhow,
    output::Output,
    packed,
    progress::{Steps, begin, tell},
};
use anyhow::Result;
use kompakt_pack::PackError;
use std::path::{Path, PathBuf};

/// Turn a packed file back into a safetensors file
///
/// Clustered as it was packed (codebooks, codes, masks: what the stages work on), or with --dense one 32-bit number
/// a weight, as any framework reads it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The .kompakt file
    file: PathBuf,
    #[command(flatten)]
    output: Output,
    /// Every weight as a number, without codebooks and masks
    #[arg(long)]
    dense: bool,
}

const STEPS: Steps = &[(packed::CHECKING, 1.0), ("unpacking", 2.0)];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    arguments.output.check(&[&arguments.file])?;
    let _shown = begin(false, STEPS);
    let write = |path: &Path| {
        let unpacked = kompakt_pack::unpack_file(&arguments.file, arguments.dense, path, &tell);
        unpacked.map_err(|error| match error {
            PackError::Format(error) => packed::broken(&arguments.file, &error),
            other => other.into_anyhow().context(format!("cannot unpack {}", arguments.file.display())),
        })
    };
    arguments.output.write_with(write)
}
