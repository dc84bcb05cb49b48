//! The device that a network is run on.

use super::coded;
use crate::{
    ByteCount,
    process::{Failure, exit},
};
use anyhow::{Error, Result};
use kompakt_gpu::{Decode, Device, GpuError, GpuOptions};
use kompakt_runtime::{Model, Session, SessionOptions};
use std::time::Duration;

/// Where a network is run, and how.
#[derive(Debug, clap::Args)]
pub struct DeviceOptions {
    /// What to run on: cpu, gpu, gpu:NAME (a part of the name that `kompakt devices` shows), or auto, which takes a GPU
    /// where there is one that is not software
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: Device,
    /// On a GPU: the most video memory that it may take, as 64MB; layers that do not fit are brought from the file at
    /// every run
    #[arg(long, value_name = "BYTES")]
    pub vram: Option<ByteCount>,
    /// On a GPU: keep values between layers in 16 bits
    #[arg(long)]
    pub half: bool,
    /// On a GPU: when it decodes layers of the tier stream: load (once), run (at every run, which takes the least memory),
    /// or host (once, by the processor)
    #[arg(long, default_value = "load", value_name = "WHEN")]
    pub decode: Decode,
    /// On a GPU: the longest that it may take to answer, for a run or for the upload of a layer; then the command fails
    /// [default: 60, on a GPU in software 600]
    #[arg(long, value_name = "SECONDS", value_parser = timeout)]
    pub timeout: Option<Duration>,
}

fn timeout(text: &str) -> Result<Duration, String> {
    GpuOptions::timeout_of(text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?)
}

impl DeviceOptions {
    /// A session on the device. The choice of `auto` goes to stderr.
    #[expect(clippy::print_stderr, reason = "talk of a binary")]
    pub(super) fn session<'m>(&self, model: &'m Model<'m>, options: &SessionOptions) -> Result<Session<'m>> {
        let mut gpu = GpuOptions::default();
        gpu.vram_budget = self.vram.map(|bytes| bytes.0 as u64);
        gpu.half = self.half;
        gpu.decode = self.decode;
        gpu.timeout = self.timeout;
        let opened = kompakt_gpu::session(model, options, &self.device, &gpu).map_err(failed)?;
        if let Some(note) = opened.note {
            eprintln!("kompakt-run: {note}");
        }
        Ok(opened.session)
    }
}

/// An error of a device with the exit code that it stands for.
fn failed(error: GpuError) -> Error {
    let code = match error {
        GpuError::Runtime(error) => return coded(error),
        GpuError::NoAdapter { .. }
        | GpuError::NotBuilt
        | GpuError::Feature { .. }
        | GpuError::Budget { .. } => exit::USAGE,
        GpuError::Unsupported(_) | GpuError::Limit { .. } => exit::INPUT,
        _ => exit::FAILURE,
    };
    Failure { code, message: error.to_string() }.into()
}
