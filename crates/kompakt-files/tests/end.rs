//! Files left when a signal ends a process: none. In a process of its own, because nothing temporary can be
//! made after it.
#![allow(clippy::unwrap_used)]

use kompakt_files::{Scratch, Sibling, remove_all};
use std::{fs, io::Write};

#[test]
fn all_that_is_temporary_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut sibling = Sibling::of(&folder.path().join("a")).unwrap();
    sibling.write_all(b"half").unwrap();
    let scratch = Scratch::beside(&folder.path().join("b")).unwrap();
    fs::write(scratch.path().join("c"), "half").unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    remove_all();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // Their destructors wait for a lock that is never released.
    std::mem::forget((sibling, scratch));
}
