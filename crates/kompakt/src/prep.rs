//! `kompakt prep`: the available preprocessing of raw images.

use anyhow::Result;
use kompakt_data::NAMED;
use std::io::Write;

/// What `--prep` knows
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the presets, with the networks that want them, and the words that steps are written with
    List,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Command::List = arguments.command;
    let mut out = std::io::stdout().lock();
    for preset in NAMED {
        writeln!(out, "{:<10} {}", preset.name, preset.what)?;
        if !preset.words.is_empty() {
            writeln!(out, "{:<10} = {}", "", preset.words)?;
        }
    }
    write!(
        out,
        "\nWords, as in --prep 'resize=256 mean=0.485,0.456,0.406 std=0.226':\n  \
         resize=SIDE   pictures are scaled until the shorter side is SIDE, and the middle that the network takes is cut out\n  \
         resize        the same with an eighth more than the network takes (256 for 224)\n  \
         bgr           blue, green, red instead of red, green, blue\n  \
         bytes         the network takes 0 to 255, and mean and std are meant so\n  \
         mean=A,B,C    subtracted; one number, or one a channel\n  \
         mean=M.npy    a mean image, subtracted\n  \
         std=A,B,C     divided by; one number, or one a channel\n\
         All other steps: a JSON list, see spec/preprocessing.md.\n"
    )?;
    Ok(())
}
