//! `cargo xtask` speaks within two seconds because what it runs first has nothing to build but itself.
#![allow(clippy::unwrap_used)]

#[test]
fn the_first_program_has_no_dependencies_and_cargo_is_not_silenced_after_it() {
    let manifest = include_str!("../Cargo.toml");
    assert!(!manifest.contains("dependencies]"), "xtask-start must have no dependencies");
    let alias = include_str!("../../../.cargo/config.toml");
    assert!(alias.contains("--package xtask-start"), "the alias starts another program: {alias}");
    let program = include_str!("../src/main.rs");
    assert!(!program.contains("\"--quiet\""), "the second build must not be silent");
}
