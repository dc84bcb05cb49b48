//! Pretrained networks on the command line: imported from ONNX, compressed, run, exported.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use program::program;
use std::{
    path::{Path, PathBuf},
    process::Output,
};

fn kompakt(folder: &Path, arguments: &[&str]) -> Output {
    program(env!("CARGO_BIN_EXE_kompakt")).current_dir(folder).args(arguments).output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = kompakt(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The model of a case of the operator suite: the tensor `model` of its safetensors file.
fn model(folder: &Path, case: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/onnx/{case}.safetensors"));
    let bytes = std::fs::read(path).unwrap();
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + n]).unwrap();
    let place = &header["model"]["data_offsets"];
    let at = |i: usize| 8 + n + place[i].as_u64().unwrap() as usize;
    std::fs::write(folder.join("model.onnx"), &bytes[at(0)..at(1)]).unwrap();
}

#[test]
fn from_onnx_to_a_file_that_runs_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model(folder, "net_lenet5");
    done(folder, &["import", "model.onnx", "-o", "model.safetensors"]);
    done(folder, &["compress", "model.onnx", "-o", "a.kompakt", "-q"]);
    done(folder, &["compress", "model.safetensors", "-o", "b.kompakt", "-q"]);
    assert_eq!(
        std::fs::read(folder.join("a.kompakt")).unwrap(),
        std::fs::read(folder.join("b.kompakt")).unwrap(),
        "the same network gives the same file"
    );
    done(folder, &["verify", "a.kompakt"]);
    done(folder, &["export", "a.kompakt", "-o", "again.onnx"]);
    done(folder, &["import", "again.onnx", "-o", "again.safetensors"]);
    let table = done(folder, &["sense", "model.onnx"]);
    assert!(table.contains("conv") && table.lines().count() == 5, "{table}");
}

