//! The tables of `spec/format.md` match the code.
#![allow(clippy::unwrap_used)]

#[path = "../examples/make_fixtures/example.rs"]
mod example;

use kompakt_format::{MAGIC, NumberFormat, SectionKind, Tier, VERSION, key, limits};
use kompakt_graph::table::{Default, Kind, OPERATORS};
use serde_json::json;
use std::{fs, path::PathBuf, process::Command};

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
        ("MAX_SYMBOLS", kompakt_graph::MAX_SYMBOLS as u64),
        ("MAX_PLACES", kompakt_graph::MAX_PLACES as u64),
        ("MAX_TERMS", kompakt_graph::MAX_TERMS as u64),
        ("MAX_LEVELS", limits::MAX_LEVELS as u64),
        ("BASE_ELEMENTS", limits::BASE_ELEMENTS),
        ("ELEMENTS_PER_BYTE", limits::ELEMENTS_PER_BYTE),
        ("MAX_ANCILLARY_BYTES", limits::MAX_ANCILLARY_BYTES as u64),
        ("MAX_HINT_STEPS", limits::MAX_HINT_STEPS as u64),
        ("GAPS_FROM", limits::GAPS_FROM as u64),
        ("COMPACT_GAPS_FROM", limits::COMPACT_GAPS_FROM as u64),
        ("MAX_COMPACT_BYTES", limits::MAX_COMPACT_BYTES as u64),
        ("MAX_HEAD_BYTES", limits::MAX_HEAD_BYTES as u64),
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
        (key::SIZES, "SIZES"),
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
        (SectionKind::Ranges, "ranges"),
    ];
    assert_eq!(numbered("kind"), named(&kinds.map(|(kind, name)| (kind.code(), name))));
}

#[test]
fn operators() {
    let codes = OPERATORS.iter().filter_map(|o| Some((i64::try_from(o.code?).unwrap(), o.name.to_string())));
    assert_eq!(numbered("code"), codes.collect::<Vec<_>>());
}

/// The Python reader's table has the same operators, stems, attributes and defaults.
#[test]
fn operators_of_the_python_reader() {
    let script = "import json, sys; sys.path.insert(0, 'spec/reference')\n\
        from kompakt_reader.graph import OPERATORS, REQUIRED\n\
        table = {c: (n, s, [(k, None if d is REQUIRED else d) for _, k, d in a]) for c, (n, s, a) in OPERATORS.items()}\n\
        print(json.dumps(table))";
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Ok(output) = Command::new("python3").args(["-c", script]).current_dir(root).output() else {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        println!("not tested here: the Python reader, python3 is missing");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut expected = serde_json::Map::new();
    for operator in OPERATORS {
        let Some(code) = operator.code else { continue };
        let mut attributes = Vec::new();
        for attribute in operator.attributes {
            let kind = match attribute.kind {
                Kind::Size => "size",
                Kind::Bool => "bool",
                Kind::Float | Kind::Floats => "float",
                Kind::Pair => "pair",
                Kind::Padding => "padding",
                Kind::Dims => "sizes",
                Kind::Indices => "indices",
            };
            let default = match attribute.default {
                Default::None => json!(null),
                Default::Size(n) => json!(n),
                Default::Bool(b) => json!(b),
                Default::Float(x) => json!(f64::from(x)),
                Default::Pair(pair) => json!([pair.h, pair.w]),
                Default::Padding(p) => json!([p.top, p.left, p.bottom, p.right]),
                Default::Same(index) => json!(operator.attributes[index].name),
            };
            let n = if attribute.kind == Kind::Floats { 2 } else { 1 };
            attributes.extend(std::iter::repeat_n(json!([kind, default]), n));
        }
        expected.insert(code.to_string(), json!([operator.name, operator.stem, attributes]));
    }
    assert_eq!(found, serde_json::Value::Object(expected));
}

#[test]
fn the_worked_example_is_the_fixture() {
    let again = example::with_example(&text(), &read("fixtures/good/worked-example.kompakt")).unwrap();
    assert!(again == text(), "cargo run -p kompakt-pack --example make_fixtures");
}
