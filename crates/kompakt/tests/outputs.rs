//! An output that names an input is refused by every command, before anything is read: by its name, through symbolic
//! and hard links, and as stdin.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "support/every_command.rs"]
mod every_command;
#[path = "support/program.rs"]
mod program;

use every_command::{command, every_command, fill};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};

#[test]
fn an_output_that_is_an_input_is_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    for call in every_command() {
        for input in &call.inputs {
            let before = fs::read(folder.join(input)).unwrap();
            let (soft, hard) = (folder.join("soft"), folder.join("hard"));
            symlink(folder.join(input), &soft).unwrap();
            fs::hard_link(folder.join(input), &hard).unwrap();
            for output in [*input, "soft", "hard", &format!("./run/../{input}")] {
                let done = command(&call, folder, output).output().unwrap();
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                let what =
                    format!("{} {:?} {} {output}: {said}", call.program, call.arguments, call.output.0);
                let code = if call.program == "kompakt-prep" { 1 } else { 2 };
                assert_eq!(done.status.code(), Some(code), "{what}");
                assert!(said.contains("another name") && said.lines().count() == 1, "{what}");
                assert!(done.stdout.is_empty(), "{what}");
                assert!(fs::read(folder.join(input)).unwrap() == before, "{what}");
            }
            fs::remove_file(soft).unwrap();
            fs::remove_file(hard).unwrap();
        }
    }
}

#[test]
fn stdin_is_an_input_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    let before = fs::read(folder.join("dense.safetensors")).unwrap();
    for words in
        [&["cluster", "-q"][..], &["prune", "--density", "0.5", "-q"], &["pack", "-q"], &["compress", "-q"]]
    {
        let mut command = program::program(env!("CARGO_BIN_EXE_kompakt"));
        command.current_dir(folder).args(words).args(["-o", "dense.safetensors"]);
        command.stdin(File::open(folder.join("dense.safetensors")).unwrap());
        assert_eq!(command.output().unwrap().status.code(), Some(2), "{words:?}");
    }
    assert!(fs::read(folder.join("dense.safetensors")).unwrap() == before);
}

#[test]
fn a_file_that_is_no_input_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    for call in every_command() {
        fs::write(folder.join(call.output.1), "old").unwrap();
        let done = command(&call, folder, call.output.1).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{} {:?}: {said}", call.program, call.arguments);
        assert!(fs::read(folder.join(call.output.1)).unwrap() != b"old", "{:?}", call.arguments);
        assert_eq!(hidden(folder), Vec::<String>::new(), "{:?}", call.arguments);
    }
}

#[test]
fn a_folder_is_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    for call in every_command() {
        let done = command(&call, folder, "run").output().unwrap();
        let code = if call.program == "kompakt-prep" { 1 } else { 4 };
        assert_eq!(done.status.code(), Some(code), "{:?}", call.arguments);
        assert!(String::from_utf8_lossy(&done.stderr).contains("is a folder"), "{:?}", call.arguments);
    }
}

fn hidden(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}
