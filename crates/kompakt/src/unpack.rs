//! `kompakt unpack`: a packed file back into the interchange.

use crate::packed;
use anyhow::Result;
use kompakt_checkpoint::stage::Output;
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

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    arguments.output.check()?;
    let bytes = packed::read(&arguments.file)?;
    let container = packed::parse(&arguments.file, &bytes)?;
    container.verify().map_err(|e| packed::broken(&arguments.file, &e))?;
    let write = |path: &Path| {
        kompakt_pack::unpack_to(&container, arguments.dense, path).map_err(PackError::into_anyhow)
    };
    arguments.output.write_with(write)
}
