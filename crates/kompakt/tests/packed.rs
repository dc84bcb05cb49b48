//! `kompakt inspect`, `verify`, `diff`, `unpack` and `repack` as processes, over the fixtures.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use program::program;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

fn kompakt(arguments: &[&str]) -> Output {
    program(env!("CARGO_BIN_EXE_kompakt")).args(arguments).output().unwrap()
}

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    path.to_str().unwrap().to_string()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_string()
}

#[test]
fn inspect_accounts_for_every_byte() {
    for name in
        ["worked-example", "perceptron-smallest", "perceptron-stream", "aligned-direct", "every-operator"]
    {
        let file = fixture(&format!("good/{name}.kompakt"));
        let json: serde_json::Value =
            serde_json::from_str(&stdout(&kompakt(&["inspect", "--json", &file]))).unwrap();
        let sum = |key: &str| {
            json[key].as_array().unwrap().iter().map(|r| r["bytes"].as_u64().unwrap()).sum::<u64>()
        };
        let length = fs::metadata(&file).unwrap().len();
        assert_eq!(sum("tensors") + sum("others"), length, "{name}");
        let table = stdout(&kompakt(&["inspect", &file]));
        assert!(
            table.lines().any(|l| l.starts_with("file ") && l.ends_with(&format!(" {length}"))),
            "{table}"
        );
    }
}

#[test]
fn inspect_shows_how_a_file_would_be_run() {
    let file = fixture("good/perceptron-stream.kompakt");
    let table = stdout(&kompakt(&["inspect", "--plan", &file]));
    assert!(table.contains("costs it was chosen by") && table.contains(" us"), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&kompakt(&["inspect", "--plan", "--json", &file]))).unwrap();
    assert!(json["layers"][0]["costs"][0]["ns"].as_f64().unwrap() > 0.0, "{json}");
}

#[test]
fn verify_names_the_rule_and_the_byte() {
    let good = fixture("good/perceptron-direct.kompakt");
    let passed = stdout(&kompakt(&["verify", &good]));
    assert!(passed.contains("2 self-tests pass (loader on "), "{passed}");
    let bad = kompakt(&["verify", &good, &fixture("bad/F-20-padding-not-zero.kompakt")]);
    assert_eq!(bad.status.code(), Some(3));
    let said = String::from_utf8(bad.stderr).unwrap();
    assert!(said.contains("(rule F-20)") && said.contains("byte ") && said.lines().count() == 1, "{said}");
    assert_eq!(kompakt(&["verify", "no-such-file"]).status.code(), Some(4));
}

#[test]
fn diff_tells_content_from_form() {
    let [smallest, direct, other] = ["perceptron-smallest", "perceptron-direct", "worked-example"]
        .map(|n| fixture(&format!("good/{n}.kompakt")));
    assert!(kompakt(&["diff", &smallest, &direct]).status.success());
    let output = kompakt(&["diff", &smallest, &other]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("graph: differs"));
}

#[test]
fn repack_there_and_back_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (path(folder.path(), "there"), path(folder.path(), "back"));
    let original = fixture("good/convolutions-smallest.kompakt");
    for tier in ["stream", "direct", "smallest"] {
        stdout(&kompakt(&["repack", &original, "--tier", tier, "-o", &there]));
        stdout(&kompakt(&["diff", &original, &there]));
        stdout(&kompakt(&["repack", &there, "--tier", "smallest", "-o", &back]));
        assert_eq!(fs::read(&back).unwrap(), fs::read(&original).unwrap());
    }
}

