//! Files decode to the same weights on every instruction set, and on the requested one.
#![allow(clippy::unwrap_used)]

use kompakt_entropy::Isa;
use kompakt_format::{Container, Tier};

#[test]
fn every_tier_decodes_alike_and_on_what_was_chosen() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/good");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (mut n_files, mut n_tables) = (0, 0);
    for path in files.filter(|path| path.extension().is_some_and(|e| e == "kompakt")) {
        let bytes = std::fs::read(&path).unwrap();
        let container = Container::parse(&bytes).unwrap();
        let first = container.clone().on(Isa::SCALAR).decode().unwrap();
        for isa in Isa::available() {
            let container = container.clone().on(isa);
            assert_eq!(container.isa(), isa);
            assert!(container.decode().unwrap() == first, "{} on {isa}", path.display());
            if let (Tier::Stream, Ok(tables)) = (container.tier(), container.stream_tables()) {
                assert_eq!(tables.isa(), isa);
                n_tables += 1;
            }
        }
        n_files += 1;
    }
    assert!(n_files > 10 && n_tables > 0, "{n_files} files, {n_tables} tables");
}
