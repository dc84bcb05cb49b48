//! `kompakt-run` as a process: what it prints, and its exit codes.
#![allow(clippy::unwrap_used)]

#[path = "../../kompakt-runtime/tests/support/random_model.rs"]
mod random_model;

use kompakt_format::Tier;
use kompakt_graph::networks;
use random_model::{checkpoint, pack};
use std::{path::Path, process::Command};

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, args: &[&str]) -> Answer {
    let done =
        Command::new(env!("CARGO_BIN_EXE_kompakt-run")).args(args).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

/// A folder with `m.kompakt`, ten classes on 28 x 28, and a few images.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let graph = networks::mlp(&[1, 28, 28], &[20], 10).unwrap();
    let bytes = pack(&checkpoint(graph, 1, |_| (0.3, 8)), Tier::Direct);
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("m.kompakt", &bytes);
    write("cut.kompakt", &bytes[..bytes.len() - 9]);
    let pixels: Vec<u8> = (0..784u32).map(|i| (i * 7 % 256) as u8).collect();
    let mut pgm = b"P5 28 28 255\n".to_vec();
    pgm.extend(&pixels);
    write("a.pgm", &pgm);
    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28];
    idx.extend(pixels.iter().chain(&pixels));
    write("two-images-idx3-ubyte", &idx);
    write("text.txt", b"hello");
    folder
}

#[test]
fn images_get_classes() {
    let folder = folder();
    let one = run(folder.path(), &["m.kompakt", "a.pgm"]);
    assert_eq!((one.code, one.err.as_str()), (Some(0), ""));
    let fields: Vec<&str> = one.out.trim_end().split('\t').collect();
    assert_eq!((fields.len(), fields[0]), (3, "a.pgm"));
    let probability: f64 = fields[2].parse().unwrap();
    assert!((0.1..=1.0).contains(&probability));

    let two = run(folder.path(), &["m.kompakt", "two-images-idx3-ubyte", "--top", "3"]);
    let lines: Vec<&str> = two.out.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("two-images-idx3-ubyte[0]\t"));
    assert_eq!(
        lines[0].split('\t').skip(1).collect::<Vec<_>>(),
        lines[1].split('\t').skip(1).collect::<Vec<_>>()
    );
    assert_eq!(lines[0].split('\t').nth(1), Some(fields[1]), "the same image, the same class");

    let json = run(folder.path(), &["m.kompakt", ".", "--json", "--top", "2"]);
    let value: serde_json::Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!(value["predictions"][0]["label"], fields[1]);
    assert_eq!(value["predictions"].as_array().unwrap().len(), 2);
}

#[test]
fn plans_and_times() {
    let folder = folder();
    let plan = run(folder.path(), &["m.kompakt", "--plan"]);
    assert!(
        plan.code == Some(0) && plan.out.contains("fc1") && plan.out.contains("activations"),
        "{}",
        plan.out
    );
    let plan = run(folder.path(), &["m.kompakt", "--plan", "--json", "--isa", "scalar"]);
    let value: serde_json::Value = serde_json::from_str(plan.out.trim()).unwrap();
    assert_eq!((&value["isa"], value["layers"].as_array().unwrap().len()), (&"scalar".into(), 2));
    let bench = run(folder.path(), &["m.kompakt", "--bench", "--rounds", "3", "--json", "--batch", "2"]);
    let value: serde_json::Value = serde_json::from_str(bench.out.trim()).unwrap();
    assert!(value["median_ms"].as_f64().unwrap() > 0.0 && value["batch"] == 2);
}

#[test]
fn data_sets_get_an_error() {
    let folder = folder();
    // The embedded digits are 28 x 28 as the network wants them.
    let data = run(folder.path(), &["m.kompakt", "--data", "digits", "--split", "validation", "--json"]);
    assert_eq!(data.code, Some(0), "{}", data.err);
    let value: serde_json::Value = serde_json::from_str(data.out.trim()).unwrap();
    let (n, wrong) = (value["n"].as_f64().unwrap(), value["wrong"].as_f64().unwrap());
    assert!(n > 100.0 && (value["error"].as_f64().unwrap() - wrong / n).abs() < 1e-9);
    let threads = run(
        folder.path(),
        &["m.kompakt", "--data", "digits", "--split", "validation", "--json", "--threads", "2"],
    );
    assert_eq!(data.out, threads.out);
}

#[test]
fn mistakes_have_their_codes() {
    let folder = folder();
    for (args, code, says) in [
        (&["m.kompakt"][..], 2, "nothing to do"),
        (&["m.kompakt", "--split", "test"], 2, "--data"),
        (&["m.kompakt", "--plan", "--ram", "lots"], 2, "bytes"),
        (&["m.kompakt", "--plan", "--ram", "1kB"], 2, "least possible"),
        (&["m.kompakt", "--plan", "--isa", "sse9"], 2, "scalar"),
        (&["none.kompakt", "a.pgm"], 4, "none.kompakt"),
        (&["text.txt", "a.pgm"], 3, "text.txt"),
        (&["cut.kompakt", "a.pgm"], 3, "cut.kompakt"),
        (&["m.kompakt", "none.png"], 4, "none.png"),
        (&["m.kompakt", "text.txt"], 3, "text.txt"),
        (&["m.kompakt", "--data", "no-such-data"], 4, "no-such-data"),
    ] {
        let answer = run(folder.path(), args);
        assert_eq!(answer.code, Some(code), "{args:?}: {}", answer.err);
        assert!(answer.err.contains(says), "{args:?}: {}", answer.err);
        assert!(answer.out.is_empty(), "{args:?}");
    }
}
