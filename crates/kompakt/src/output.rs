//! Where a command puts its result: a file that appears whole or not at all, or stdout.

use crate::{
    input::is_dash,
    process::{Failure, exit},
};
use anyhow::{Context, Result, bail};
use kompakt_model::Model;
use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// Where a stage puts its model.
#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// Where the result goes; `-` is stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

impl Output {
    /// Refuses early what would fail late: a terminal, a folder that is not there. Call it before long work.
    pub fn check(&self) -> Result<()> {
        if is_dash(&self.output) {
            if io::stdout().is_terminal() {
                bail!(Failure {
                    code: exit::USAGE,
                    message: "the result is binary and stdout is a terminal: \
                              pass -o FILE, or pipe into the next stage"
                        .to_string(),
                });
            }
        } else if !is_special(&self.output) {
            tempfile_beside(&self.output)?;
        }
        Ok(())
    }

    /// Writes a model.
    pub fn write(&self, model: &Model) -> Result<()> {
        self.write_with(|path| Ok(model.write(path)?))
    }

    /// Lets `fill` write a temporary file, then moves it to its place or copies it to stdout.
    pub fn write_with(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.check()?;
        if is_dash(&self.output) || is_special(&self.output) {
            let file = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
            fill(file.path())?;
            // Not `reopen`: `fill` may have put another file in this one's place.
            let mut written = File::open(file.path()).context("cannot read the temporary file")?;
            if !is_dash(&self.output) {
                let what = || format!("cannot write {}", self.output.display());
                let mut to = File::options().write(true).open(&self.output).with_context(what)?;
                io::copy(&mut written, &mut to).with_context(what)?;
                return Ok(());
            }
            io::copy(&mut written, &mut io::stdout().lock()).context("writing to stdout")?;
            io::stdout().flush().context("writing to stdout")?;
            return Ok(());
        }
        let file = tempfile_beside(&self.output)?;
        let permissions = file.as_file().metadata()?.permissions();
        fill(file.path()).with_context(|| format!("cannot write {}", self.output.display()))?;
        // `fill` may have put another file in this one's place, as the safetensors library does.
        std::fs::set_permissions(file.path(), permissions)?;
        File::open(file.path())?.sync_all()?;
        file.persist(&self.output).with_context(|| format!("cannot write {}", self.output.display()))?;
        Ok(())
    }
}

/// A device or a named pipe: written to, never replaced by a file of its name.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

fn tempfile_beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kompakt-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Readable as any new file is (the umask still applies), not private as temporary files are by default.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).with_context(|| format!("cannot write to the folder {}", folder.display()))
}
