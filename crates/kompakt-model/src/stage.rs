//! How a stage behaves as a process.
//!
//! A stage reads one model and writes one model: `a < in | b > out`, or `a in -o out`, with `-` for the standard
//! streams. stdout carries data and stderr talk. A model appears at its destination whole or not at all.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | failed for a reason that is none of the following |
//! | 2 | the command line is wrong |
//! | 3 | the input is not what the stage can work on: not a model, cut off, of the wrong kind |
//! | 4 | something could not be read or written: missing file or data, full disk, no permission |
//! | 5 | the work was done but its target was missed |
//! | 141 | whoever reads our output went away (a broken pipe); nothing is said |

use crate::{error::CheckpointError, graph_json::graph_from_json, model::Model, read::ModelFile};
use anyhow::{Context, Result, bail};
use kompakt_graph::Graph;
use std::{
    fs::File,
    io::{self, IsTerminal, Read, Seek, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Exit codes, as in the table of this module.
pub mod exit {
    /// Failed for a reason that has no code of its own.
    pub const FAILURE: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// The input is not what the stage can work on.
    pub const INPUT: u8 = 3;
    /// Something could not be read or written.
    pub const IO: u8 = 4;
    /// The work was done but its target was missed.
    pub const TARGET_MISSED: u8 = 5;
    /// The reader of our output went away.
    pub const BROKEN_PIPE: u8 = 141;
}

/// An error that brings its own exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// One of [`exit`].
    pub code: u8,
    /// What to say.
    pub message: String,
}

/// Where a stage gets its model.
#[derive(Debug, Clone, clap::Args)]
pub struct Input {
    /// The model to work on, as another stage wrote it; `-` is stdin
    #[arg(value_name = "MODEL", default_value = "-")]
    pub model: PathBuf,
    /// The network, for a safetensors file that does not carry it (see spec/interchange.md)
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
}

impl Input {
    /// Reads the whole model.
    pub fn read(&self) -> Result<Model> {
        self.open()?.into_model().with_context(|| self.describe())
    }

    /// Opens the model, to read its parameters one at a time. stdin is spooled to a temporary file.
    pub fn open(&self) -> Result<ModelFile> {
        let graph = self.graph.as_deref().map(read_graph).transpose()?;
        let file = if is_dash(&self.model) {
            spool_stdin()?
        } else {
            File::open(&self.model).with_context(|| format!("cannot open {}", self.model.display()))?
        };
        ModelFile::open(file, graph).with_context(|| self.describe())
    }

    fn describe(&self) -> String {
        if is_dash(&self.model) { "stdin".to_string() } else { self.model.display().to_string() }
    }
}

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

/// Runs a stage and turns its result into an exit code and at most one line on stderr.
#[expect(clippy::print_stderr, reason = "this is the one place where a stage's failure is reported")]
pub fn run(program: &str, stage: impl FnOnce() -> Result<()>) -> ExitCode {
    let Err(error) = stage() else { return ExitCode::SUCCESS };
    let code = exit_code(&error);
    if code != exit::BROKEN_PIPE {
        eprintln!("{program}: {}", in_one_line(&error));
    }
    ExitCode::from(code)
}

/// An error and its causes; a cause that the words before it say already is not said again.
pub fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line += &format!(": {cause}");
        }
    }
    line
}

/// The exit code that an error stands for.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.code;
        }
        if let Some(source) = cause.downcast_ref::<io::Error>() {
            return if source.kind() == io::ErrorKind::BrokenPipe { exit::BROKEN_PIPE } else { exit::IO };
        }
    }
    let is_input = error.chain().any(|c| {
        c.downcast_ref::<CheckpointError>().is_some()
            || c.downcast_ref::<kompakt_graph::GraphError>().is_some()
    });
    if is_input { exit::INPUT } else { exit::FAILURE }
}

/// Reads a graph file.
pub fn read_graph(path: &Path) -> Result<Graph> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| CheckpointError::Metadata(format!("graph: {e}")))
        .with_context(|| path.display().to_string())?;
    graph_from_json(&value).with_context(|| path.display().to_string())
}

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// A device or a named pipe: written to, never replaced by a file of its name.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

fn spool_stdin() -> Result<File> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        bail!(Failure {
            code: exit::USAGE,
            message: "a model is expected on stdin, which is a terminal: pass a file, or pipe a stage into this one"
                .to_string(),
        });
    }
    let mut file = tempfile::tempfile().context("cannot make a temporary file for stdin")?;
    io::copy(&mut stdin.by_ref(), &mut file).context("reading stdin")?;
    file.rewind()?;
    Ok(file)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let writing = CheckpointError::Io { what: "writing the model".to_string(), source: full() };
        let line = in_one_line(&anyhow::Error::new(writing).context("cannot write m"));
        assert_eq!(line, format!("cannot write m: writing the model: {}", full()));
        assert_eq!(in_one_line(&anyhow::anyhow!("b").context("a")), "a: b");
    }
}
