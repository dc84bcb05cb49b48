//! `results/codec.md`.

use super::{
    nncodec, recipe,
    record::{Measured, Record},
};
use kompakt_report::thousands;
use std::{fmt::Write as _, process::Command};

/// The complete page.
pub(crate) fn page(records: &[Record]) -> String {
    let mut page = String::from(INTRODUCTION);
    _ = writeln!(page, "\n{}\n", machine());
    page += "## Sizes\n\n";
    page += SIZES;
    page += "\n| network | weights | kept | zstd -19 | xz -9e | NNCodec | smallest | | stream | | direct | file, version 1 | version 2 | |\n";
    page += "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for record in records {
        _ = writeln!(page, "{}", sizes(record));
    }
    page += "\n## Against the goals\n\n| what | goal | the worst | |\n|---|---|---|---|\n";
    goals(records).iter().for_each(|line| page += line);
    page += "\n## Speeds\n\n";
    page += SPEEDS;
    page += "\n| network | zstd | xz | NNCodec | smallest | stream | | direct |\n|---|---|---|---|---|---|---|---|\n";
    for record in records {
        _ = writeln!(page, "{}", speeds(record));
    }
    if records.iter().any(|record| record.by_the_wall) {
        page += "\n\\* zstd, xz and NNCodec by the clock on the wall, beside other work: too slow, by what their processor time on the\n\
                 other networks says.\n";
    }
    page += "\n## Settings that were best\n\n| network | zstd | xz | NNCodec |\n|---|---|---|---|\n";
    for record in records {
        let [zstd, xz, nncodec] = [&record.zstd, &record.xz, &record.nncodec].map(|m| &m.settings);
        _ = writeln!(page, "| {} | {zstd} | {xz} | {nncodec} |", record.name);
    }
    page += "\n## How the LeNets were made\n\n```sh\n";
    for line in recipe::commands() {
        _ = writeln!(page, "{line}");
    }
    page += "```\n\nThe last line of each also with `--bits 2`. They are trained briefly, to be coded, not to be used.\n";
    page
}

/// A line of the table of goals: of the records that `is_meant`, the one that is farthest on the wrong side, and those
/// that miss the goal. Ratios of bytes are to be small, all else is to be large.
fn goal(
    records: &[Record],
    what: &str,
    goal: f64,
    is_meant: &dyn Fn(&Record) -> bool,
    figure: &dyn Fn(&Record) -> f64,
) -> Option<String> {
    let is_ratio = goal < 2.0;
    let excess = |record: &Record| if is_ratio { figure(record) - goal } else { goal - figure(record) };
    let meant: Vec<&Record> = records.iter().filter(|record| is_meant(record)).collect();
    let worst = meant.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)))?;
    let write = |record: &Record| {
        let figure = figure(record);
        if is_ratio {
            format!("{figure:.3} ({})", record.name)
        } else {
            format!("{figure:.0} ({})", record.name)
        }
    };
    let missed: Vec<String> = meant.iter().filter(|r| excess(r) > 0.0).map(|r| write(r)).collect();
    let verdict = match missed.len() {
        0 => "met".to_string(),
        n => format!("**missed** on {n} of {}: {}", meant.len(), missed.join(", ")),
    };
    let sign = if is_ratio { "at most" } else { "at least" };
    let goal = if is_ratio { format!("{goal:.2}") } else { format!("{goal:.0}") };
    Some(format!("| {what} | {sign} {goal} | {} | {verdict} |\n", write(worst)))
}

/// The table against the goals.
fn goals(records: &[Record]) -> Vec<String> {
    let smallest = |record: &Record| record.ours[0].bytes as f64 / record.nncodec.bytes as f64;
    let stream = |record: &Record| record.ours[1].bytes as f64 / record.nncodec.bytes as f64;
    let over = |record: &Record| record.ours[1].bytes as f64 / record.ours[0].bytes as f64;
    let times = |record: &Record| record.nncodec.decode_s / record.ours[1].decode_s;
    let rate = |record: &Record| record.n_weights as f64 / record.ours[0].decode_s / 1e6;
    let is_large = |record: &Record| record.n_weights * 4 > 1_000_000;
    let is_lenet_300 = |record: &Record| record.name.starts_with("lenet-300-100");
    let is_at = |record: &Record, densities: &[&str]| {
        is_lenet_300(record) && densities.iter().any(|d| record.name.contains(&format!("-{d}-")))
    };
    let of_both = |record: &Record| is_large(record) && record.ours[1].bytes > 1_000_000;
    let lines = [
        goal(
            records,
            "`smallest` to NNCodec, LeNet-300-100 at 8 %",
            0.94,
            &|r| is_at(r, &["0.08"]),
            &smallest,
        ),
        goal(records, "the same at 3 and 1 %", 0.92, &|r| is_at(r, &["0.03", "0.01"]), &smallest),
        goal(records, "the same, below 2,000 bytes", 0.80, &|r| r.ours[0].bytes < 2000, &smallest),
        goal(records, "the same, LeNet-5 and large networks", 0.98, &|r| !is_lenet_300(r), &smallest),
        goal(records, "`stream` to NNCodec, above 1 MB of f32 weights", 1.06, &is_large, &stream),
        goal(records, "`stream` to `smallest`, above 1 MB of coded weights", 1.08, &of_both, &over),
        goal(
            records,
            "`stream` above 1 MB of f32 weights, times as fast as NNCodec",
            50.0,
            &is_large,
            &times,
        ),
        goal(records, "`smallest`, million weights a second decoded", 10.0, &|_| true, &rate),
    ];
    lines.into_iter().flatten().collect()
}

