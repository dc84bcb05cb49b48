//! `kompakt completions`: a shell's completion script.

use clap_complete::Shell;

/// Print a completion script, such as `kompakt completions bash > ~/.local/share/bash-completion/completions/kompakt`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shell to print for
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, command: &mut clap::Command) -> anyhow::Result<()> {
    clap_complete::generate(arguments.shell, command, "kompakt", &mut std::io::stdout().lock());
    Ok(())
}
