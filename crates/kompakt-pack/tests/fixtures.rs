//! `fixtures/good` and `fixtures/bad`: what they contain, and that the generator reproduces them.
#![allow(clippy::unwrap_used)]

#[path = "../examples/make_fixtures/bad.rs"]
mod bad;
#[path = "../examples/make_fixtures/editor.rs"]
mod editor;
#[path = "../examples/make_fixtures/good.rs"]
mod good;

use kompakt_format::{Container, FormatError};
use kompakt_graph::table::OPERATORS;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn folder(name: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(root().join("fixtures").join(name)).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "kompakt" || e == "json"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), fs::read(path).unwrap()))
        .collect()
}

fn containers(name: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    folder(name).into_iter().filter(|(name, _)| name.ends_with(".kompakt"))
}

fn verify(bytes: &[u8]) -> Result<(), FormatError> {
    Container::parse(bytes)?.verify()
}

#[test]
fn are_what_the_generator_makes() {
    let good = good::files().unwrap();
    let bad = bad::files(&good).unwrap();
    for (name, made) in [("good", good), ("bad", bad)] {
        let kept = folder(name);
        assert_eq!(kept.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>(), "fixtures/{name}");
        for (file, bytes) in made {
            assert!(
                kept[&file] == bytes,
                "fixtures/{name}/{file} is not what is written now; if that is meant: \
                 cargo run -p kompakt-pack --example make_fixtures"
            );
        }
    }
}

/// Every operator of containers is in a golden file of every tier, here and among the files that are
/// kept for ever.
#[test]
fn every_operator_is_in_every_tier() {
    for folder in ["good", "compat/v1"] {
        let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (_, bytes) in containers(folder) {
            let container = Container::parse(&bytes).unwrap();
            let names = container.graph().nodes().iter().map(|n| n.op.name());
            found.entry(container.tier().name()).or_default().extend(names);
        }
        let all: BTreeSet<&str> = OPERATORS.iter().filter(|o| o.code.is_some()).map(|o| o.name).collect();
        for tier in ["smallest", "stream", "direct"] {
            assert_eq!(found[tier], all, "fixtures/{folder}, tier {tier}");
        }
    }
}

#[test]
fn good_ones_are_accepted() {
    for (name, bytes) in containers("good") {
        assert_eq!(verify(&bytes), Ok(()), "{name}");
    }
}

/// Files of earlier packers of these versions of the format: byte for byte as written, decoding to the same
/// values.
#[test]
fn files_of_all_versions_decode_for_ever() {
    for (version, at_least) in [("compat/v1", 30), ("compat/v2", 10)] {
        let kept = folder(version);
        assert!(kept.len() >= at_least, "files are missing from fixtures/{version}");
        let sums = fs::read_to_string(root().join("fixtures").join(version).join("SHA256SUMS")).unwrap();
        let hash =
            |bytes: &[u8]| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").unwrap();
            assert_eq!(hash(&kept[name]), sum, "fixtures/{version}/{name} is not what it was");
        }
        assert_eq!(sums.lines().count(), kept.len());
        for (name, bytes) in containers(version) {
            assert_eq!(verify(&bytes), Ok(()), "{name}");
            let found = good::describe(&Container::parse(&bytes).unwrap()).unwrap();
            let expected: serde_json::Value =
                serde_json::from_slice(&kept[&name.replace(".kompakt", ".json")]).unwrap();
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn bad_ones_are_refused_by_the_rule_they_are_named_after() {
    for (name, bytes) in containers("bad") {
        let error = verify(&bytes).expect_err(&name);
        assert!(name.starts_with(&format!("{}-", error.rule)), "{name}: {error}");
        assert!(error.offset <= bytes.len(), "{name}: {error}");
    }
}

/// Every rule of the specification has a bad fixture, and every rule used is in the specification.
#[test]
fn every_rule_has_a_bad_fixture() {
    let text = fs::read_to_string(root().join("spec/format.md")).unwrap();
    let mut rules: Vec<String> =
        (1..).map(|n| format!("F-{n}")).take_while(|rule| text.contains(&format!("**{rule}**"))).collect();
    assert!(rules.len() >= 31);
    let rule_of = |name: &str| name.splitn(3, '-').take(2).collect::<Vec<_>>().join("-");
    let mut covered: Vec<String> = containers("bad").map(|(name, _)| rule_of(&name)).collect();
    covered.sort();
    covered.dedup();
    rules.sort();
    assert_eq!(covered, rules);
}

/// After `verify`, every truncation and every changed byte is an error that names a rule and a byte.
#[test]
fn no_change_goes_unnoticed() {
    for (name, bytes) in containers("good") {
        for end in 0..bytes.len() {
            assert!(verify(&bytes[..end]).is_err(), "{name} cut off at {end}");
        }
        for at in 0..bytes.len() {
            for change in [1 << (at % 8), 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                let error = verify(&changed).expect_err(&format!("{name}: byte {at} ^ {change:#x}"));
                assert!(!error.rule.is_empty() && error.offset <= bytes.len(), "{name}: {error}");
            }
        }
    }
}

/// Without checksums: a changed payload is an error or other weights, never a panic.
#[test]
fn changed_payloads_do_no_harm() {
    for (name, bytes) in containers("good") {
        let container = Container::parse(&bytes).unwrap();
        let is_compact = container.is_compact();
        let end = container.sections().last().unwrap().end();
        let payloads = container.directory_span().end..end;
        // A prime step, so that all parts of the larger files are reached.
        let step = if payloads.len() > 1000 { 37 } else { 1 };
        for at in payloads.step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            if is_compact {
                let sum = compact_checksum(&changed);
                changed[9..13].copy_from_slice(&sum);
            }
            let container = match Container::parse(&changed) {
                // The directory is in the payload.
                Err(_) if is_compact => continue,
                parsed => parsed.expect(&name),
            };
            let _ = container.decode();
            let _ = (container.labels(), container.provenance(), container.self_tests());
        }
    }
}

fn compact_checksum(file: &[u8]) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file[..9]);
    crc.update(&file[13..]);
    crc.finalize().to_le_bytes()
}

/// The reader in plain Python decodes the same values, and refuses the same files by the same rules.
#[test]
fn the_reference_reader_agrees() {
    let python = |arguments: &[&str]| Command::new("python3").args(arguments).current_dir(root()).output();
    if python(&["-c", ""]).is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        println!("not tested here: the reader in Python, python3 is missing");
        return;
    }
    let output = python(&["-m", "unittest", "spec/reference/test_container.py"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
