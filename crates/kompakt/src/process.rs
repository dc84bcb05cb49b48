//! How a command behaves as a process.
//!
//! A stage reads one model and writes one model: `a < in | b > out`, or `a in -o out`, with `-` for the standard
//! streams (see [`Input`](crate::Input), [`Output`](crate::Output)). stdout carries data and stderr messages.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | failed for a reason that is none of the following |
//! | 2 | the command line is wrong |
//! | 3 | the input is not what the command can work on: not a model, cut off, of the wrong kind |
//! | 4 | something could not be read or written: missing file or data, full disk, no permission |
//! | 5 | the work was done but its target was missed |
//! | 141 | the reader of our output went away (a broken pipe); nothing is printed |
//!
//! SIGINT, SIGTERM and SIGHUP end a command by that signal (a shell shows 130, 143, 129) after its temporary files are
//! removed.

use crate::signals;
use anyhow::Result;
use kompakt_model::CheckpointError;
use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
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
    /// The message.
    pub message: String,
}

impl Failure {
    /// A wrong command line.
    pub fn usage(message: impl ToString) -> Self {
        Self { code: exit::USAGE, message: message.to_string() }
    }

    /// An input that the command cannot work on.
    pub fn input(message: impl ToString) -> Self {
        Self { code: exit::INPUT, message: message.to_string() }
    }
}

/// Runs a stage and turns its result into an exit code and at most one line on stderr.
pub fn run(program: &str, stage: impl FnOnce() -> Result<()>) -> ExitCode {
    ExitCode::from(code_of(program, stage))
}

/// As [`run`], with the exit code as a number.
#[expect(clippy::print_stderr, reason = "this is the one place where a stage's failure is reported")]
pub(crate) fn code_of(program: &str, stage: impl FnOnce() -> Result<()>) -> u8 {
    signals::watch();
    let error = match until_the_reader_leaves(stage) {
        None => return exit::BROKEN_PIPE,
        Some(Ok(())) => return 0,
        Some(Err(error)) => error,
    };
    signals::wait_if_ending();
    let code = exit_code(&error);
    if code != exit::BROKEN_PIPE {
        eprintln!("{program}: {}", in_one_line(&error));
    }
    code
}

/// The result of `stage`; `None` if the reader of stdout went away while `println!` wrote to it, which the standard library
/// answers with a panic.
fn until_the_reader_leaves<T>(stage: impl FnOnce() -> T) -> Option<T> {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_broken_pipe(panic.payload()) {
            told(panic);
        }
    }));
    // What a stage holds is dropped while it unwinds, temporary files included, and is not looked at afterwards.
    match catch_unwind(AssertUnwindSafe(stage)) {
        Ok(result) => Some(result),
        Err(payload) if is_broken_pipe(&*payload) => None,
        Err(payload) => resume_unwind(payload),
    }
}

fn is_broken_pipe(payload: &(dyn Any + Send)) -> bool {
    let broken = io::Error::from_raw_os_error(EPIPE).to_string();
    let text = payload.downcast_ref::<String>();
    text.is_some_and(|text| text.starts_with("failed printing to stdout") && text.ends_with(&broken))
}

/// The system's number for a pipe without a reader.
const EPIPE: i32 = if cfg!(windows) { 232 } else { 32 };

/// An error and its causes; a cause that is already contained in the text before it is not repeated.
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

/// The exit code of an error.
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
