//! `kompakt-run` as a process: its output, and its exit codes.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use kompakt_format::Tier;
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair, networks};
use kompakt_testing::models::{checkpoint, pack};
use program::program;
use std::path::Path;

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, args: &[&str]) -> Answer {
    let done = program(env!("CARGO_BIN_EXE_kompakt-run")).args(args).current_dir(folder).output().unwrap();
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

/// `two.kompakt`: on 1 x 4 x 4, an image of two channels and the mean of each.
fn two_outputs(folder: &Path) {
    let node = |name: &str, op, inputs| Node { name: name.into(), op, inputs };
    let square = Pair::square(3);
    let conv = Op::Conv2d {
        out_channels: 2,
        kernel: square,
        stride: Pair::square(1),
        padding: Padding::all(1),
        dilation: Pair::square(1),
        groups: 1,
        bias: false,
    };
    let nodes = vec![
        node("boxes", conv, vec![0]),
        node("head/score", Op::GlobalAvgPool, vec![1]),
        node("flat", Op::Flatten, vec![2]),
    ];
    let input = Input { name: "input".into(), shape: vec![1, 4, 4] };
    let graph = Graph::new(vec![input], nodes, vec![1, 2]).unwrap();
    let bytes = pack(&checkpoint(graph, 1, |_| (1.0, 8)), Tier::Direct);
    std::fs::write(folder.join("two.kompakt"), bytes).unwrap();
    let mut pgm = b"P5 4 4 255\n".to_vec();
    pgm.extend(0..16u8);
    std::fs::write(folder.join("small.pgm"), pgm).unwrap();
}

#[test]
fn all_outputs_are_printed_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    two_outputs(folder.path());
    let text = run(folder.path(), &["two.kompakt", "small.pgm"]);
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    let lines: Vec<Vec<&str>> = text.out.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2, "{}", text.out);
    assert_eq!(lines[0][..3], ["small.pgm", "boxes", "[2, 4, 4]"]);
    assert_eq!(lines[1][..3], ["small.pgm", "head/score", "[2, 1, 1]"]);
    let values: Vec<Vec<f32>> =
        lines.iter().map(|l| l[3].split(' ').map(|v| v.parse().unwrap()).collect()).collect();
    assert_eq!((values[0].len(), values[1].len()), (32, 2));
    for (plane, mean) in values[0].chunks(16).zip(&values[1]) {
        assert!((plane.iter().sum::<f32>() / 16.0 - mean).abs() < 1e-5);
    }

    let json = run(folder.path(), &["two.kompakt", "small.pgm", "--json"]);
    let value: serde_json::Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!(value["outputs"][1]["name"], "head/score");
    assert_eq!(value["outputs"][0]["shape"], serde_json::json!([2, 4, 4]));
    let score = value["outputs"][1]["values"][0].as_f64().unwrap() as f32;
    assert_eq!(score, values[1][0]);

    let npy = run(folder.path(), &["two.kompakt", "small.pgm", "small.pgm", "--npy", "found"]);
    assert_eq!((npy.code, npy.out.as_str()), (Some(0), "small.pgm\nsmall.pgm\n"), "{}", npy.err);
    let names = |folder: &Path| {
        let mut all: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        all
    };
    assert_eq!(names(&folder.path().join("found")), ["boxes.npy", "head_score.npy"]);
    let file = std::fs::read(folder.path().join("found/boxes.npy")).unwrap();
    let header = String::from_utf8_lossy(&file[10..256]).into_owned();
    assert!(header.contains("'shape': (2, 2, 4, 4,)") && header.contains("'<f4'"), "{header}");
    let floats: Vec<f32> =
        file[256..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(floats, [&values[0][..], &values[0]].concat());
}

