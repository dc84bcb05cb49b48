//! Files appear completely or not at all.
#![allow(clippy::unwrap_used)]

use kompakt_files::{Scratch, Sibling};
use std::{fs, io::Write, path::Path};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_sibling_takes_its_place_or_goes() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    fs::write(&place, "old").unwrap();
    let mut sibling = Sibling::of(&place).unwrap();
    sibling.write_all(b"half").unwrap();
    assert_eq!(names(folder.path()).len(), 2);
    drop(sibling);
    assert_eq!((names(folder.path()), fs::read(&place).unwrap()), (vec!["a".to_string()], b"old".to_vec()));
    let mut sibling = Sibling::of(&place).unwrap();
    sibling.write_all(b"new").unwrap();
    sibling.persist().unwrap();
    assert_eq!((names(folder.path()), fs::read(&place).unwrap()), (vec!["a".to_string()], b"new".to_vec()));
}

#[test]
fn a_scratch_folder_goes_with_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let scratch = Scratch::beside(&place).unwrap();
    fs::write(scratch.path().join("result"), "whole").unwrap();
    fs::write(scratch.path().join("rest"), "of it").unwrap();
    scratch.persist("result", &place).unwrap();
    drop(scratch);
    assert_eq!((names(folder.path()), fs::read(&place).unwrap()), (vec!["a".to_string()], b"whole".to_vec()));
}

#[test]
fn errors_are_the_systems_and_name_no_temporary_file() {
    let place = Path::new("/no/such/folder/a");
    for error in [Sibling::of(place).map(drop).unwrap_err(), Scratch::beside(place).map(drop).unwrap_err()] {
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(error.raw_os_error().is_some(), "{error}");
        assert!(!error.to_string().contains(kompakt_files::PREFIX), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn files_and_folders_have_the_permissions_of_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (place, plain, inside) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
    fs::write(&plain, "").unwrap();
    fs::create_dir(&inside).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(Scratch::beside(&place).unwrap().path()), mode(&inside));
    Sibling::of(&place).unwrap().persist().unwrap();
    assert_eq!(mode(&place), mode(&plain));
}
