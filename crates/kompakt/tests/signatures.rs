//! `kompakt keygen`, `sign`, `verify --key` and `run --key` as processes.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use program::program;
use std::{fs, path::Path, process::Output};

const NAME: &str = "net.kompakt";

fn kompakt(folder: &Path, words: &str) -> Output {
    let mut command = program(env!("CARGO_BIN_EXE_kompakt"));
    command.current_dir(folder).args(words.split_whitespace()).stdin(std::process::Stdio::null());
    command.env_remove("KOMPAKT_PASSWORD").output().unwrap()
}

fn works(folder: &Path, words: &str) -> String {
    let output = kompakt(folder, words);
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The command is refused with this exit code, in one line.
fn refused(folder: &Path, words: &str, code: i32) -> String {
    let output = kompakt(folder, words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{words}: {said}");
    said
}

/// A folder with a packed file and two key pairs.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/good/perceptron-stream.kompakt");
    fs::copy(fixture, folder.path().join(NAME)).unwrap();
    works(folder.path(), "keygen mine --no-password");
    works(folder.path(), "keygen other --no-password");
    folder
}

#[test]
fn what_is_signed_passes_and_nothing_else() {
    let folder = folder();
    let folder = folder.path();
    let said = refused(folder, "verify --key mine.pub net.kompakt", 4);
    assert!(said.contains("no signature") && said.contains("net.kompakt.minisig"), "{said}");
    assert!(refused(folder, "run net.kompakt --plan --key mine.pub", 3).contains("no signature"));
    works(folder, "sign --key mine.key net.kompakt");
    assert!(works(folder, "verify --key mine.pub net.kompakt").contains("signed by this key"));
    let key = fs::read_to_string(folder.join("mine.pub")).unwrap();
    let key = key.lines().nth(1).unwrap();
    works(folder, &format!("verify --key {key} net.kompakt"));
    works(folder, "run net.kompakt --plan --key mine.pub");
    assert!(refused(folder, "verify --key other.pub net.kompakt", 3).contains("another key"));
    assert!(refused(folder, "run net.kompakt --plan --key other.pub", 3).contains("another key"));

    // The same content in another tier is another file.
    works(folder, "repack net.kompakt --tier direct -o direct.kompakt");
    fs::copy(folder.join("net.kompakt.minisig"), folder.join("direct.kompakt.minisig")).unwrap();
    assert!(refused(folder, "verify --key mine.pub direct.kompakt", 3).contains("not of these bytes"));
    works(folder, "verify direct.kompakt");
    works(folder, "sign --key mine.key direct.kompakt -o elsewhere.minisig");
    works(folder, "verify --key mine.pub --signature elsewhere.minisig direct.kompakt");
}

#[test]
fn a_changed_file_or_signature_is_refused() {
    let folder = folder();
    let folder = folder.path();
    works(folder, "sign --key mine.key net.kompakt");
    let good = fs::read_to_string(folder.join("net.kompakt.minisig")).unwrap();
    let with = |signature: &str, what: &str| {
        fs::write(folder.join("net.kompakt.minisig"), signature).unwrap();
        assert!(refused(folder, "run net.kompakt --plan --no-verify --key mine.pub", 3).contains(what));
    };
    with("", "minisign's format");
    with(&good[..good.len() / 2], "minisign's format");
    with(&good.replace("content:", "content:0"), "not of these bytes");
    fs::write(folder.join("net.kompakt.minisig"), &good).unwrap();
    works(folder, "run net.kompakt --plan --key mine.pub");
    // The name of a class is not checked against the content hash; the signature covers it.
    let mut bytes = fs::read(folder.join(NAME)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(folder.join(NAME), bytes).unwrap();
    assert!(
        refused(folder, "run net.kompakt --plan --no-verify --key mine.pub", 3)
            .contains("not of these bytes")
    );
}

#[test]
fn keys_are_never_replaced_and_passwords_are_asked_for() {
    let folder = folder();
    let folder = folder.path();
    let before = fs::read(folder.join("mine.key")).unwrap();
    assert!(refused(folder, "keygen mine --no-password", 2).contains("never replaced"));
    assert_eq!(fs::read(folder.join("mine.key")).unwrap(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.join("mine.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    assert!(refused(folder, "keygen sealed", 2).contains("KOMPAKT_PASSWORD"));
    assert!(!folder.join("sealed.key").exists());
    let with = |password: &str, words: &str| {
        let mut command = program(env!("CARGO_BIN_EXE_kompakt"));
        command.current_dir(folder).args(words.split_whitespace()).env("KOMPAKT_PASSWORD", password);
        command.output().unwrap()
    };
    assert!(with("a secret", "keygen sealed").status.success());
    assert!(with("a secret", "sign --key sealed.key net.kompakt").status.success());
    works(folder, "verify --key sealed.pub net.kompakt");
    let wrong = with("no secret", "sign --key sealed.key net.kompakt");
    assert_eq!(wrong.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("wrong password"));
    assert!(refused(folder, "sign --key sealed.key net.kompakt", 2).contains("KOMPAKT_PASSWORD"));
    assert!(refused(folder, "sign --key mine.pub net.kompakt", 3).contains("not a secret key"));
    let nowhere = kompakt(folder, "verify --key nowhere.pub net.kompakt");
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("not a public key"), "{nowhere:?}");
}
