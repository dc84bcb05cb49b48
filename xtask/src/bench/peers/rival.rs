//! Another engine, in a process of its own that waits for its turns.

use super::{files::Files, venv::Python};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

/// See the [module page](self).
pub(crate) struct Rival {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Rival {
    /// Starts the engine and waits until it has run once.
    pub(crate) fn start(
        engine: &str,
        files: &Files,
        batch: usize,
        threads: usize,
        python: &Python,
    ) -> Result<Self> {
        let mut command = python.about_to("serve", engine).context("it is not installed")?;
        let log = std::fs::File::create(files.folder.join(format!("{engine}.log")))?;
        let mut child = command
            .arg(&files.folder)
            .args([batch.to_string(), threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else { bail!("no pipes") };
        let mut this = Self { child, to, from: BufReader::new(from) };
        this.answer()
            .with_context(|| format!("{engine} does not start; see {engine}.log beside its files"))?;
        Ok(this)
    }

    /// The next line of JSON; what libraries print is passed over.
    fn answer(&mut self) -> Result<Value> {
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line)? == 0 {
                bail!("it ended");
            }
            if let Ok(value) = serde_json::from_str::<Value>(&line)
                && value.is_object()
            {
                return Ok(value);
            }
        }
    }

    fn ask(&mut self, question: &str) -> Result<Value> {
        writeln!(self.to, "{question}")?;
        self.to.flush()?;
        self.answer()
    }

    /// Milliseconds of a run.
    pub(crate) fn turn(&mut self, seconds: f64) -> Result<f64> {
        self.ask(&format!("run {seconds}"))?["ms"].as_f64().context("no time")
    }

    /// The result of the last run.
    pub(crate) fn output(&mut self, files: &Files) -> Result<Vec<f32>> {
        let path = files.folder.join("y.npy");
        self.ask(&format!("output {}", path.display()))?;
        super::files::read_npy(&path)
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It ends when its input does; it has nothing to tell then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
