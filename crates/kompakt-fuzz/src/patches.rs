//! Patches, beside the files that they are for.

use crate::Fixtures;
use kompakt_delta::{MAGIC, file_hash};
use kompakt_format::Container;

/// Old files with more weights than this are passed over.
const MAX_ELEMENTS: usize = 1 << 16;
/// Where a patch has the hash of the old file.
const OLD_FILE: std::ops::Range<usize> = 17..25;

/// Applies a patch; its hash of the old file is made to fit.
///
/// Input: the old file's length (u16, little-endian), the old file, the patch.
pub(crate) fn patch(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (old, patch) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let mut patch = patch.to_vec();
    if patch.starts_with(&MAGIC) && patch.len() >= OLD_FILE.end {
        patch[OLD_FILE].copy_from_slice(&file_hash(old));
    }
    if Container::parse(old).is_ok_and(|old| old.graph().n_parameters() > MAX_ELEMENTS) {
        return;
    }
    if let Ok(new) = kompakt_delta::patch(old, &patch) {
        assert!(Container::parse(&new).is_ok(), "a patch made something else than a container");
    }
}

pub(crate) fn patches(fixtures: &Fixtures) -> Vec<Vec<u8>> {
    let files = fixtures.files("patches", "kompakt");
    let inputs = |old: &Vec<u8>, patch: &Vec<u8>| {
        let length = u16::try_from(old.len()).unwrap_or(0);
        [&length.to_le_bytes()[..], old, patch].concat()
    };
    let patches = fixtures.files("patches", "patch");
    files.iter().flat_map(|old| patches.iter().map(move |patch| inputs(old, patch))).collect()
}
