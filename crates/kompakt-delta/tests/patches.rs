//! A patch gives the new file back, and nothing else is taken for one.
#![allow(clippy::unwrap_used)]

#[path = "support/editions.rs"]
mod editions;

use editions::{first, next, packed};
use kompakt_delta::{DeltaError, Header, diff, patch};
use kompakt_format::{Container, Tier};
use kompakt_pack::synthetic::{NumberChoice, Random};
use std::{fs, path::PathBuf};

fn fixtures(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(folder)
}

#[test]
fn every_kind_of_number_and_weight_comes_back() {
    for numbers in [NumberChoice::F32, NumberChoice::F16, NumberChoice::Scaled] {
        for (density, n_levels) in [(0.1, 8), (1.0, 3), (0.3, 0), (1.0, 0), (0.05, 256), (0.5, 1)] {
            let model = first(numbers, n_levels, density);
            let new = packed(&next(&model, 0.04), Tier::Smallest);
            for tier in [Tier::Smallest, Tier::Stream, Tier::Direct] {
                let old = packed(&model, tier);
                let bytes = diff(&old, &new).unwrap();
                assert_eq!(bytes, diff(&old, &new).unwrap(), "the same bytes");
                assert!(patch(&old, &bytes).unwrap() == new, "{numbers:?} {density} {n_levels} {tier:?}");
            }
        }
    }
}

/// Entropy of the changes, by hand: 3 of 100 weights moved by one level, one in a hundred dropped or added.
#[test]
fn a_small_change_is_a_small_patch() {
    let model = first(NumberChoice::Scaled, 16, 0.3);
    let old = packed(&model, Tier::Smallest);
    let size = |new: &kompakt_model::Model| {
        let new = packed(new, Tier::Smallest);
        (diff(&old, &new).unwrap().len(), new.len())
    };
    assert!(size(&model).0 < 60);
    let (bytes, whole) = size(&next(&model, 0.0));
    assert!(bytes < 130 && 10 * bytes < whole, "only centroids and biases: {bytes} of {whole}");
    let (bytes, whole) = size(&next(&model, 0.04));
    assert!(3 * bytes < whole, "trained on: {bytes} of {whole}");
}

#[test]
fn any_two_files_have_a_patch() {
    let files: Vec<(String, Vec<u8>)> = ["good", "compat/v1"]
        .iter()
        .flat_map(|folder| fs::read_dir(fixtures(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "kompakt"))
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .filter(|(_, bytes)| bytes.len() < 6000)
        .collect();
    let mut last = files.last().unwrap();
    for file in &files {
        let container = Container::parse(&file.1).unwrap();
        let is_smallest = container.tier() == Tier::Smallest && !container.is_compact();
        match diff(&last.1, &file.1) {
            Ok(bytes) => assert!(patch(&last.1, &bytes).unwrap() == file.1 && is_smallest, "{}", file.0),
            Err(DeltaError::Unsupported(_)) => assert!(!is_smallest, "{}", file.0),
            Err(other) => panic!("{}: {other}", file.0),
        }
        last = file;
    }
}

#[test]
fn the_golden_patch_is_read_and_made_again() {
    let read = |name: &str| fs::read(fixtures("patches").join(name)).unwrap();
    let (old, new, golden) = (read("old.kompakt"), read("new.kompakt"), read("example.patch"));
    assert!(patch(&old, &golden).unwrap() == new);
    let model = first(NumberChoice::Scaled, 8, 0.3);
    assert!(packed(&model, Tier::Stream) == old);
    assert!(diff(&old, &new).unwrap() == golden, "cargo run -p kompakt-delta --example make_patch");
}

#[test]
fn another_base_is_refused_by_name() {
    let model = first(NumberChoice::F16, 8, 0.3);
    let [old, other] = [Tier::Smallest, Tier::Direct].map(|tier| packed(&model, tier));
    let new = packed(&next(&model, 0.1), Tier::Smallest);
    let bytes = diff(&old, &new).unwrap();
    let message = patch(&other, &bytes).unwrap_err().to_string();
    assert!(message.contains("other bytes (another tier"), "{message}");
    let message = patch(&new, &bytes).unwrap_err().to_string();
    let (header, _) = Header::parse(&bytes).unwrap();
    assert!(message.contains("the patch is for another file"), "{message}");
    assert_eq!(header.new_content, Container::parse(&new).unwrap().content_hash());
    assert!(matches!(patch(&old, &old), Err(DeltaError::NotAPatch(_))));
    assert!(matches!(patch(&old, b""), Err(DeltaError::NotAPatch(_))));
    let mut later = bytes.clone();
    later[8] = 2;
    assert!(matches!(patch(&old, &later), Err(DeltaError::Version(2))));
}

#[test]
fn a_damaged_patch_is_an_error_whatever_was_changed() {
    let model = first(NumberChoice::Scaled, 8, 0.2);
    let old = packed(&model, Tier::Smallest);
    let bytes = diff(&old, &packed(&next(&model, 0.1), Tier::Smallest)).unwrap();
    let mut random = Random::new(1);
    for at in 8..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << random.below(8);
        assert!(patch(&old, &changed).is_err(), "byte {at}");
    }
    for length in 0..bytes.len() {
        assert!(patch(&old, &bytes[..length]).is_err(), "cut at {length}");
    }
    assert!(patch(&old, &[&bytes[..], &[0]].concat()).is_err());
}
