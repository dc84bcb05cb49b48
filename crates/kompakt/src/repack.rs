//! `kompakt repack`: the same content in another tier.

use crate::{
    failure::IntoAnyhow,
    options::TierName,
    output::Output,
    packed,
    progress::{Steps, begin, tell},
};
use anyhow::Result;
use kompakt_pack::{PackError, Packed};
use std::path::PathBuf;

/// Switch a packed file between its tiers, without loss
///
/// Content hash and order of units stay as they are; there and back gives the same bytes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The .kompakt file
    file: PathBuf,
    #[command(flatten)]
    output: Output,
    /// How weights are to be coded
    #[arg(long, value_enum)]
    tier: TierName,
    /// Leave out all that the network does not need to run: names, labels, history, accuracy, self-tests
    #[arg(long)]
    minimal: bool,
    /// --minimal, in version 2 of the format: the fewest bytes for a small network of tier smallest
    #[arg(long)]
    compact: bool,
}

const STEPS: Steps = &[(packed::CHECKING, 1.0), ("packing", 2.0), ("reading back", 1.0)];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    arguments.output.check(&[&arguments.file])?;
    let _shown = begin(false, STEPS);
    let bytes = packed::read(&arguments.file)?;
    let container = packed::parse(&arguments.file, &bytes)?;
    packed::checked(&arguments.file, &container, 0.0..1.0)?;
    let options = packed::options(arguments.tier, arguments.minimal, arguments.compact)?;
    arguments.output.write_with(|path| {
        let mut source = Packed::new(&container).map_err(PackError::into_anyhow)?;
        kompakt_pack::write(&mut source, &options, path, &packing).map_err(PackError::into_anyhow)?;
        Ok(())
    })
}

/// Reports the number of weights packed and their total. The file is read back after the last.
pub(crate) fn packing(done: u64, total: u64) {
    match done < total {
        true => tell("packing", done as f64 / total as f64),
        false => tell("reading back", f64::NAN),
    }
}