#[test]
fn a_missed_target_is_said_and_rubble_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model(folder, "net_lenet5");
    let small = ["compress", "model.onnx", "-o", "small.kompakt", "--target-size", "200", "-q"];
    // A ruined network is not written.
    let output = kompakt(folder, &small);
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("summed error") && said.contains("200 bytes were asked for"), "{said}");
    assert!(!folder.join("small.kompakt").exists());
    let output = kompakt(folder, &["compress", "model.onnx", "-o", "x.kompakt", "--max-drop", "1"]);
    assert_eq!(output.status.code(), Some(2));
    std::fs::write(folder.join("broken.onnx"), b"\x08\x07nonsense").unwrap();
    let output = kompakt(folder, &["import", "broken.onnx", "-o", "x.safetensors"]);
    assert_eq!(output.status.code(), Some(3));
    let output = kompakt(folder, &["import", "nowhere.onnx", "-o", "x.safetensors"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(!folder.join("x.safetensors").exists() && !folder.join("x.kompakt").exists());
}

/// One layer of a file as the authors of Deep Compression published them: 4 to 2 units, weights 0 0.5 0 0 0 0 -2 0.5.
#[test]
fn a_published_file_keeps_its_shared_weights() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = r#"{"inputs": [{"name": "x", "shape": [4]}], "nodes": [{"name": "fc", "op": "linear", "out_features": 2}]}"#;
    std::fs::write(folder.join("graph.json"), graph).unwrap();
    let mut codebook = [0f32; 16];
    (codebook[3], codebook[9]) = (0.5, -2.0);
    let numbers = codebook.iter().chain(&[1.5, -1.0]).flat_map(|v| v.to_le_bytes());
    let bytes = 3u32.to_le_bytes().into_iter().chain(numbers).chain([0x93, 0x03, 0x41, 0x00]);
    std::fs::write(folder.join("tiny.net"), bytes.collect::<Vec<u8>>()).unwrap();
    done(folder, &["import", "tiny.net", "--graph", "graph.json", "-o", "tiny.safetensors"]);
    let file = std::fs::File::open(folder.join("tiny.safetensors")).unwrap();
    let model = kompakt_model::ModelFile::open(file, None).unwrap().into_model().unwrap();
    assert_eq!(model.parameters["fc.weight"].to_f32(), [0.0, 0.5, 0.0, 0.0, 0.0, 0.0, -2.0, 0.5]);
    assert_eq!(model.parameters["fc.bias"].to_f32(), [1.5, -1.0]);
    assert!(model.is_clustered());
    done(folder, &["pack", "tiny.safetensors", "-o", "tiny.kompakt", "--quiet"]);
    done(folder, &["verify", "tiny.kompakt"]);
    // Without --graph it would be SqueezeNet.
    let output = kompakt(folder, &["import", "tiny.net", "-o", "x.safetensors"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--graph"));
}

/// Additional data that export writes beside the network is imported again.
#[test]
fn preprocessing_and_classes_survive_a_trip_to_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model(folder, "net_lenet5");
    std::fs::write(folder.join("classes"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n").unwrap();
    done(folder, &["import", "model.onnx", "--labels", "classes", "-o", "1.safetensors"]);
    let read = |name: &str| {
        let file = std::fs::File::open(folder.join(name)).unwrap();
        kompakt_model::ModelFile::open(file, None).unwrap().into_model().unwrap()
    };
    let mut first = read("1.safetensors");
    let shape = first.graph.inputs()[0].shape.clone();
    let steps = serde_json::json!({"input": shape, "steps": [{"step": "invert"}]});
    first.preprocessing = Some(steps.clone());
    first.write(&folder.join("2.safetensors")).unwrap();
    done(folder, &["export", "2.safetensors", "-o", "2.onnx"]);
    done(folder, &["import", "2.onnx", "-o", "3.safetensors"]);
    let again = read("3.safetensors");
    assert_eq!((again.labels.len(), again.preprocessing), (10, Some(steps)));
}

#[cfg(feature = "train")]
#[test]
fn training_after_compression_gains_accuracy_and_keeps_the_size() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(
        folder,
        &["train", "--net", "mlp", "--data", "digits", "--epochs", "8", "-o", "dense.safetensors", "-q"],
    );
    done(folder, &["export", "dense.safetensors", "-o", "dense.onnx"]);
    let right = |file: &str| {
        let json = done(folder, &["eval", file, "--data", "digits", "--against", "dense.onnx", "--json"]);
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["top1"].as_f64().unwrap()
    };
    let both = |bytes: &str| {
        let common = ["compress", "dense.onnx", "--data", "digits", "--target-size", bytes, "-q", "-o"];
        done(folder, &[&common[..], &["plain.kompakt"]].concat());
        done(folder, &[&common[..], &["tuned.kompakt", "--finetune", "40"]].concat());
        assert!(std::fs::metadata(folder.join("tuned.kompakt")).unwrap().len() <= bytes.parse().unwrap());
        [right("plain.kompakt"), right("tuned.kompakt")]
    };
    let [plain, tuned] = both("2200");
    assert!(tuned > plain, "{plain} {tuned}");
    // So small that the record of training takes bytes that are missed.
    let [plain, tuned] = both("2000");
    assert!(tuned >= plain, "{plain} {tuned}");
    // So small that the record does not fit at all.
    let [plain, tuned] = both("1900");
    assert!(tuned >= plain, "{plain} {tuned}");
    // Along a trellis, too: codes still follow it after training.
    let common =
        ["compress", "dense.onnx", "--data", "digits", "--target-size", "6000", "--trellis", "-q", "-o"];
    let along = |name: &str, more: &[&str]| {
        done(folder, &[&common[..], &[name], more].concat());
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let file = kompakt_format::Container::parse(&bytes).unwrap();
        assert!(bytes.len() <= 6000 && file.descriptors().iter().any(|layer| layer.trellis));
        right(name)
    };
    let (plain, tuned) = (along("plain.kompakt", &[]), along("tuned.kompakt", &["--finetune", "20"]));
    assert!(tuned > plain, "{plain} {tuned}");
    let output = kompakt(folder, &["compress", "dense.onnx", "--finetune", "1", "-o", "x.kompakt"]);
    assert_eq!(output.status.code(), Some(2));
    // A missed target: the closest result is written, and the exit code says so.
    let near =
        ["compress", "dense.onnx", "--data", "digits", "--min-agreement", "90", "-q", "-o", "near.kompakt"];
    let output = kompakt(folder, &[&near[..], &["--target-size", "200"]].concat());
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("in 200 bytes were asked for"), "{said}");
    assert!(folder.join("near.kompakt").exists(), "{said}");
}

#[cfg(not(feature = "train"))]
#[test]
fn without_the_training_engine_finetune_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model(folder, "net_lenet5");
    let arguments = ["compress", "model.onnx", "--data", "digits", "--finetune", "1", "-o", "x.kompakt"];
    let output = kompakt(folder, &arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--features train"));
}
