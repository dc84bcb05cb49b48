//! `kompakt repack`: the same content in another tier.

use crate::{failure::IntoAnyhow, options::TierName, output::Output, packed, progress::with_progress};
use anyhow::Result;
use kompakt_pack::{Options, PackError, Packed};
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
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    arguments.output.check(&[&arguments.file])?;
    let bytes = packed::read(&arguments.file)?;
    let container = packed::parse(&arguments.file, &bytes)?;
    container.verify().map_err(|e| packed::broken(&arguments.file, &e))?;
    let options = Options { minimal: arguments.minimal, ..Options::new(arguments.tier.into()) };
    arguments.output.write_with(|path| {
        let mut source = Packed::new(&container).map_err(PackError::into_anyhow)?;
        with_progress(false, |tell| {
            let tell = |done: u64, total: u64| tell("packing", done as f64 / f64::max(total as f64, 1.0));
            kompakt_pack::write(&mut source, &options, path, &tell)
        })
        .map_err(PackError::into_anyhow)?;
        Ok(())
    })
}
