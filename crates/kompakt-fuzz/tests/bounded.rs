//! Every target over its corpus, and over a bounded number of seeded changes to it.
//!
//! `KOMPAKT_FUZZ_CHANGES=1000000` runs longer.

use kompakt_fuzz::{Fixtures, Mutation, TARGETS, mutate};
use std::path::Path;

/// Changes tried of each target, all inputs of its corpus together.
fn n_changes() -> usize {
    std::env::var("KOMPAKT_FUZZ_CHANGES").ok().and_then(|n| n.parse().ok()).unwrap_or(4000)
}

#[test]
fn every_target_survives_its_corpus_and_changes_to_it() {
    let fixtures = Fixtures::of_repository();
    for target in TARGETS {
        let corpus = (target.corpus)(&fixtures);
        assert!(corpus.len() > 1, "{} has no corpus", target.name);
        corpus.iter().for_each(|input| (target.run)(input));
        let mut random = Mutation::new(1);
        for i in 0..n_changes() {
            let mut input = corpus[i % corpus.len()].clone();
            mutate(&mut input, &mut random);
            if let Err(panic) = std::panic::catch_unwind(|| (target.run)(&input)) {
                eprintln!("{} on change {i}: {input:02x?}", target.name);
                std::panic::resume_unwind(panic);
            }
        }
        for length in 0..64 {
            let noise: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
            (target.run)(&noise);
        }
    }
}

#[test]
fn every_target_is_there_for_cargo_fuzz() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    for target in TARGETS {
        let file = format!("fuzz_targets/{}.rs", target.name);
        assert!(folder.join(&file).exists(), "fuzz/{file} is missing");
        assert!(manifest.contains(&format!("path = \"{file}\"")), "fuzz/Cargo.toml does not list {file}");
    }
}
