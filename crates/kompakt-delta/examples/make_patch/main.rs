//! Makes `fixtures/patches`: `cargo run -p kompakt-delta --example make_patch`.
#![allow(clippy::unwrap_used)]

#[path = "../../tests/support/editions.rs"]
mod editions;

use kompakt_format::Tier;
use kompakt_pack::synthetic::NumberChoice;
use std::{fs, path::Path};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/patches");
    let model = editions::first(NumberChoice::Scaled, 8, 0.3);
    let (old, new) = (editions::packed(&model, Tier::Stream), editions::next(&model, 0.05));
    let new = editions::packed(&new, Tier::Smallest);
    fs::write(folder.join("example.patch"), kompakt_delta::diff(&old, &new).unwrap()).unwrap();
    fs::write(folder.join("old.kompakt"), old).unwrap();
    fs::write(folder.join("new.kompakt"), new).unwrap();
}
