//! Labels, history, self-tests and ranges as sections, compressed with Zstandard where that is smaller.

use crate::{cbor::Cbor, content::About, error::PackError, sections::Section};
use kompakt_format::{Container, SectionKind, limits::MAX_ANCILLARY_BYTES};

const LEVEL: i32 = 19;
/// Set in a frame's descriptor if the frame is a single segment.
#[cfg(not(target_family = "wasm"))]
const SINGLE_SEGMENT: u8 = 0x20;

/// An ancillary section that is compressed already.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: SectionKind,
    bytes: Vec<u8>,
    unpacked: usize,
}

/// The compressed ones of a container.
pub(crate) fn frames(container: &Container<'_>) -> Vec<Frame> {
    let ancillary = container.sections().iter().filter(|section| section.kind.is_ancillary());
    let frame = |section: &kompakt_format::Section| {
        let bytes = container.section_bytes(section).to_vec();
        section.unpacked.map(|unpacked| Frame { kind: section.kind, bytes, unpacked })
    };
    ancillary.filter_map(frame).collect()
}

/// The non-empty ancillary sections, in their order.
pub(crate) fn sections(about: &About) -> Result<Vec<Section>, PackError> {
    let mut sections = Vec::new();
    if !about.labels.is_empty() {
        let mut cbor = Cbor::default();
        cbor.array(about.labels.len());
        for label in &about.labels {
            cbor.text(label);
        }
        sections.push(packed(about, SectionKind::Labels, cbor.0)?);
    }
    if let Some(provenance) = &about.provenance {
        sections.push(packed(about, SectionKind::Provenance, provenance.clone().into_bytes())?);
    }
    if !about.self_tests.is_empty() {
        let mut bytes = Vec::new();
        for test in &about.self_tests {
            bytes.extend(test.seed.to_le_bytes());
            bytes.extend(test.expected.iter().flat_map(|v| v.to_le_bytes()));
        }
        sections.push(packed(about, SectionKind::SelfTests, bytes)?);
    }
    if !about.ranges.is_empty() {
        let mut cbor = Cbor::default();
        cbor.array(2 * about.ranges.len());
        for range in &about.ranges {
            cbor.float(f64::from(range.low)).float(f64::from(range.high));
        }
        sections.push(packed(about, SectionKind::Ranges, cbor.0)?);
    }
    Ok(sections)
}

fn packed(about: &About, kind: SectionKind, bytes: Vec<u8>) -> Result<Section, PackError> {
    if bytes.len() > MAX_ANCILLARY_BYTES {
        return Err(PackError::unsupported(format!("{kind:?}"), "more than 16 MiB: pack with --minimal"));
    }
    if let Some(frame) = about.frames.iter().find(|f| f.kind == kind && f.unpacked == bytes.len()) {
        return Ok(Section { unpacked: Some(frame.unpacked), ..Section::new(kind, frame.bytes.clone()) });
    }
    let frame = compress(&bytes, LEVEL).map_err(PackError::io("compressing an ancillary section"))?;
    // The table stores the unpacked length in at most five bytes.
    let Some(frame) = frame.filter(|frame| frame.len() + 5 < bytes.len()) else {
        return Ok(Section::new(kind, bytes));
    };
    let mut section = Section::new(kind, frame);
    section.unpacked = Some(bytes.len());
    Ok(section)
}

/// A frame as rule F-26 requires it; `None` if it is not a single segment.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn compress(bytes: &[u8], level: i32) -> std::io::Result<Option<Vec<u8>>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.include_checksum(false)?;
    compressor.include_contentsize(true)?;
    compressor.include_dictid(false)?;
    let frame = compressor.compress(bytes)?;
    Ok(frame.get(4).is_some_and(|descriptor| descriptor & SINGLE_SEGMENT != 0).then_some(frame))
}

/// `None`: nothing is compressed without the C library.
#[cfg(target_family = "wasm")]
pub(crate) fn compress(_: &[u8], _: i32) -> std::io::Result<Option<Vec<u8>>> {
    Ok(None)
}
