//! The stages as programs: their options, inputs, outputs and messages.
//!
//! Every stage is a subcommand of `kompakt` and a binary of its own, `kompakt-STAGE`, with the same options.
//! The computation of a stage is in a library; here is only its command line.

pub mod cluster;
#[cfg(feature = "train")]
pub mod finetune;
pub mod pack;
pub mod prep;
pub mod prune;
pub mod rate;
pub mod run;
#[cfg(feature = "train")]
pub mod train;

use crate::process;
use anyhow::Result;
use std::process::ExitCode;

/// A stage's command line.
pub trait Stage: clap::Parser {
    /// The name of its binary.
    const PROGRAM: &str;

    /// Runs the command. Errors carry their exit code.
    fn run(&self) -> Result<()>;
}

/// The entire `main` of a stage's binary.
pub fn main<S: Stage>() -> ExitCode {
    let arguments = S::parse();
    process::run(S::PROGRAM, || arguments.run())
}
