//! From the start of a process to its first result, and the memory it takes: batch 1, one thread.
//!
//! Files are in the page cache. Engines in Python are charged for opening the file on, their libraries loaded
//! already; ours for its entire process too.

use super::{
    Arguments,
    files::Files,
    ours::{WAYS, Way},
    record::Cold,
    venv::{ENGINES, Python},
};
use anyhow::{Context, Result, ensure};
use kompakt_runtime::Activations;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// Processes per engine; the median counts.
const RUNS: usize = 5;

/// How the smallest file is run: as any other, once it is unpacked.
const SMALLEST: Way = Way::new("kompakt, smallest", "smallest", false);

/// All requested engines, and ours.
pub(crate) fn all(files: &Files, python: &Python, runner: &Path, arguments: &Arguments) -> Result<Vec<Cold>> {
    let mut all = Vec::new();
    for engine in ENGINES.into_iter().filter(|e| arguments.wants(e)) {
        let Some(mut command) = python.about_to("once", engine) else { continue };
        match median(engine, command.arg(&files.folder)) {
            Ok(cold) => all.push(cold),
            Err(error) => crate::say(&format!("{engine}: {error:#}")),
        }
    }
    for way in WAYS.into_iter().chain([SMALLEST]) {
        let mut command = Command::new(runner);
        command.arg(files.kompakt(way.file)).arg(files.folder.join("x1.npy"));
        command.args(["--no-verify", "--stats"]);
        if way.from_file {
            command.arg("--from-file");
        }
        if way.activations == Activations::Int8 {
            command.args(["--activations", "int8"]);
        }
        all.push(median(way.name, &mut command)?);
    }
    for cold in &all {
        crate::say(&format!(
            "  {:30} ready {:8.2} ms, first {:8.2}, whole process {:8.2}; {:7.1} MB",
            cold.engine,
            cold.ready_ms,
            cold.first_ms,
            cold.start_to_first_ms,
            cold.peak_bytes as f64 / 1e6
        ));
    }
    Ok(all)
}

fn median(engine: &str, command: &mut Command) -> Result<Cold> {
    // The first brings files into the cache; where it takes seconds, that is negligible.
    let first = once(engine, command)?;
    if first.start_to_first_ms > 4_000.0 {
        return Ok(first);
    }
    let runs = (0..RUNS).map(|_| once(engine, command)).collect::<Result<Vec<_>>>()?;
    let of = |get: fn(&Cold) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(get).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Ok(Cold {
        engine: engine.to_string(),
        ready_ms: of(|c| c.ready_ms),
        first_ms: of(|c| c.first_ms),
        start_to_first_ms: of(|c| c.start_to_first_ms),
        peak_bytes: of(|c| c.peak_bytes as f64) as u64,
        base_bytes: of(|c| c.base_bytes as f64) as u64,
    })
}

/// One process. The last line of JSON that it prints, on either stream, says what it measured itself.
fn once(engine: &str, command: &mut Command) -> Result<Cold> {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let whole_ms = start.elapsed().as_secs_f64() * 1e3;
    let text =
        [output.stdout.as_slice(), &output.stderr].map(|b| String::from_utf8_lossy(b).into_owned()).concat();
    ensure!(output.status.success(), "{}", text.lines().last().unwrap_or("it failed"));
    let stats: Value = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|v| v.get("peak_bytes").is_some())
        .context("it does not say what it took")?;
    let number = |name: &str| stats[name].as_f64().with_context(|| format!("no {name}"));
    Ok(Cold {
        engine: engine.to_string(),
        ready_ms: number("ready_ms")?,
        first_ms: number("first_ms")?,
        start_to_first_ms: whole_ms,
        peak_bytes: number("peak_bytes")? as u64,
        base_bytes: number("import_bytes")? as u64,
    })
}
