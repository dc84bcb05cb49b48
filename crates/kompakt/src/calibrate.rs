//! `kompakt calibrate`: the ranges that int8 activations need, for a packed file.

use crate::{
    calibration::Calibration,
    failure::IntoAnyhow,
    network::failed,
    output::Output,
    packed,
    progress::{Steps, begin, tell},
};
use anyhow::{Context, Result};
use kompakt_compress::calibrated;
use kompakt_pack::PackError;
use std::path::PathBuf;

/// Add to a packed file the ranges of the values that layers read, for `--activations int8`
///
/// The network is run on training images of --data, or without data on synthetic inputs of the kind that it takes, as far as
/// that can be told; real images give better ranges. Nothing else of the file changes: its content hash stays.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  kompakt calibrate lenet5.kompakt -o lenet5-int8.kompakt --data mnist\n  kompakt eval \
                        lenet5-int8.kompakt --data mnist --activations int8"
)]
pub(crate) struct Arguments {
    /// The .kompakt file
    file: PathBuf,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    calibration: Calibration,
}

const STEPS: Steps = &[(packed::CHECKING, 1.0), ("reading images", 1.0), ("measuring ranges", 4.0)];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut inputs = vec![arguments.file.as_path()];
    inputs.extend(arguments.calibration.files());
    arguments.output.check(&inputs)?;
    arguments.calibration.present()?;
    let _shown = begin(false, STEPS);
    let bytes = packed::read(&arguments.file)?;
    let container = packed::parse(&arguments.file, &bytes)?;
    packed::checked(&arguments.file, &container, 0.0..1.0)?;
    let mut model = kompakt_pack::unpack(&container, false, &|_, _| ()).map_err(PackError::into_anyhow)?;
    let pictures = arguments.calibration.read(&mut model)?;
    let made = calibrated(&bytes, pictures.as_ref().map(|p| &p.seen), &tell).map_err(failed)?;
    arguments.output.write_with(|path| std::fs::write(path, &made).context("writing the file"))
}
