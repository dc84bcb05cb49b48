//! `kompakt man`: manual pages, made from the same definitions as `--help`.

use anyhow::Context;
use std::path::PathBuf;

/// Write manual pages, one for each command, such as `kompakt man ~/.local/share/man/man1`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder to write into
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, command: clap::Command) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    clap_mangen::generate_to(command, folder)
        .with_context(|| format!("cannot write into {}", folder.display()))
}
