//! One stage as a child process: started, watched, and measured by the system.

use anyhow::{Context, Result, bail};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};
use wait4::Wait4;

/// The cost of a finished stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// From start to end.
    pub(crate) wall_s: f64,
    /// Largest resident set of the process.
    pub(crate) peak_rss_bytes: u64,
}

/// A stage's program and its arguments.
pub(crate) struct Stage {
    program: String,
    arguments: Vec<String>,
}

impl Stage {
    /// The program `name` of this workspace.
    pub(crate) fn new(name: &str) -> Self {
        Self { program: name.to_string(), arguments: Vec::new() }
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_string()));
        self
    }

    /// The command as a person would type it.
    pub(crate) fn command_line(&self) -> String {
        std::iter::once(&self.program)
            .chain(&self.arguments)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs it to its end with our stderr as its own.
    pub(crate) fn run(&self) -> Result<Cost> {
        let (cost, _) = self.run_with(Stdio::null())?;
        Ok(cost)
    }

    /// Runs it to its end and returns what it printed.
    pub(crate) fn output(&self) -> Result<(Cost, String)> {
        self.run_with(Stdio::piped())
    }

    fn run_with(&self, stdout: Stdio) -> Result<(Cost, String)> {
        let start = Instant::now();
        let mut child = Command::new(built(&self.program)?)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program))?;
        let mut printed = String::new();
        if let Some(mut pipe) = child.stdout.take() {
            std::io::Read::read_to_string(&mut pipe, &mut printed)
                .with_context(|| format!("reading from {}", self.program))?;
        }
        let end = child.wait4().with_context(|| format!("waiting for {}", self.program))?;
        if !end.status.success() {
            bail!("the stage failed ({}): {}", end.status, self.command_line());
        }
        let cost = Cost { wall_s: start.elapsed().as_secs_f64(), peak_rss_bytes: end.rusage.maxrss };
        Ok((cost, printed))
    }
}

/// Builds the stages in the release profile: the entire workspace, as the tests do, because building a part of it
/// would choose other features for what the parts share and build the training engine twice.
pub(crate) fn build_all() -> Result<()> {
    crate::say("building the stages (the first build takes some minutes: it includes the training engine)");
    let status = crate::cargo::cargo()
        .args(["build", "--release", "--workspace", "--bins"])
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the stages do not build");
    }
    Ok(())
}

/// Where a program of this workspace was built: beside this one.
fn built(program: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find the running program")?;
    let folder = this.parent().context("the running program is in no folder")?;
    Ok(folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
}