const INTRODUCTION: &str = "\
# Codecs on the same tensors

Made by `cargo xtask bench codec`. Every codec gets the same masks and codes and gives them back exactly; codebooks and biases,
which are a choice of their own, are left out of all. Networks: LeNet-300-100 and LeNet-5 at 8, 3, 1 and 0.3 % of their weights
and 2 and 4 bits (trained and pruned by the stages, below), and two large ones with synthetic weights: `resnet-50` (ResNet-50's shapes,
half of the first layer kept, 30 % of the others, 20 % of the last; 4 bits) and `vgg-16` (VGG-16's, with the densities and bits of Deep Compression,
table 5: 22 to 58 % and 8 bits in convolutions, 4, 4 and 23 % and 5 bits in the others). A synthetic weight is a normal number times
a factor of its row and one of its input channel (log-normal, deviation 0.2); the largest are kept. Synthetic weights have no structure
beyond those factors, so contexts have nothing to learn and all good coders come out close to each other.

| codec | how |
|---|---|
| zstd -19, xz -9e | on four forms of the tensors, the smallest counts: a byte a weight; a bit a weight, then a byte a kept one; the same with packed codes; a byte a gap, then a byte a kept weight |
| NNCodec (ISO/IEC 15938-17, DeepCABAC) | whole numbers, 0 where pruned, else the code's place among those of its sign: coded as they are, so that its quantiser has no part in it; of row skipping and parameter optimisation on and off the smallest counts, and of the units' order as trained or as packed |
| smallest, stream, direct | kompakt's tiers, cut into sections and tiles as the packer cuts them; hidden units of the LeNets in the packer's order |
";

const SIZES: &str = "\
Bytes; after each tier its ratio to NNCodec. The file is the whole container, with codebooks, biases and graph: `--minimal` in version 1,
`--compact` in version 2, and the ratio of the two.
";

const SPEEDS: &str = "\
Millions of weights a second, pruned ones included, encoding / decoding, one thread, processor time (the machine is shared), the quickest of
the runs of 0.3 seconds; the column after `stream` is how many times as
fast as NNCodec it decodes. zstd and xz give back bytes (of their best form), not weights; xz is a process of its own, whose start
counts on small networks; NNCodec is called within a running Python, five times where the network is small. `stream` and `direct` decode as they do when they run: to the columns
and codes of kept weights, tile by tile. `smallest` decodes to whole tensors, once, when a file is loaded.
";

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let avx512 = if cpu.contains("avx512f") { ", AVX-512" } else { "" };
    let xz =
        Command::new("xz").arg("--version").output().map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let xz =
        xz.ok().and_then(|text| text.lines().next().map(str::to_string)).unwrap_or_else(|| "xz".to_string());
    format!(
        "Machine: {} ({cores} cores{avx512}). Versions: {}, {xz}, zstd {}, kompakt {}.",
        model.unwrap_or("unknown"),
        nncodec::PACKAGE.replace("==", " "),
        zstd::zstd_safe::version_string(),
        env!("CARGO_PKG_VERSION"),
    )
}

fn sizes(record: &Record) -> String {
    let bytes = |measured: &Measured| thousands(measured.bytes);
    let ratio = |measured: &Measured| format!("{:.3}", measured.bytes as f64 / record.nncodec.bytes as f64);
    let [smallest, stream, direct] = &record.ours;
    let file = record.file_bytes.map_or_else(
        || "| | ".to_string(),
        |[one, two]| format!("{} | **{}** | {:.3}", thousands(one), thousands(two), two as f64 / one as f64),
    );
    format!(
        "| {} | {} | {} | {} | {} | {} | **{}** | {} | {} | {} | {} | {file} |",
        record.name,
        thousands(record.n_weights),
        thousands(record.n_kept),
        bytes(&record.zstd),
        bytes(&record.xz),
        bytes(&record.nncodec),
        bytes(smallest),
        ratio(smallest),
        bytes(stream),
        ratio(stream),
        bytes(direct),
    )
}

fn speeds(record: &Record) -> String {
    let rate = |seconds: f64| {
        let rate = record.n_weights as f64 / seconds / 1e6;
        if rate < 100.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
    };
    let both = |m: &Measured| format!("{} / {}", rate(m.encode_s), rate(m.decode_s));
    let [smallest, stream, direct] = &record.ours;
    let mark = if record.by_the_wall { " \\*" } else { "" };
    let name = format!("{}{mark}", record.name);
    format!(
        "| {} | {} | {} | {} | {} | {} | {:.0} | {} |",
        name,
        both(&record.zstd),
        both(&record.xz),
        both(&record.nncodec),
        both(smallest),
        both(stream),
        record.nncodec.decode_s / stream.decode_s,
        both(direct),
    )
}
