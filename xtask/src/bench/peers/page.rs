//! `results/peers.md` and its plot, from all that was measured: a table for each kind of processor.

use super::{
    modes,
    ours::INT8,
    plot,
    record::{Cold, Record, Speed},
    store::Kind,
};
use anyhow::Result;
use std::{fmt::Write, path::Path};

/// Writes both from what is in `results/peers`.
pub(crate) fn write(results: &Path) -> Result<()> {
    let kinds = Kind::all(results)?;
    for (kind, name) in kinds.iter().zip(plots(&kinds)) {
        let records: Vec<&Record> = kind.records().collect();
        std::fs::write(results.join(name), plot::ratios(&kind.about.title, &records))?;
    }
    std::fs::write(results.join("peers.md"), page(&kinds)?)?;
    crate::say("results/peers.md");
    Ok(())
}

/// The name of each kind's plot.
fn plots(kinds: &[Kind]) -> impl Iterator<Item = String> {
    kinds.iter().map(|kind| format!("peers/{}.svg", kind.name()))
}

fn page(kinds: &[Kind]) -> Result<String> {
    let mut text = format!("{HEAD}{METHOD}\n");
    writeln!(text, "## In short\n\nRatios to ONNX Runtime f32; lower is better.\n")?;
    for (kind, plot) in kinds.iter().zip(plots(kinds)) {
        writeln!(
            text,
            "### {}\n\nMachine: {}. Engines: {}.\n",
            kind.about.title, kind.about.machine, kind.about.engines
        )?;
        summary(kind.records(), &mut text)?;
        let remarks = kind.remarks();
        if !remarks.is_empty() {
            writeln!(text, "{remarks}")?;
        }
        writeln!(text, "![Ratios to ONNX Runtime, batch 1, one thread]({plot})\n")?;
    }
    writeln!(text, "{}", modes::HEAD)?;
    for kind in kinds {
        writeln!(text, "### {}: one mode a row\n", kind.about.title)?;
        modes::table(kind.records(), &mut text)?;
    }
    writeln!(text, "{START}")?;
    for kind in kinds {
        writeln!(text, "### {}: start and memory\n", kind.about.title)?;
        start_and_memory(kind.records(), &mut text)?;
    }
    writeln!(text, "{BOUNDS}")?;
    for kind in kinds {
        writeln!(text, "## {}: all measurements\n", kind.about.title)?;
        for record in kind.records() {
            network(record, &mut text)?;
        }
    }
    Ok(text)
}

const HEAD: &str = "# The loader beside other engines

Written by `cargo xtask bench peers`, which makes the networks, installs the other engines and measures; what it measured is in
`results/peers/`, a file for each kind of processor.

";

// What people wrote is in files of its own, so that writing the page again loses none of it.

const METHOD: &str = include_str!("text/method.md");

const BOUNDS: &str = include_str!("text/bounds.md");

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

fn summary<'r>(records: impl Iterator<Item = &'r Record>, text: &mut String) -> Result<()> {
    writeln!(
        text,
        "| network | batch | threads | ONNX Runtime | unpacked once | int8 activations | `direct` from the file | `stream` from the file | best other f32 | best other int8 |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|---|")?;
    for record in records {
        let mut shapes: Vec<(usize, usize)> = record.speeds.iter().map(|s| (s.batch, s.threads)).collect();
        shapes.sort_by_key(|&(batch, threads)| (threads, batch));
        shapes.dedup();
        for (batch, threads) in shapes {
            let Some(base) = find(record, "onnxruntime", batch, threads) else { continue };
            let ours = |way: &str| ratio(find(record, &format!("kompakt, {way}"), batch, threads));
            let f32 = best(record, batch, threads, |e| is_rival(e) && !e.ends_with("int8"));
            let int8 = best(record, batch, threads, |e| is_rival(e) && e.ends_with("int8"));
            writeln!(
                text,
                "| {} | {batch} | {threads} | {} ms | **{}** | {} | {} | {} | {} | {} |",
                record.title,
                milliseconds(base.ms),
                ours("unpacked once"),
                ours("int8 activations"),
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

fn start_and_memory<'r>(records: impl Iterator<Item = &'r Record>, text: &mut String) -> Result<()> {
    writeln!(
        text,
        "| network | engine | file | ready | first result | process, start to end | peak RSS | of which before the file is opened |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    for record in records {
        for cold in &record.cold {
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
        Some(way) if way.starts_with("int8") => INT8,
        Some(_) => "stream",
        None => &cold.engine,
    };
    record.files.iter().find(|f| f.0 == name).map_or(0, |f| f.1)
}

pub(super) fn bytes(n: u64) -> String {
    if n < 1_000_000 { format!("{n} B") } else { format!("{:.2} MB", n as f64 / 1e6) }
}

fn network(record: &Record, text: &mut String) -> Result<()> {
    writeln!(text, "### {}\n", record.title)?;
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
