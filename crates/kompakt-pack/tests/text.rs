//! The tables of `spec/format.md` say what the code does.
#![allow(clippy::unwrap_used)]

#[path = "../examples/make_fixtures/example.rs"]
mod example;

use kompakt_format::{MAGIC, NumberFormat, SectionKind, Tier, VERSION, code, key, limits};
use std::{fs, path::PathBuf};

fn read(path: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

fn text() -> String {
    String::from_utf8(read("spec/format.md")).unwrap()
}

/// The lines of the table whose first title is `title`, as cells; only those that begin with a number or a name in
/// backquotes.
fn table(title: &str) -> Vec<Vec<String>> {
    let text = text();
    let lines = text.lines().skip_while(|line| !line.starts_with(&format!("| {title} |"))).skip(2);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

/// Number and name of each line.
fn numbered(title: &str) -> Vec<(i64, String)> {
    table(title).into_iter().map(|cells| (cells[0].parse().unwrap(), cells[1].clone())).collect()
}

fn named(pairs: &[(i64, &str)]) -> Vec<(i64, String)> {
    pairs.iter().map(|(n, name)| (*n, name.to_string())).collect()
}

#[test]
fn limits_are_those_of_the_code() {
    let expected = [
        ("MAX_DIRECTORY_BYTES", limits::MAX_DIRECTORY_BYTES as u64),
        ("MAX_NESTING", limits::MAX_NESTING as u64),
        ("MAX_KEYS", limits::MAX_KEYS as u64),
        ("MAX_INPUTS", limits::MAX_INPUTS as u64),
        ("MAX_PARAMETERS", limits::MAX_PARAMETERS as u64),
        ("MAX_SECTIONS", limits::MAX_SECTIONS as u64),
        ("MAX_TILES", limits::MAX_TILES as u64),
        ("MAX_FIGURES", limits::MAX_FIGURES as u64),
        ("MAX_LABELS", limits::MAX_LABELS as u64),
        ("MAX_LEVELS", limits::MAX_LEVELS as u64),
        ("BASE_ELEMENTS", limits::BASE_ELEMENTS),
        ("ELEMENTS_PER_BYTE", limits::ELEMENTS_PER_BYTE),
        ("MAX_ANCILLARY_BYTES", limits::MAX_ANCILLARY_BYTES as u64),
        ("MAX_HINT_STEPS", limits::MAX_HINT_STEPS as u64),
        ("GAPS_FROM", limits::GAPS_FROM as u64),
        ("ALIGNED_FROM", limits::ALIGNED_FROM as u64),
        ("ALIGNMENT", limits::ALIGNMENT as u64),
    ];
    let found: Vec<(String, u64)> =
        table("limit").into_iter().map(|c| (c[0].clone(), c[1].parse().unwrap())).collect();
    assert_eq!(found, expected.map(|(name, n)| (name.to_string(), n)));
}

#[test]
fn keys_tiers_and_formats() {
    let keys = [
        (key::TIER, "TIER"),
        (key::CONTENT_HASH, "CONTENT_HASH"),
        (key::INPUTS, "INPUTS"),
        (key::NODES, "NODES"),
        (key::OUTPUTS, "OUTPUTS"),
        (key::PREPROCESSING, "PREPROCESSING"),
        (key::PARAMETERS, "PARAMETERS"),
        (key::SECTIONS, "SECTIONS"),
        (key::NAMES, "NAMES"),
        (key::DENSE_PARAMETERS, "DENSE_PARAMETERS"),
        (key::MEASURED, "MEASURED"),
    ];
    assert_eq!(numbered("key"), named(&keys));
    let tiers = [Tier::Smallest, Tier::Stream, Tier::Direct].map(|t| (t.code() as i64, t.name()));
    assert_eq!(numbered("tier"), named(&tiers));
    let formats = [(NumberFormat::F32, "f32"), (NumberFormat::F16, "f16"), (NumberFormat::Scaled, "scaled")];
    assert_eq!(numbered("format"), named(&formats.map(|(f, name)| (f.code() as i64, name))));
    let magic: Vec<String> = MAGIC.iter().map(|b| format!("{b:02X}")).collect();
    assert!(text().contains(&magic.join(" ")));
    assert!(text().contains(&format!("| 1 | version: {VERSION}.")));
}

#[test]
fn section_kinds() {
    let parameter = 0;
    let kinds = [
        (SectionKind::Pool, "pool"),
        (SectionKind::Numbers, "numbers"),
        (SectionKind::Adaptive { parameter }, "adaptive"),
        (SectionKind::Raw { parameter }, "raw"),
        (SectionKind::DirectTiles { parameter }, "direct tiles"),
        (SectionKind::StreamTiles { parameter }, "stream tiles"),
        (SectionKind::StreamTables, "stream tables"),
        (SectionKind::Labels, "labels"),
        (SectionKind::Provenance, "provenance"),
        (SectionKind::SelfTests, "self-tests"),
    ];
    assert_eq!(numbered("kind"), named(&kinds.map(|(kind, name)| (kind.code(), name))));
}

#[test]
fn operators() {
    let codes = [
        (code::LINEAR, "linear"),
        (code::CONV2D, "conv2d"),
        (code::BATCH_NORM, "batch_norm"),
        (code::SCALE_BIAS, "scale_bias"),
        (code::MAX_POOL, "max_pool"),
        (code::AVG_POOL, "avg_pool"),
        (code::GLOBAL_AVG_POOL, "global_avg_pool"),
        (code::RELU, "relu"),
        (code::SIGMOID, "sigmoid"),
        (code::TANH, "tanh"),
        (code::SOFTMAX, "softmax"),
        (code::ADD, "add"),
        (code::CONCAT, "concat"),
        (code::FLATTEN, "flatten"),
        (code::RESHAPE, "reshape"),
        (code::SLICE, "slice"),
        (code::PAD, "pad"),
        (code::MUL, "mul"),
        (code::SUB, "sub"),
        (code::DIV, "div"),
        (code::SCALE, "scale"),
        (code::CLIP, "clip"),
        (code::LEAKY_RELU, "leaky_relu"),
        (code::PRELU, "prelu"),
        (code::HARD_SIGMOID, "hard_sigmoid"),
        (code::HARD_SWISH, "hard_swish"),
        (code::SILU, "silu"),
        (code::LOG_SOFTMAX, "log_softmax"),
        (code::TRANSPOSE, "transpose"),
        (code::GATHER, "gather"),
        (code::RESIZE, "resize"),
        (code::LOCAL_RESPONSE_NORM, "local_response_norm"),
        (code::SPREAD, "spread"),
    ];
    assert_eq!(numbered("code"), named(&codes.map(|(code, name)| (code as i64, name))));
}

#[test]
fn the_worked_example_is_the_fixture() {
    let again = example::with_example(&text(), &read("fixtures/good/worked-example.kompakt")).unwrap();
    assert!(again == text(), "cargo run -p kompakt-pack --example make_fixtures");
}
