//! Startup and run time, for `--stats`.

use anyhow::Result;
use serde_json::json;
use std::{
    io::Write,
    time::{Duration, Instant},
};

/// Times measured from before the file was opened.
#[derive(Debug)]
pub(super) struct Stats {
    start: Instant,
    /// Peak resident set before that.
    base_bytes: Option<u64>,
    ready: Duration,
    first: Option<Duration>,
}

impl Stats {
    pub(super) fn start() -> Self {
        let base_bytes = peak_bytes();
        Self { start: Instant::now(), base_bytes, ready: Duration::ZERO, first: None }
    }

    /// The network is ready to run.
    pub(super) fn is_ready(&mut self) {
        self.ready = self.start.elapsed();
    }

    /// There is a result; only the first is recorded.
    pub(super) fn has_result(&mut self) {
        self.first.get_or_insert_with(|| self.start.elapsed());
    }

    /// One line of JSON on stderr.
    pub(super) fn print(&self) -> Result<()> {
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        let all = json!({
            "ready_ms": ms(self.ready), "first_ms": self.first.map(ms),
            "import_bytes": self.base_bytes, "peak_bytes": peak_bytes(),
        });
        Ok(writeln!(std::io::stderr(), "{all}")?)
    }
}

/// Peak resident set so far, where the system reports it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}
