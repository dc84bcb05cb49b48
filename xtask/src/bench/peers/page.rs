//! `results/peers.md` and its picture, from all that was measured.

use super::{
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
    summary(records, &mut text)?;
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

const METHOD: &str = "Networks have seeded weights at the densities and levels of Han 2015 (the LeNets, AlexNet, VGG-16), or with \
15 % kept and 32 levels (ResNet-18; the 1x1 convolutions of MobileNetV2). AlexNet has its groups and no local response \
normalisation; batch norms are folded; MobileNetV2 has ReLU for ReLU6. Every engine runs the same network on the same \
input: ONNX f32 with the pruned weights as zeros, static int8 (per channel) made from it with ONNX Runtime's quantiser, \
and OpenVINO's own format made from both. MNIST's test images for the LeNets, seeded normal numbers for the others.

Engines take turns of 0.1 s (one run at least) within a round, and a ratio is to ONNX Runtime f32 in the same round: \
median of the rounds, quartiles in brackets. With one thread, time is the processor's, which other work on this machine does not lengthen; with two, the clock's. \
ONNX Runtime is called with its input and output bound, OpenVINO by its \
asynchronous request, tract with its tensors made; ours as a library. Outputs agree with ONNX Runtime's f32 to 1e-4 of \
the largest, int8 aside; the error is in each table. *Unpacked once* holds the weights in memory in the form that is \
fastest to compute with, for every tier; *from the file* holds none: rows are unpacked (`direct`) or tiles decoded \
(`stream`) at every run.
";

const BOUNDS: &str = "## What bounds it

All in products of f32 a second, one core, measured alone: 58 G from registers alone; 51 G with one operand from the \
nearest cache, which is how a pruned convolution has to multiply (its weights are scattered, so no input is used by two \
output channels at once); 47 G as rows of some 24 kept weights, each an index, a code and a look-up beside its 14 to 28 \
vectors, with sums that wait for the next block of channels; 43 G where the input comes from the second cache; 31 G where \
vectors begin anywhere in a cache line. Convolutions therefore run on a grid: a vector holds sixteen parts of the plane, so \
that no load crosses a line.

At 47 G the kept weights of AlexNet take 6.4 ms in convolutions and those of VGG-16 107 ms, of which the paper's densities \
leave 33 %: with 1.6 and 2.2 ms in linear layers that is 0.31 and 0.34 of ONNX Runtime, so 0.25 and 0.26 are out of reach \
in f32 on this core without fewer weights. What lies between that and the table: planes of 13 x 13 and 7 x 7 fill 81 and \
77 % of the lanes; laying out inputs and putting results back takes 15 to 25 % of VGG-16 and ResNet-18 (planes of many \
channels, far apart in memory, read a few hundred bytes at a time); a row of ResNet-18's last layers has 4 vectors for each \
kept weight, whose look-up then costs as much as they do (23 G). MobileNetV2 is bound by its layers that read one channel \
each (2.1 of 5.6 ms, 4 to 17 G: padding and short rows) and by writing 4.8 MB after its first expansion.

Tried and not kept: a copy of the input for each horizontal place of the kernel (VGG-16 203 to 179 ms, but ResNet-18 16.0 \
to 17.4 ms and LeNet-5 0.021 to 0.027 ms); blocks of 64 and 128 kB instead of 28 (VGG-16 alike, AlexNet 5 % slower); two \
kept weights summed apart where a row has 4 to 7 vectors (nothing); a grid for LeNet-5's planes (0.021 to 0.041 ms: laying \
out costs more than multiplying).

Layers run from the file are bound by unpacking. Of a 4096x4096 layer of tier `stream`, entropy decoding takes 37 %, gaps \
to columns 20 %, putting rows side by side 14 % and multiplying 24 %; of `direct`, reading the bitmap is the largest part.
";

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

fn find<'r>(record: &'r Record, engine: &str, batch: usize, threads: usize) -> Option<&'r Speed> {
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

fn milliseconds(ms: f64) -> String {
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

const START: &str = "## Start and memory

Batch 1, one thread, files in the page cache, median of 5 processes. *Ready* and *first result* count from opening the \
file, when the other engines have loaded Python and their libraries already (that is in *process*, which for ours is \
`kompakt-run` from start to end, printing included). Peak RSS is VmHWM, mapped parts of the file included. Checksums \
are not verified (`--no-verify`), as the others verify none.
";

fn file_of(record: &Record, cold: &Cold) -> u64 {
    let name = match cold.engine.strip_prefix("kompakt, ") {
        Some(way) if way.starts_with("direct") => "direct",
        Some(way) if way.starts_with("smallest") => "smallest",
        Some(_) => "stream",
        None => &cold.engine,
    };
    record.files.iter().find(|f| f.0 == name).map_or(0, |f| f.1)
}

fn bytes(n: u64) -> String {
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
