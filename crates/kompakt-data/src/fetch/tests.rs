//! What arrives is checked, whatever the source, and nothing is left of what was refused.

use super::{fetch_into, install::install};
use crate::{
    known::{Known, KnownFile, Source},
    progress::Silent,
};
use std::{fs, path::Path};

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn abc(name: &'static str) -> KnownFile {
    KnownFile { name, n_bytes: 3, sha256: ABC }
}

fn refused(content: &[u8], folder: &Path) -> String {
    let problem = install(&mut &content[..], &abc("a"), folder, &mut Silent).unwrap_err();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "something was left behind");
    problem
}

#[test]
fn only_the_right_bytes_are_installed() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(b"ab", folder.path()).contains("truncated: 2 of 3 bytes"));
    assert!(refused(b"abcd", folder.path()).contains("longer than 3 bytes"));
    assert!(refused(b"abd", folder.path()).contains("SHA-256"));
    install(&mut &b"abc"[..], &abc("a"), folder.path(), &mut Silent).unwrap();
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"abc");
}

#[test]
fn every_failed_source_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let known = Known {
        name: "letters",
        classes: [""; 10],
        files: [abc("a"), abc("b"), abc("c"), abc("d")],
        sources: &[Source::Installed { folder: "/nowhere/1" }, Source::Installed { folder: "/nowhere/2" }],
    };
    let message = fetch_into(&known, &folder.path().join("new"), &mut Silent).unwrap_err().to_string();
    assert!(message.contains("letters"), "{message}");
    assert!(message.contains("/nowhere/1") && message.contains("/nowhere/2"), "{message}");
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let known = Known {
        name: "letters",
        classes: [""; 10],
        files: [abc("a"), abc("b"), abc("c"), abc("d")],
        sources: &[],
    };
    for file in &known.files {
        fs::write(folder.path().join(file.name), b"abc").unwrap();
    }
    fetch_into(&known, folder.path(), &mut Silent).unwrap();
    fs::write(folder.path().join("c"), b"abd").unwrap();
    fetch_into(&known, folder.path(), &mut Silent).unwrap_err();
}
