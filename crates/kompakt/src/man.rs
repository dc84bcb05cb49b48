//! `kompakt man`: manual pages, made from the same definitions as `--help`.

use crate::output::Output;
use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;
use std::path::{Path, PathBuf};

/// Write manual pages, one for each command, such as `kompakt man ~/.local/share/man/man1`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder to write into
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, command: Command) -> Result<()> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    pages(&command, folder)
}

/// The page of a command and those of its subcommands, each of which appears completely or not at all.
fn pages(command: &Command, folder: &Path) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, folder)?;
    }
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).context("making a manual page")?;
    let output = Output { output: folder.join(man.get_filename()) };
    output.write_with(|path| std::fs::write(path, &page).context("writing a manual page"))
}
