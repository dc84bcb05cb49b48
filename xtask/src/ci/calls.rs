//! Commands of one row: printed, run, and measured by the system.

use anyhow::{Context, Result, bail};
use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use wait4::Wait4;

/// Runs commands and adds up what they took, their own child processes included.
pub(crate) struct Calls {
    start: Instant,
    cpu: Duration,
}

impl Default for Calls {
    fn default() -> Self {
        Self { start: Instant::now(), cpu: Duration::ZERO }
    }
}

impl Calls {
    /// Cargo for this machine.
    pub(crate) fn cargo(&mut self, arguments: &[&str]) -> Result<()> {
        self.run(crate::cargo::cargo().args(arguments))
    }

    /// Runs a command to its end.
    ///
    /// Errors: it cannot be started, or fails.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<()> {
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let line = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        crate::say(&line);
        let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start `{line}`"))?;
        let used = child.wait4().with_context(|| format!("cannot wait for `{line}`"))?;
        self.cpu += used.rusage.utime + used.rusage.stime;
        if !used.status.success() {
            bail!("`{line}` failed ({})", used.status);
        }
        Ok(())
    }

    /// Seconds since the row began, and CPU seconds of its commands.
    pub(crate) fn seconds(&self) -> (f64, f64) {
        (self.start.elapsed().as_secs_f64(), self.cpu.as_secs_f64())
    }
}

/// Whether a program can be started at all.
pub(crate) fn exists(program: impl AsRef<OsStr>) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// The same command, ended after that many seconds (by coreutils' `timeout`, whose exit status is then 124).
pub(crate) fn within(seconds: &str, command: &Command) -> Command {
    let mut limited = Command::new("timeout");
    limited.arg(seconds).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}
