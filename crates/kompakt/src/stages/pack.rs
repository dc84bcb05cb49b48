//! The command line of `kompakt-pack`.

use super::Stage;
use crate::{
    failure::IntoAnyhow,
    input::Input,
    options::TierName,
    output::Output,
    packed,
    process::Failure,
    progress::{Steps, begin, tell},
    repack::packing,
};
use anyhow::{Context, Result, bail};
use kompakt_format::Container;
use kompakt_model::ModelFile;
use kompakt_pack::{InMemory, PackError, Source, Streamed, account::Account, table, write};
use std::path::Path;

/// A model of more weights than this is read tensor by tensor, and its units keep their order.
const IN_MEMORY_ELEMENTS: usize = 1 << 26;

/// Packs a model into a .kompakt file.
///
/// Lossless: masks, codes, codebooks and numbers come out as they went in. The file is read back before it takes its
/// place. A table of where its bytes are goes to stderr.
#[derive(Debug, clap::Parser)]
#[command(version, name = "kompakt-pack")]
pub struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    /// How weights are coded; `kompakt repack` switches without loss
    #[arg(long, value_enum, default_value_t = TierName::Smallest)]
    tier: TierName,
    /// Leave out all that the network does not need to run: names, labels, history, accuracy, self-tests
    #[arg(long)]
    minimal: bool,
    /// --minimal, in version 2 of the format: the fewest bytes for a small network of tier smallest
    #[arg(long)]
    compact: bool,
    /// Store N inputs with the outputs that they should give
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["minimal", "compact"])]
    self_test: usize,
    /// Leave hidden units in the order they have
    #[arg(long)]
    keep_order: bool,
    /// Do not print the table
    #[arg(short, long)]
    quiet: bool,
}

const STEPS: Steps = &[("reading", 0.2), ("packing", 2.0), ("reading back", 1.0)];

impl Stage for Args {
    const PROGRAM: &str = "kompakt-pack";

    fn run(&self) -> Result<()> {
        self.output.check(&self.input.files())?;
        let _shown = begin(self.quiet, STEPS);
        tell("reading", f64::NAN);
        let mut source = self.source(self.input.open()?)?;
        let options = packed::options(self.tier, self.minimal, self.compact)?;
        let dense_bytes = source.about().dense_parameters().map(|n| 4 * n);
        self.output.write_with(|path| {
            write(source.as_mut(), &options, path, &packing).map_err(PackError::into_anyhow)?;
            if !self.quiet {
                print_table(path, source.about().graph().n_parameters(), dense_bytes)?;
            }
            Ok(())
        })
    }
}

impl Args {
    fn source(&self, file: ModelFile) -> Result<Box<dyn Source>> {
        if file.graph().n_parameters() > IN_MEMORY_ELEMENTS {
            if self.self_test > 0 {
                bail!(Failure::usage("--self-test needs the whole network in memory; this one is too large"));
            }
            return Ok(Box::new(Streamed::new(file).map_err(PackError::into_anyhow)?));
        }
        let model = file.into_model()?;
        let source = if self.keep_order { InMemory::new(model) } else { InMemory::ordered(model) };
        let mut source = source.map_err(PackError::into_anyhow)?;
        if self.self_test > 0 {
            source.add_self_tests(self.self_test).map_err(PackError::into_anyhow)?;
        }
        Ok(Box::new(source))
    }
}

#[expect(clippy::print_stderr, reason = "talk of a binary")]
fn print_table(path: &Path, n_parameters: usize, dense_bytes: Option<u64>) -> Result<()> {
    if n_parameters > IN_MEMORY_ELEMENTS {
        // The table decodes everything, which takes a while.
        let bytes = path.metadata().context("reading the container back")?.len();
        eprintln!("{bytes} bytes; `kompakt inspect` shows where they are");
        return Ok(());
    }
    let bytes = std::fs::read(path).context("reading the container back")?;
    let account = Account::of(&Container::parse(&bytes)?)?;
    eprint!("{}", table(&account, dense_bytes));
    Ok(())
}
