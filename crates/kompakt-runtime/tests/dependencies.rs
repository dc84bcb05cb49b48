//! The loader stays small: no command line, no image files, no data sets, few crates.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, process::Command};

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "starts cargo, which emulation has not")]
fn the_loader_links_few_crates() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--package", "kompakt-runtime", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("kompakt-kernels") && names.len() <= 32, "{} crates: {names:?}", names.len());
    for name in ["clap", "anyhow", "image", "kompakt-data", "kompakt-model", "serde_json", "tempfile", "burn"]
    {
        assert!(!names.contains(name), "the loader links {name}");
    }
}
