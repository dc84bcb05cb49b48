//! `kompakt diff --patch` and `kompakt patch` as processes.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use program::program;
use std::{fs, path::Path, process::Output};

fn kompakt(folder: &Path, words: &str) -> Output {
    let mut command = program(env!("CARGO_BIN_EXE_kompakt"));
    command.current_dir(folder).args(words.split_whitespace()).stdin(std::process::Stdio::null());
    command.output().unwrap()
}

/// The command is refused with this exit code, in one line, and writes nothing.
fn refused(folder: &Path, words: &str, code: i32) -> String {
    let output = kompakt(folder, words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{words}: {said}");
    assert!(output.stdout.is_empty());
    said
}

#[test]
fn a_patch_travels_through_pipes_and_fits_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["old.kompakt", "new.kompakt"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/patches").join(name);
        fs::copy(from, folder.join(name)).unwrap();
    }
    let output = kompakt(folder, "diff --patch old.kompakt new.kompakt");
    assert!(output.status.success() && output.stderr.is_empty());
    fs::write(folder.join("p"), &output.stdout).unwrap();
    let output = kompakt(folder, "patch old.kompakt p");
    assert!(output.status.success() && output.stdout == fs::read(folder.join("new.kompakt")).unwrap());

    let said = refused(folder, "patch new.kompakt p", 3);
    assert!(said.contains("p on new.kompakt: the patch is for another file"), "{said}");
    assert!(refused(folder, "patch old.kompakt new.kompakt -o x", 3).contains("it is a .kompakt file"));
    assert!(refused(folder, "diff --patch new.kompakt old.kompakt", 3).contains("repack --tier smallest"));
    refused(folder, "diff old.kompakt new.kompakt -o x", 2);
    refused(folder, "patch old.kompakt missing", 4);
    assert!(
        refused(folder, "patch old.kompakt p -o old.kompakt", 2).contains("a file that this command reads")
    );
    let mut broken = fs::read(folder.join("p")).unwrap();
    broken[60] ^= 4;
    fs::write(folder.join("p"), broken).unwrap();
    assert!(refused(folder, "patch old.kompakt p -o x", 3).contains("damaged"));
    assert!(!folder.join("x").exists());
}
