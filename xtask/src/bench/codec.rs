//! `cargo xtask bench codec`: the tiers against general and neural codecs, in bytes and in time.

use anyhow::{Result, bail};

/// Sizes and speeds of the three tiers against zstd, xz and NNCodec on the same tensors
#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: &Arguments) -> Result<()> {
    bail!("the comparison of codecs is not here yet")
}