/// A .npy file of floats.
fn npy(path: &Path, dims: &[usize], values: &[f32]) {
    let dims: String = dims.iter().map(|d| format!("{d},")).collect();
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({dims}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16 + 1).to_le_bytes());
    bytes.extend(text.bytes().chain([b'\n']));
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes[256..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// `state.kompakt`: what it is given and a state, three numbers each; their sum is the next state, its double the other output.
fn with_a_state(folder: &Path) {
    let node = |name: &str, op, inputs| Node { name: name.into(), op, inputs };
    let input = |name: &str| Input { name: name.into(), shape: vec![3] };
    let nodes = vec![node("next", Op::Add, vec![0, 1]), node("double", Op::Add, vec![2, 2])];
    let graph = Graph::new(vec![input("given"), input("state")], nodes, vec![2, 3]).unwrap();
    let bytes = pack(&checkpoint(graph, 1, |_| (1.0, 8)), Tier::Direct);
    std::fs::write(folder.join("state.kompakt"), bytes).unwrap();
}

#[test]
fn inputs_go_by_name_and_states_go_on() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    with_a_state(folder);
    npy(&folder.join("given.npy"), &[3], &[1.0, 2.0, 3.0]);
    npy(&folder.join("zero.npy"), &[1, 3], &[0.0; 3]);
    let text = run(folder, &["state.kompakt", "--input", "state=zero.npy", "--input", "given=given.npy"]);
    let lines = "given.npy\tnext\t[3]\t1 2 3\ngiven.npy\tdouble\t[3]\t2 4 6\n";
    assert_eq!((text.code, text.out.as_str()), (Some(0), lines), "{}", text.err);

    let given = ["state.kompakt", "--input", "given=given.npy", "--input"];
    let first = run(folder, &[&given[..], &["state=zero.npy", "-o", "one"]].concat());
    assert_eq!((first.code, first.out.as_str()), (Some(0), "given.npy\n"), "{}", first.err);
    let second = run(folder, &[&given[..], &["state=one/next.npy", "-o", "two"]].concat());
    assert_eq!(second.code, Some(0), "{}", second.err);
    assert_eq!(floats(&folder.join("two/next.npy")), [2.0, 4.0, 6.0]);
    assert_eq!(floats(&folder.join("two/double.npy")), [4.0, 8.0, 12.0]);

    // Several runs, and what is refused.
    npy(&folder.join("both.npy"), &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let both = ["state.kompakt", "--input", "given=both.npy", "--input", "state=both.npy", "-o", "both"];
    let both = run(folder, &both);
    assert_eq!((both.code, both.out.as_str()), (Some(0), "both.npy[0]\nboth.npy[1]\n"), "{}", both.err);
    assert_eq!(floats(&folder.join("both/next.npy")), [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
    npy(&folder.join("four.npy"), &[4], &[0.0; 4]);
    for (more, code, says) in [
        (&[][..], 2, "\"state\" is missing"),
        (&["--input", "cache=zero.npy"], 2, "no input \"cache\""),
        (&["--input", "given=zero.npy"], 2, "given twice"),
        (&["--input", "state"], 2, "NAME=FILE"),
        (&["--input", "state=none.npy"], 4, "none.npy"),
        (&["--input", "state=four.npy"], 3, "[4]"),
        (&["--input", "state=both.npy"], 3, "is for 1 runs"),
        (&["--input", "state=state.kompakt"], 3, "state.kompakt"),
        (&["--input", "state=zero.npy", "-o", "zero.npy"], 2, "next, double; name a folder"),
        (&["--input", "state=one/next.npy", "-o", "one"], 2, "is a file that this command reads"),
    ] {
        let answer = run(folder, &[&["state.kompakt", "--input", "given=given.npy"], more].concat());
        assert_eq!(answer.code, Some(code), "{more:?}: {}", answer.err);
        assert!(answer.err.contains(says) && answer.out.is_empty(), "{more:?}: {}", answer.err);
    }
    let image = run(folder, &["state.kompakt", "zero.npy"]);
    assert!(image.code == Some(2) && image.err.contains("--input given=FILE.npy [3]"), "{}", image.err);
}

#[test]
fn one_output_goes_to_one_file() {
    let folder = folder();
    let answer = run(folder.path(), &["m.kompakt", "a.pgm", "a.pgm", "-o", "scores.npy"]);
    assert_eq!((answer.code, answer.out.as_str()), (Some(0), "a.pgm\na.pgm\n"), "{}", answer.err);
    let scores = floats(&folder.path().join("scores.npy"));
    assert!(scores.len() == 20 && scores[..10] == scores[10..]);
}

#[test]
fn several_outputs_are_not_classes() {
    let folder = tempfile::tempdir().unwrap();
    two_outputs(folder.path());
    let refused = run(folder.path(), &["two.kompakt", "--data", "digits"]);
    assert_eq!(refused.code, Some(3));
    assert!(refused.err.contains("does not classify") && refused.err.contains("boxes"), "{}", refused.err);
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
fn networks_of_several_inputs_are_measured() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    with_a_state(folder);
    npy(&folder.join("both.npy"), &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let bench = ["state.kompakt", "--bench", "--rounds", "2", "--json"];
    for more in [&[][..], &["--batch", "3"], &["--input", "given=both.npy", "--input", "state=both.npy"]] {
        let bench = run(folder, &[&bench[..], more].concat());
        assert_eq!(bench.code, Some(0), "{more:?}: {}", bench.err);
        let value: serde_json::Value = serde_json::from_str(bench.out.trim()).unwrap();
        assert_eq!(value["steps"].as_array().unwrap().len(), 2, "{value}");
    }
    for (more, says) in [
        (&["--input", "given=both.npy"][..], "\"state\" is missing"),
        (&["both.npy"], "--input given=FILE.npy [3]"),
    ] {
        let answer = run(folder, &[&bench[..], more].concat());
        assert!(answer.code == Some(2) && answer.err.contains(says), "{more:?}: {}", answer.err);
    }

    // Rows of a table and a mask; their numbers are what the network can look up.
    let node = |name: &str, op, inputs| Node { name: name.into(), op, inputs };
    let input = |name: &str| Input { name: name.into(), shape: vec![8] };
    let nodes = vec![
        node("rows", Op::Embedding { rows: 30, features: 4 }, vec![0]),
        node("hidden", Op::Scale { factor: -1e9, offset: 1e9 }, vec![1]),
        node("column", Op::Reshape { shape: vec![8, 1] }, vec![3]),
        node("masked", Op::Add, vec![2, 4]),
    ];
    let graph = Graph::new(vec![input("ids"), input("mask")], nodes, vec![5]).unwrap();
    std::fs::write(folder.join("text.kompakt"), pack(&checkpoint(graph, 1, |_| (1.0, 8)), Tier::Direct))
        .unwrap();
    let text = run(folder, &["text.kompakt", "--bench", "--rounds", "2"]);
    assert!(text.code == Some(0) && text.out.contains("rows"), "{} {}", text.out, text.err);
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
