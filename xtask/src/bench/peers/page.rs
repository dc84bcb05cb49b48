//! `results/peers.md` and its plot, from all that was measured.

use super::{
    modes,
    networks::NAMES,
    plot,
    record::{Cold, Record, Speed},
    venv,
};
use anyhow::Result;
use std::{fmt::Write, path::Path};

/// Writes both from the records in `folder`.
pub(crate) fn write(folder: &Path, results: &Path) -> Result<()> {
    let mut records = Vec::new();
    for name in NAMES {
        let record = Record::read_or_new(folder, name)?;
        if !record.speeds.is_empty() {
            records.push(record);
        }
    }
    std::fs::create_dir_all(results)?;
    std::fs::write(results.join("peers.svg"), plot::ratios(&records))?;
    std::fs::write(results.join("peers.md"), page(&records)?)?;
    crate::say("results/peers.md");
    Ok(())
}

fn page(records: &[Record]) -> Result<String> {
    let mut text = String::from(HEAD);
    writeln!(text, "Machine: {}. Engines: {}.\n", machine(), venv::versions())?;
    writeln!(text, "{METHOD}")?;
    modes::table(records, &mut text)?;
    summary(records, &mut text)?;
    writeln!(text, "{NOTES}")?;
    writeln!(text, "![Ratios to ONNX Runtime, batch 1, one thread](peers.svg)\n")?;
    start_and_memory(records, &mut text)?;
    writeln!(text, "{BOUNDS}")?;
    for record in records {
        network(record, &mut text)?;
    }
    Ok(text)
}

const HEAD: &str = "# The loader beside other engines

Written by `cargo xtask bench peers`, which makes the networks, installs the other engines and measures.

";

// What people wrote is in files of its own, so that writing the page again loses none of it.

const METHOD: &str = include_str!("text/method.md");

/// Remarks on this edition of the measurements.
const NOTES: &str = include_str!("text/notes.md");

const BOUNDS: &str = include_str!("text/bounds.md");

/// Cores, processor, system.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or(": unknown");
    let n = cpu.lines().filter(|l| l.starts_with("processor")).count();
    format!(
        "{n} cores, {} ({}), shared with other work",
        model.trim_start_matches(['\t', ' ', ':']),
        kompakt_runtime::Isa::best()
    )
}

pub(super) fn find<'r>(record: &'r Record, engine: &str, batch: usize, threads: usize) -> Option<&'r Speed> {
    record.speeds.iter().find(|s| (s.engine.as_str(), s.batch, s.threads) == (engine, batch, threads))
}

fn ratio(speed: Option<&Speed>) -> String {
    speed.map_or("–".into(), |s| format!("{:.2}", s.ratio))
}

/// The best of those engines.
fn best(record: &Record, batch: usize, threads: usize, takes: impl Fn(&str) -> bool) -> Option<&Speed> {
    let all = record.speeds.iter().filter(|s| (s.batch, s.threads) == (batch, threads) && takes(&s.engine));
    all.min_by(|a, b| a.ratio.total_cmp(&b.ratio))
}

fn named(speed: Option<&Speed>) -> String {
    speed.map_or("–".into(), |s| format!("{:.2} ({})", s.ratio, s.engine))
}

fn is_rival(engine: &str) -> bool {
    !engine.starts_with("kompakt") && engine != "onnxruntime"
}

fn summary(records: &[Record], text: &mut String) -> Result<()> {
    writeln!(text, "## In short\n\nRatios to ONNX Runtime f32; lower is better.\n")?;
    writeln!(
        text,
        "| network | batch | threads | ONNX Runtime | unpacked once | `direct` from the file | `stream` from the file | best other f32 | best int8 |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
    for record in records {
        let mut shapes: Vec<(usize, usize)> = record.speeds.iter().map(|s| (s.batch, s.threads)).collect();
        shapes.sort_by_key(|&(batch, threads)| (threads, batch));
        shapes.dedup();
        for (batch, threads) in shapes {
            let Some(base) = find(record, "onnxruntime", batch, threads) else { continue };
            let ours = |way: &str| ratio(find(record, &format!("kompakt, {way}"), batch, threads));
            let f32 = best(record, batch, threads, |e| is_rival(e) && !e.ends_with("int8"));
            let int8 = best(record, batch, threads, |e| e.ends_with("int8"));
            writeln!(
                text,
                "| {} | {batch} | {threads} | {} ms | **{}** | {} | {} | {} | {} |",
                record.title,
                milliseconds(base.ms),
                ours("unpacked once"),
                ours("direct from the file"),
                ours("stream from the file"),
                named(f32),
                named(int8),
            )?;
        }
    }
    writeln!(text)?;
    Ok(())
}

pub(super) fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{ms:.4}"),
        ms if ms < 100.0 => format!("{ms:.2}"),
        ms => format!("{ms:.0}"),
    }
}

fn start_and_memory(records: &[Record], text: &mut String) -> Result<()> {
    writeln!(text, "{START}")?;
    writeln!(
        text,
        "| network | engine | file | ready | first result | process, start to end | peak RSS | of which before the file is opened |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    for record in records {
        for cold in record.cold.iter().filter(|c| record.n_parameters > 100_000 || !c.engine.is_empty()) {
            writeln!(
                text,
                "| {} | {} | {} | {:.2} ms | {:.2} ms | {:.1} ms | {:.1} MB | {:.1} MB |",
                record.title,
                cold.engine,
                bytes(file_of(record, cold)),
                cold.ready_ms,
                cold.first_ms,
                cold.start_to_first_ms,
                cold.peak_bytes as f64 / 1e6,
                cold.base_bytes as f64 / 1e6,
            )?;
        }
    }
    writeln!(text)?;
    Ok(())
}

const START: &str = include_str!("text/start.md");

pub(super) fn file_of(record: &Record, cold: &Cold) -> u64 {
    let name = match cold.engine.strip_prefix("kompakt, ") {
        Some(way) if way.starts_with("direct") => "direct",
        Some(way) if way.starts_with("smallest") => "smallest",
        Some(_) => "stream",
        None => &cold.engine,
    };
    record.files.iter().find(|f| f.0 == name).map_or(0, |f| f.1)
}

pub(super) fn bytes(n: u64) -> String {
    if n < 1_000_000 { format!("{n} B") } else { format!("{:.2} MB", n as f64 / 1e6) }
}

fn network(record: &Record, text: &mut String) -> Result<()> {
    writeln!(text, "## {}\n", record.title)?;
    let dense = record.n_parameters * 4;
    let sizes: Vec<String> = ["smallest", "stream", "direct"]
        .into_iter()
        .filter_map(|t| record.files.iter().find(|f| f.0 == t))
        .map(|(tier, n)| format!("`{tier}` {} ({:.0}x)", bytes(*n), dense as f64 / *n as f64))
        .collect();
    writeln!(
        text,
        "{} parameters, dense {}; files: {}.\n",
        record.n_parameters,
        bytes(dense),
        sizes.join(", ")
    )?;
    writeln!(text, "| batch | threads | engine | median | ratio | error |\n|---|---|---|---|---|---|")?;
    for s in &record.speeds {
        writeln!(
            text,
            "| {} | {} | {} | {} ms | {:.3} ({:.3} to {:.3}) | {:.0e} |",
            s.batch,
            s.threads,
            s.engine,
            milliseconds(s.ms),
            s.ratio,
            s.low,
            s.high,
            s.error
        )?;
    }
    for (engine, why) in &record.missing {
        writeln!(text, "\n{engine} is missing: {why}.")?;
    }
    writeln!(text)?;
    Ok(())
}