#[test]
fn the_compact_form_is_made_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (path(folder.path(), "there"), path(folder.path(), "back"));
    let original = fixture("good/convolutions-smallest.kompakt");
    stdout(&kompakt(&["repack", &original, "--tier", "smallest", "--compact", "-o", &there]));
    assert_eq!(
        fs::read(&there).unwrap(),
        fs::read(fixture("good/compact-convolutions-smallest.kompakt")).unwrap()
    );
    stdout(&kompakt(&["verify", &there]));
    assert!(stdout(&kompakt(&["inspect", &there])).starts_with("version 2, tier smallest"));
    stdout(&kompakt(&["diff", &original, &there]));
    stdout(&kompakt(&["repack", &there, "--tier", "smallest", "-o", &back]));
    assert_eq!(fs::read(&back).unwrap(), fs::read(&original).unwrap());
    let output = kompakt(&["repack", &original, "--tier", "direct", "--compact", "-o", &back]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn unpack_gives_what_the_stages_read() {
    let folder = tempfile::tempdir().unwrap();
    let (model, packed) = (path(folder.path(), "model.safetensors"), path(folder.path(), "again.kompakt"));
    let original = fixture("good/perceptron-stream.kompakt");
    stdout(&kompakt(&["unpack", &original, "-o", &model]));
    stdout(&kompakt(&["pack", &model, "-o", &packed, "--tier", "stream", "--quiet", "--keep-order"]));
    stdout(&kompakt(&["diff", &original, &packed]));
    let dense = kompakt(&["unpack", "--dense", &original]);
    assert!(dense.status.success());
    assert!(dense.stdout.len() > 4 * (64 * 20 + 20 + 20 * 10 + 10));
}

#[test]
fn a_network_becomes_source_whose_memory_inspect_tells() {
    let folder = tempfile::tempdir().unwrap();
    let file = fixture("../examples/cortex-m/digits.kompakt");
    let memory: serde_json::Value =
        serde_json::from_str(&stdout(&kompakt(&["inspect", "--arena", "--json", &file]))).unwrap();
    let (c, rust) = (path(folder.path(), "net.c"), path(folder.path(), "net"));
    for (arguments, kind) in [(&["--c", &c][..], "floats"), (&["--c", &c, "--bytes"][..], "bytes")] {
        stdout(&kompakt(&[&["export", &file], arguments].concat()));
        let header = fs::read_to_string(folder.path().join("net.h")).unwrap();
        let floats = memory[kind]["arena_bytes"].as_u64().unwrap() / 4;
        assert!(header.contains(&format!("#define NET_ARENA_LEN {floats}\n")), "{header}");
    }
    stdout(&kompakt(&["export", &file, "--rust", &rust]));
    let code = fs::read_to_string(folder.path().join("net/src/lib.rs")).unwrap();
    let floats = memory["floats"]["arena_bytes"].as_u64().unwrap() / 4;
    assert!(code.contains(&format!("pub const ARENA_LEN: usize = {floats};")), "{code}");
    assert!(stdout(&kompakt(&["inspect", "--arena", &file])).contains("bytes         6272       784"));

    let [in_memory, from_file] =
        ["heap_bytes", "heap_bytes_from_file"].map(|key| memory["loader"][key].as_u64().unwrap());
    assert!([in_memory, from_file].iter().all(|bytes| (1..1 << 20).contains(bytes)), "{memory}");

    // Over integers, for a file with ranges.
    let ranges = fixture("good/ranges-direct.kompakt");
    let memory: serde_json::Value =
        serde_json::from_str(&stdout(&kompakt(&["inspect", "--arena", "--json", &ranges]))).unwrap();
    stdout(&kompakt(&["export", &ranges, "--activations", "int8", "--c", &c]));
    let header = fs::read_to_string(folder.path().join("net.h")).unwrap();
    let floats = memory["floats, int8"]["arena_bytes"].as_u64().unwrap() / 4;
    assert!(header.contains(&format!("#define NET_ARENA_LEN {floats}\n")), "{header}");
    let refused = kompakt(&["export", &file, "--activations", "int8", "--c", &c]);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(3) && text.contains("kompakt calibrate"), "{text}");

    for (arguments, code) in [
        (&["--activations", "int8"][..], 2),
        (&["--rust", &path(folder.path(), "not-a-name")][..], 2),
        (&["--rust", &rust, "--c", &c][..], 2),
        (&["--bytes"][..], 2),
    ] {
        let refused = kompakt(&[&["export", &file], arguments].concat());
        assert_eq!(refused.status.code(), Some(code), "{}", String::from_utf8_lossy(&refused.stderr));
    }
    assert!(!folder.path().join("not-a-name").exists());
}
