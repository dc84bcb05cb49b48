//! `kompakt-pack` as a process: pipes, exit codes, and the files left behind.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use kompakt_graph::networks;
use kompakt_pack::synthetic::{self, NumberChoice, Recipe};
use program::program;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

fn pack() -> Command {
    program(env!("CARGO_BIN_EXE_kompakt-pack"))
}

/// A clustered model in `folder`.
fn model(folder: &Path, hidden: usize) -> PathBuf {
    let graph = networks::mlp(&[1, 28, 28], &[hidden], 10).unwrap();
    let recipe = Recipe { density: 0.1, n_levels: 8, numbers: NumberChoice::F32, seed: 1 };
    let path = folder.join("model.safetensors");
    synthetic::model(graph, recipe).unwrap().write(&path).unwrap();
    path
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn pipes_and_files_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 20);
    let file = folder.path().join("a.kompakt");
    let output = pack().arg(&model).arg("-o").arg(&file).args(["--tier", "direct"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    // The table's rows add up to the file, and its last row says so.
    let length = fs::metadata(&file).unwrap().len().to_string();
    assert!(
        stderr(&output).lines().any(|l| l.starts_with("file") && l.ends_with(&length)),
        "{}",
        stderr(&output)
    );
    let piped =
        pack().args(["--tier", "direct", "--quiet"]).stdin(File::open(&model).unwrap()).output().unwrap();
    assert!(piped.status.success() && piped.stderr.is_empty());
    assert_eq!(piped.stdout, fs::read(&file).unwrap());
    assert_eq!(names(folder.path()), ["a.kompakt", "model.safetensors"]);
}

#[test]
fn failures_have_their_codes_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 5);
    let out = folder.path().join("out.kompakt");
    fs::write(&out, "old").unwrap();
    let junk = folder.path().join("junk");
    fs::write(&junk, vec![7; 1000]).unwrap();
    let cut = folder.path().join("cut");
    let whole = fs::read(&model).unwrap();
    fs::write(&cut, &whole[..whole.len() - 1]).unwrap();
    let container =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good/worked-example.kompakt");
    let missing = folder.path().join("missing");
    for (input, code) in [(&junk, 3), (&cut, 3), (&container, 3), (&missing, 4)] {
        let output = pack().arg(input).arg("-o").arg(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert_eq!(fs::read(&out).unwrap(), b"old");
    }
    let nowhere = folder.path().join("nowhere").join("out");
    let output = pack().arg(&model).arg("-o").arg(nowhere).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let output = pack().arg(&model).arg("--tier").arg("tiny").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(names(folder.path()), ["cut", "junk", "model.safetensors", "out.kompakt"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 5);
    let full = Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let output = pack().arg(&model).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

/// Whenever the packer is killed, either the old file or the new one is there.
#[test]
#[cfg(unix)]
fn a_kill_leaves_the_old_file_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 200);
    let out = folder.path().join("out.kompakt");
    fs::write(&out, "old").unwrap();
    for delay_ms in [0, 5, 10, 20, 40, 80, 160] {
        let mut child = pack().arg(&model).arg("-o").arg(&out).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        let bytes = fs::read(&out).unwrap();
        if bytes != b"old" {
            kompakt_format::Container::parse(&bytes).unwrap().verify().unwrap();
        }
    }
}
