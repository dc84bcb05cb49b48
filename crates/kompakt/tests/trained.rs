//! Networks that are trained already, at the command line: in from ONNX, compressed, run, out again.
#![allow(clippy::unwrap_used)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn kompakt(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kompakt")).current_dir(folder).args(arguments).output().unwrap()
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
fn a_missed_target_is_said_and_what_came_nearest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model(folder, "net_lenet5");
    let output =
        kompakt(folder, &["compress", "model.onnx", "-o", "small.kompakt", "--target-size", "200", "-q"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("200 bytes were asked for"));
    assert!(folder.join("small.kompakt").exists());
    let output = kompakt(folder, &["compress", "model.onnx", "-o", "x.kompakt", "--max-drop", "1"]);
    assert_eq!(output.status.code(), Some(2));
    std::fs::write(folder.join("broken.onnx"), b"\x08\x07nonsense").unwrap();
    let output = kompakt(folder, &["import", "broken.onnx", "-o", "x.safetensors"]);
    assert_eq!(output.status.code(), Some(3));
    let output = kompakt(folder, &["import", "nowhere.onnx", "-o", "x.safetensors"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(!folder.join("x.safetensors").exists() && !folder.join("x.kompakt").exists());
}
