//! The destination of a command's result: a file that appears completely or not at all, or stdout.

use crate::{
    identity::Identity,
    input::is_dash,
    process::{Failure, exit},
};
use anyhow::{Context, Result, bail};
use kompakt_files::{Scratch, Sibling};
use kompakt_model::Model;
use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// Where a command puts its result.
#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// Where the result goes; `-` is stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

impl Output {
    /// Refuses early what would fail late or destroy something: a terminal, a missing folder, a folder at
    /// the file's path, one of the files that the command reads. Call it before long work.
    ///
    /// `inputs` are all files and folders that are read; `-` is stdin, and missing files are ignored.
    pub fn check(&self, inputs: &[&Path]) -> Result<()> {
        self.check_writable()?;
        let Some(own) = Identity::of_output(&self.output) else { return Ok(()) };
        for input in inputs {
            if own.is_in(input) || companions(input).iter().any(|file| own.is_in(file)) {
                let message = format!(
                    "-o {} is a file that this command reads ({}): the result would take its place; \
                     give it another name",
                    self.output.display(),
                    input.display()
                );
                bail!(Failure::usage(message));
            }
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<()> {
        if is_dash(&self.output) {
            if io::stdout().is_terminal() {
                bail!(Failure::usage(
                    "the result is binary and stdout is a terminal: pass -o FILE, or pipe into the next stage"
                ));
            }
        } else if self.output.is_dir() {
            let message = format!("{} is a folder: name a file in it", self.output.display());
            bail!(Failure { code: exit::IO, message });
        } else if !is_special(&self.output) {
            Sibling::of(&self.output).with_context(|| self.no_folder())?;
        }
        Ok(())
    }

    /// Writes a model.
    pub fn write(&self, model: &Model) -> Result<()> {
        self.write_with(|path| Ok(model.write(path)?))
    }

    /// Lets `fill` write a file in a temporary folder, then moves it into place or copies it to stdout.
    pub fn write_with(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.check_writable()?;
        let what = || format!("cannot write {}", self.output.display());
        if !is_dash(&self.output) && !is_special(&self.output) {
            // Anything that `fill` leaves beside the file is removed with the folder.
            let scratch = Scratch::beside(&self.output).with_context(|| self.no_folder())?;
            fill(&scratch.path().join(RESULT)).with_context(what)?;
            return scratch.persist(RESULT, &self.output).with_context(what);
        }
        let scratch = Scratch::new().context("cannot make a temporary folder")?;
        let path = scratch.path().join(RESULT);
        fill(&path)?;
        let mut written = File::open(path).context("cannot read the temporary file")?;
        if is_dash(&self.output) {
            io::copy(&mut written, &mut io::stdout().lock()).context("writing to stdout")?;
            return io::stdout().flush().context("writing to stdout");
        }
        let mut to = File::options().write(true).open(&self.output).with_context(what)?;
        io::copy(&mut written, &mut to).with_context(what)?;
        Ok(())
    }

    fn no_folder(&self) -> String {
        let folder = self.output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        format!("cannot write to the folder {}", folder.display())
    }
}

/// The result's name in its temporary folder.
const RESULT: &str = "result";

/// Files that are read along with this one without being named: the labels of images, the weights of an ONNX
/// file.
fn companions(input: &Path) -> Vec<PathBuf> {
    let name = input.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.contains("images-idx3") {
        vec![input.with_file_name(name.replace("images-idx3", "labels-idx1"))]
    } else if let Some(stem) = name.strip_suffix(".npy") {
        vec![input.with_file_name(format!("{stem}-labels.npy"))]
    } else if name.ends_with(".onnx") {
        kompakt_import::onnx::external_files(input)
    } else {
        Vec::new()
    }
}

/// A device or a named pipe: written to, never replaced by a regular file.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}
