//! The container: complete files, and directories alone.

use crate::Fixtures;
use kompakt_format::{COMPACT_VERSION, Container, Decoded, MAGIC, VERSION};

/// Networks with more weights than this are parsed, but not decoded: it takes long, and their payloads are
/// refused in the end.
const DECODED_ELEMENTS: usize = 1 << 18;

/// A file as it is, and once more with valid checksums.
pub(crate) fn container(bytes: &[u8]) {
    read(bytes);
    if bytes.starts_with(&MAGIC) && bytes.get(8) == Some(&COMPACT_VERSION) {
        return compact(bytes);
    }
    let Ok(container) = Container::parse(bytes) else { return };
    let mut fitting = bytes.to_vec();
    for section in container.sections() {
        let sum = crc32fast::hash(&bytes[section.offset..section.end()]).to_le_bytes();
        fitting[section.end()..section.end() + sum.len()].copy_from_slice(&sum);
    }
    read(&fitting);
}

/// A compact file with a valid checksum.
fn compact(bytes: &[u8]) {
    let (Some(start), Some(rest)) = (bytes.get(..9), bytes.get(13..)) else { return };
    let mut sum = crc32fast::Hasher::new();
    sum.update(start);
    sum.update(rest);
    read(&[start, &sum.finalize().to_le_bytes(), rest].concat());
}

/// A directory and what follows it, put into a file with a valid header.
///
/// Input: the directory's length (u16, little-endian), the directory, the sections.
pub(crate) fn directory(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (directory, tail) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    read(&assemble(directory, tail));
}

fn read(bytes: &[u8]) {
    let Ok(container) = Container::parse(bytes) else { return };
    if container.graph().n_parameters() > DECODED_ELEMENTS {
        return;
    }
    if let Err(error) = container.verify() {
        assert!(error.offset <= bytes.len(), "the error's place is outside of the file: {error}");
    }
    for parameter in container.decode().into_iter().flatten() {
        check(&parameter);
    }
}

/// The invariants of a decoded parameter.
fn check(parameter: &Decoded) {
    assert!(parameter.to_f32().iter().all(|number| number.is_finite()), "a number that is not finite");
    if let Decoded::Shared { codebook, weights } = parameter {
        let levels = codebook.to_f32();
        assert!(levels.windows(2).all(|w| w[0] < w[1]), "a codebook that does not ascend");
        assert!(!levels.contains(&0.0), "a zero in a codebook");
        assert!(
            weights.codes.iter().all(|&code| usize::from(code) < levels.len()),
            "a code past the codebook"
        );
    }
}

/// A file of this directory and these sections, with a valid header.
pub fn assemble(directory: &[u8], tail: &[u8]) -> Vec<u8> {
    let length = leb128(directory.len());
    let rest = MAGIC.len() + 1 + length.len() + 4 + directory.len() + tail.len();
    // The total counts its own width.
    let total =
        (1..10).map(|width| leb128(rest + width)).zip(1..).find(|(total, width)| total.len() == *width);
    let total = total.map(|(total, _)| total).unwrap_or_default();
    let mut file = [&MAGIC[..], &[VERSION], &total, &length].concat();
    let mut sum = crc32fast::Hasher::new();
    sum.update(&file);
    sum.update(directory);
    file.extend(sum.finalize().to_le_bytes());
    file.extend(directory);
    file.extend(tail);
    file
}

fn leb128(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

pub(crate) fn containers(fixtures: &Fixtures) -> Vec<Vec<u8>> {
    ["good", "bad", "compat/v1"].iter().flat_map(|folder| fixtures.files(folder, "kompakt")).collect()
}

pub(crate) fn directories(fixtures: &Fixtures) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for file in containers(fixtures) {
        let Ok(container) = Container::parse(&file) else { continue };
        if container.is_compact() {
            continue;
        }
        let span = container.directory_span();
        if let Ok(length) = u16::try_from(span.len()) {
            inputs.push([&length.to_le_bytes(), &file[span.start..]].concat());
        }
    }
    inputs
}
